"""From a preset or a file to an experiment: every mistake of form at once, and the best that can be made of it."""

from __future__ import annotations

import copy
import os
import re
import shlex
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
    """A document as far as it could be understood.

    What was wrong is left at its default, so that the rest can still be checked and every mistake be said at once;
    `experiment` is None only where the document could not be read at all.
    """

    experiment: Experiment | None
    mistakes: tuple[Mistake, ...] = ()
    text: str = ""
    """The TOML that it was read from, before overrides; empty where it was read from none."""
    overrides: tuple[str, ...] = ()
    """What was applied to it: `path=value`."""

    def with_mistakes(self, more: Iterable[Mistake]) -> tuple[Mistake, ...]:
        """The mistakes of the form and `more`, without those that only follow from a place that is wrong already."""
        wrong = [m.path for m in self.mistakes if m.severity == "error"]

        def follows(mistake: Mistake) -> bool:
            return any(mistake.path == w or mistake.path.startswith((f"{w}.", f"{w}[")) for w in wrong)

        return self.mistakes + tuple(m for m in more if not follows(m))


def read(preset_or_file: str | Path, overrides: Sequence[str] = ()) -> Draft:
    """A preset by its name, or a TOML file by its path, with `overrides` (`path=value`) applied."""
    text = source_text(preset_or_file)
    return Draft(None, (text,)) if isinstance(text, Mistake) else reads(text, overrides, origin=str(preset_or_file))


def reads(text: str, overrides: Sequence[str] = (), origin: str = "the document") -> Draft:
    """The experiment that a text holds as TOML; `origin` is what a mistake calls that text."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError alone: a number of thousands of digits
        return Draft(None, (_not_toml(text, origin, error),), text)
    wrong_overrides = apply_overrides(document, overrides)
    return replace(from_document(document, wrong_overrides), text=text, overrides=tuple(overrides))


_BASIC_STRING = re.compile(r'"([^"\n]*\\[^"\n]*)"')
"""A string in double quotes with a backslash in it."""
_AT_LINE = re.compile(r"at line (\d+)")


def _not_toml(text: str, origin: str, error: Exception) -> Mistake:
    """What is wrong with a text that is no TOML. Most often it is a path of Windows in double quotes."""
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
        return Mistake(origin, f"it is not TOML: {reason}", "a backslash in double quotes begins an escape", fix)
    found = f"it is not TOML: line {number} has a backslash in double quotes, where it begins an escape"
    return Mistake(origin, found, "expected single quotes around it", f"Write '{string[1]}'.")


def load(preset_or_file: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """As `read`, for those who want a document without mistakes of form or none.

    Raises:
        Refused: with every mistake.
    """
    draft = read(preset_or_file, overrides)
    if draft.experiment is None or draft.mistakes:
        raise Refused(draft.mistakes)
    return draft.experiment


def from_document(document: dict[str, Any], mistakes: Sequence[Mistake] = ()) -> Draft:
    """Validate a document; set what is wrong aside and validate the rest, until something stands."""
    said = list(mistakes)
    document = copy.deepcopy(document)
    while True:
        try:
            return Draft(Experiment.model_validate(document), tuple(said))
        except ValidationError as error:
            said += mistakes_of(error, document, Experiment)
            for where, errors in by_place(error, document).items():
                if where[-1:] == ("type",) and errors[0]["type"] == "extra_forbidden":
                    _take_out(document, where)  # of a part that has no type: the rest of it stays
                else:
                    _set_aside(document, where)


_PLACEHOLDERS: dict[Location, Any] = {
    ("data",): {"source": ""},
    ("data", "source"): "",
    ("model",): {"layers": ["Identity"]},
    ("model", "layers"): ["Identity"],
}
"""What stands in for a required part that is missing or unusable; the mistake has been said by then."""


def _set_aside(document: dict[str, Any], where: Location) -> None:
    """Put the default in place of what stands at `where`; for a layer one that does nothing, so that indexes stay."""
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
        # A choice without a type is none at all, a list without one of its items means something else, and where a
        # required field is missing there is nothing to take away but what lacks it.
        _set_aside(document, where[:-1])
    else:
        holder.pop(last, None)


def _take_out(document: dict[str, Any], where: Location) -> None:
    holder: Any = document
    for step in where[:-1]:
        holder = holder[step]
    del holder[where[-1]]


def _is_layer(where: Location) -> bool:
    """Whether a layer stands there: `("model", "layers", 4, "branches", 0, 1)`."""
    if where[:1] != ("model",) or len(where) < 3 or not isinstance(where[-1], int):
        return False
    return where[-2] in ("layers", "shortcut") or (len(where) > 3 and where[-3] == "branches")


def is_file(preset_or_file: str) -> bool:
    """Whether a name means a file, and no preset."""
    path = Path(preset_or_file)
    return preset_or_file.endswith(".toml") or path.name != preset_or_file or os.path.isfile(path)


def _data(file: str) -> Mistake | None:
    """The mistake of a file of samples in the place of an experiment; None for any other file."""
    from engine.data.sources import source_of_file  # they know documents

    source = source_of_file(file)
    if source is None:
        return None
    target = " --set data.target=COLUMN" if "target" in source.model_fields else ""
    look = f"torchdeck data {shlex.quote(file)}{target}"
    train = f"torchdeck train PRESET --set data.source={source.name} --set {shlex.quote(f'data.path={file}')}{target}"
    found = f"it is data, which the source {source.name} reads"
    fix = f"Look at it with `{look}`, train a preset on it with `{train}`."
    return Mistake(file, found, "expected a preset or a TOML file", fix)


def source_text(preset_or_file: str | Path) -> str | Mistake:
    """The TOML text of a preset or a file, or why there is none."""
    name = str(preset_or_file)
    path = expanded(name)
    if mistake := _data(name):
        return mistake
    if not is_file(name):
        names = preset_names()
        if name in names:
            return preset_text(name)
        return replace(unknown_name("preset", name, names, "a preset or a file"), remedy=None)
    try:
        if path.is_dir():
            return Mistake(name, "it is a folder", "expected a TOML file", "Name the file in it.")
        with path.open("rb") as file:
            content = file.read(MAX_DOCUMENT_BYTES + 1)
        if len(content) > MAX_DOCUMENT_BYTES:
            return Mistake(name, "it is larger than that", "an experiment has at most 1 MiB", "Name another file.")
        if content.startswith(b"\xef\xbb\xbf"):
            found = "it begins with a byte order mark"
            return Mistake(name, found, "TOML is UTF-8 without one", "Save the file without it.")
        if (kind := kind_of(content)) is not None:
            fix = kind.fix if kind.fix.startswith(("Save it as UTF-8", "Unpack")) else "Name a TOML file."
            return Mistake(name, f"it is {kind.name}", "expected an experiment, which is TOML in UTF-8", fix)
        return content.decode("utf-8")
    except FileNotFoundError:
        if problem := home_problem(name):
            return Mistake(name, problem, "", "Write the whole path.")
        return Mistake(
            name, "there is no such file", "", "Correct the path, or name a preset: torchdeck presets lists them."
        )
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = f"line {line} has {content[error.start]:#04x}, which is not UTF-8"
        return Mistake(name, found, "TOML is text in UTF-8", "Save the file as UTF-8.")
    except OSError as error:
        return Mistake(name, f"it cannot be read ({error.strerror})", "", "Check its permissions.")
