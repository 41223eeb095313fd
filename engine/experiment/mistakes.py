"""Mistakes in documents and arguments: where, what was found, what was expected, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from engine.experiment.paths import parse_path
from engine.printable import printable


@dataclass(frozen=True, slots=True)
class Remedy:
    """A safe fix as data: one change of the document."""

    do: Literal["put", "drop", "rename", "insert", "append"]
    """Set a value, remove a value, rename a key, or insert layers before or after a layer."""
    value: Any = None
    """The value, the name, or the layers."""
    at: str = ""
    """The path: that of the mistake if empty, below it with a leading `.`, next to it with `^.`, else absolute."""


def put(value: Any, at: str = "") -> Remedy:
    """Set a value."""
    return Remedy("put", value, at)


def drop(at: str = "") -> Remedy:
    """Remove a value, which restores its default, or a layer."""
    return Remedy("drop", None, at)


def insert(*layers: Any, at: str = "") -> Remedy:
    """Insert layers before a layer."""
    return Remedy("insert", layers, at)


def append(*layers: Any, at: str = "") -> Remedy:
    """Insert layers after a layer."""
    return Remedy("append", layers, at)


LAST_LAYER = {"type": "Linear", "out_features": "auto"}
"""The layer that outputs as many numbers as data and loss require."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake. `found` and `expected` are clauses without a full stop, `fix` is a sentence with one.

    >>> print(Mistake("model.layers[4]", "in_features is 100", "the layer before gives 256",
    ...               "Remove in_features (it is inferred), or set it to 256.", subject="Linear"))
    model.layers[4] Linear: in_features is 100; the layer before gives 256. Remove in_features (it is inferred), \
or set it to 256.
    """

    path: str
    """The path in the document: `optimizer.lr`, `model.layers[4]`; or a file or argument."""
    found: str
    expected: str
    fix: str
    subject: str = ""
    """The type of the value at `path`, if that helps a reader: `Linear`."""
    severity: Literal["error", "warning"] = "error"
    remedy: Remedy | None = field(default=None, compare=False)
    """The fix as data, if it is safe."""

    def remedy_path(self) -> str:
        """The path that the remedy changes."""
        at = self.remedy.at if self.remedy is not None else ""
        if at.startswith("^"):
            return self.path.rpartition(".")[0] + at[1:]
        return f"{self.path}{at}" if at.startswith(".") else at or self.path

    def __str__(self) -> str:
        where = f"{self.path} {self.subject}".strip()
        clauses = "; ".join(filter(None, (self.found, self.expected)))
        return printable(f"{where}: {clauses}. {self.fix}".strip())

    def as_dict(self) -> dict[str, Any]:
        """The mistake as data, for `check --json`."""
        said = asdict(self)
        if self.remedy is not None:
            said["remedy"] = {"do": self.remedy.do, "path": self.remedy_path(), "value": self.remedy.value}
        return said


class Refused(Exception):
    """A request is invalid. Carries all mistakes; the command line prints them and exits with code 2."""

    def __init__(self, mistakes: Mistake | Iterable[Mistake]) -> None:
        self.mistakes = (mistakes,) if isinstance(mistakes, Mistake) else tuple(mistakes)
        super().__init__("\n".join(map(str, self.mistakes)))


@contextmanager
def collected(mistakes: list[Mistake]) -> Iterator[None]:
    """Context that adds refused mistakes to a list and continues, so that all mistakes are reported."""
    try:
        yield
    except Refused as refused:
        mistakes += refused.mistakes


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that is most similar to `name`; None if none is close.

    Case, `-` and `_` are ignored: `adamw` matches `AdamW`. Of several close names, one with the same letters is
    preferred: `Adma` matches `Adam`, not `Adamax`.
    """
    known = list(names)

    def plain(text: str) -> str:
        return text.lower().replace("-", "").replace("_", "")

    by_plain = {plain(k): k for k in reversed(known)}
    close = difflib.get_close_matches(plain(name), by_plain, n=3, cutoff=0.6)
    close.sort(key=lambda k: sorted(k) != sorted(plain(name)))
    return by_plain[close[0]] if close else None


def unknown_name(path: str, name: str, names: Sequence[str], what: str) -> Mistake:
    """The mistake of a name that is not among `names`; `what` is the expected kind ("an optimizer").

    >>> print(unknown_name("optimizer.type", "Adma", ["SGD", "Adam"], "an optimizer"))
    optimizer.type: 'Adma' is not an optimizer; expected one of SGD, Adam. Did you mean Adam?
    """
    meant = nearest(name, names)
    shown = ", ".join(names[:16]) + (f" … ({len(names)} in all)" if len(names) > 16 else "")
    expected = f"expected one of {shown}" if names else "expected none"
    remedy = None
    if meant and parse_path(path) is not None:
        remedy = Remedy("rename", meant) if path.rpartition(".")[2] == name else put(meant)
    return Mistake(
        path,
        f"{name!r} is not {what}",
        expected,
        f"Did you mean {meant}?" if meant else "Use one of these.",
        remedy=remedy,
    )


def value_text(value: Any) -> str:
    """A value as TOML text, shortened."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = repr(value)
    elif isinstance(value, (list, tuple)):
        text = "[" + ", ".join(map(value_text, value)) + "]"
    elif isinstance(value, dict):
        text = "{" + ", ".join(f"{k} = {value_text(v)}" for k, v in value.items()) + "}"
    else:
        text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
