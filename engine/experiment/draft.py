"""Read a preset or a file as an experiment, with all its mistakes and with the valid parts."""

from __future__ import annotations

import copy
import os
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine.experiment.document import Experiment
from engine.experiment.mistakes import Mistake, Refused, unknown_name
from engine.experiment.overrides import apply_overrides
from engine.experiment.presets import preset_names, preset_text
from engine.experiment.validation import Location, by_place, mistakes_of
from engine.file_kinds import kind_of
from engine.user_folders import expanded, home_problem

MAX_DOCUMENT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Draft:
    """A document with its valid parts and its mistakes.

    Invalid fields have their defaults, so that the rest can be checked and all mistakes are reported together.
    `experiment` is None only if the document cannot be parsed.
    """

    experiment: Experiment | None
    mistakes: tuple[Mistake, ...] = ()
    text: str = ""
    """The TOML text, before overrides; empty if it was not read from text."""
    overrides: tuple[str, ...] = ()
    """Applied overrides: `path=value`."""

    def with_mistakes(self, more: Iterable[Mistake]) -> tuple[Mistake, ...]:
        """The mistakes of the document and `more`, without those below a field that is wrong already."""
        wrong = [m.path for m in self.mistakes if m.severity == "error"]

        def follows(mistake: Mistake) -> bool:
            return any(mistake.path == w or mistake.path.startswith((f"{w}.", f"{w}[")) for w in wrong)

        return self.mistakes + tuple(m for m in more if not follows(m))


def read(preset_or_file: str | Path, overrides: Sequence[str] = ()) -> Draft:
    """Read a preset by name, or a TOML file by path, and apply `overrides` (`path=value`)."""
    text = source_text(preset_or_file)
    return Draft(None, (text,)) if isinstance(text, Mistake) else reads(text, overrides, origin=str(preset_or_file))


def reads(text: str, overrides: Sequence[str] = (), origin: str = "the document") -> Draft:
    """Read an experiment from TOML text; `origin` is the name of the text in mistakes."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a plain ValueError: a number of thousands of digits
        return Draft(None, (_not_toml(text, origin, error),), text)
    wrong_overrides = apply_overrides(document, overrides)
    return replace(from_document(document, wrong_overrides), text=text, overrides=tuple(overrides))


_BASIC_STRING = re.compile(r'"([^"\n]*\\[^"\n]*)"')
"""A string in double quotes that contains a backslash."""
_AT_LINE = re.compile(r"at line (\d+)")


def _not_toml(text: str, origin: str, error: Exception) -> Mistake:
    """The mistake of a text that is not TOML. Most often it is a Windows path in double quotes."""
    reason = str(error) or "it is nested too deeply"
    if not reason.startswith(("Unescaped '\\'", "Invalid hex value", "Invalid character '\\n'")):
        return Mistake(origin, f"it is not TOML: {reason}", "", "Correct that line.")
    at = _AT_LINE.search(reason)
    lines = text.splitlines()
    number = int(at[1]) if at else len(lines)
    line = lines[number - 1] if 0 < number <= len(lines) else ""
    string = _BASIC_STRING.search(line)
    if string is None or "'" in string[1]:
        fix = "Write each backslash twice."
        return Mistake(origin, f"it is not TOML: {reason}", "a backslash in double quotes starts an escape", fix)
    found = f"it is not TOML: line {number} has a backslash in double quotes, where it starts an escape"
    return Mistake(origin, found, "expected single quotes around it", f"Write '{string[1]}'.")


def load(preset_or_file: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """Read an experiment that must be valid.

    Raises:
        Refused: with every mistake.
    """
    draft = read(preset_or_file, overrides)
    if draft.experiment is None or draft.mistakes:
        raise Refused(draft.mistakes)
    return draft.experiment


def from_document(document: dict[str, Any], mistakes: Sequence[Mistake] = ()) -> Draft:
    """Validate a document; replace invalid fields by defaults and repeat until the rest is valid."""
    mistakes_found = list(mistakes)
    document = copy.deepcopy(document)
    while True:
        try:
            return Draft(Experiment.model_validate(document), tuple(mistakes_found))
        except ValidationError as error:
            mistakes_found += mistakes_of(error, document, Experiment)
            for where, errors in by_place(error, document).items():
                if where[-1:] == ("type",) and errors[0]["type"] == "extra_forbidden":
                    _remove(document, where)  # in a section without types: the rest of it is valid
                else:
                    _set_aside(document, where)


_PLACEHOLDERS: dict[Location, Any] = {
    ("data",): {"source": ""},
    ("data", "source"): "",
    ("model",): {"layers": ["Identity"]},
    ("model", "layers"): ["Identity"],
}
"""Replacements of required sections that are missing or invalid; their mistakes are recorded already."""


def _set_aside(document: dict[str, Any], where: Location) -> None:
    """Replace the value at `where` by its default; a layer by Identity, so that indexes do not change."""
    holder: Any = document
    for step in where[:-1]:
        holder = holder[step] if isinstance(holder, list) and isinstance(step, int) else holder.get(step)
        if not isinstance(holder, (dict, list)):
            return
    last = where[-1]
    if where in _PLACEHOLDERS:
        holder[last] = copy.deepcopy(_PLACEHOLDERS[where])
    elif _is_layer(where):
        holder[last] = "Identity"
    elif len(where) > 1 and (last == "type" or isinstance(last, int) or last not in holder):
        # A choice needs its type, and a list without one of its items would mean something else. If a required field
        # is missing, its parent is replaced.
        _set_aside(document, where[:-1])
    else:
        holder.pop(last, None)


def _remove(document: dict[str, Any], where: Location) -> None:
    holder: Any = document
    for step in where[:-1]:
        holder = holder[step]
    del holder[where[-1]]


def _is_layer(where: Location) -> bool:
    """Whether `where` is a layer: `("model", "layers", 4, "branches", 0, 1)`."""
    if where[:1] != ("model",) or len(where) < 3 or not isinstance(where[-1], int):
        return False
    return where[-2] in ("layers", "shortcut") or (len(where) > 3 and where[-3] == "branches")


def is_file(preset_or_file: str) -> bool:
    """Whether a name is a file and not a preset."""
    path = Path(preset_or_file)
    return preset_or_file.endswith(".toml") or path.name != preset_or_file or os.path.isfile(path)


def source_text(preset_or_file: str | Path) -> str | Mistake:
    """The TOML text of a preset or a file, or the mistake if there is none."""
    name = str(preset_or_file)
    path = expanded(name)
    if not is_file(name):
        names = preset_names()
        if name in names:
            return preset_text(name)
        return replace(unknown_name("preset", name, names, "a preset or a file"), remedy=None)
    try:
        if path.is_dir():
            return Mistake(name, "it is a folder", "expected a TOML file", "Name a file in it.")
        with path.open("rb") as file:
            content = file.read(MAX_DOCUMENT_BYTES + 1)
        if len(content) > MAX_DOCUMENT_BYTES:
            return Mistake(
                name, "it is larger than 1 MiB", "expected an experiment of at most 1 MiB", "Name another file."
            )
        if content.startswith(b"\xef\xbb\xbf"):
            found = "it starts with a byte order mark"
            return Mistake(name, found, "TOML is UTF-8 without one", "Save the file without it.")
        if (kind := kind_of(content)) is not None:
            fix = kind.fix if kind.fix.startswith(("Save it as UTF-8", "Unpack")) else "Name a TOML file."
            return Mistake(name, f"it is {kind.name}", "expected an experiment, which is TOML in UTF-8", fix)
        return content.decode("utf-8")
    except FileNotFoundError:
        if problem := home_problem(name):
            return Mistake(name, problem, "", "Write the full path.")
        return Mistake(
            name, "there is no such file", "", "Correct the path, or name a preset: torchdeck presets lists them."
        )
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = f"line {line} has {content[error.start]:#04x}, which is not UTF-8"
        return Mistake(name, found, "TOML is text in UTF-8", "Save the file as UTF-8.")
    except OSError as error:
        return Mistake(name, f"it cannot be read ({error.strerror})", "", "Check its permissions.")
