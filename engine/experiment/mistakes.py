"""What can be wrong with what was asked, and how it is said: where, what was found, what was expected, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake. `found` and `expected` are clauses without a full stop, `fix` is a sentence with one.

    >>> print(Mistake("model.layers[4]", "in_features is 100", "the layer before gives 256",
    ...               "Remove in_features (it is inferred), or set it to 256.", subject="Linear"))
    model.layers[4] Linear: in_features is 100, the layer before gives 256. Remove in_features (it is inferred), \
or set it to 256.
    """

    path: str
    """Where in the document: `optimizer.lr`, `model.layers[4]`; or the file or argument that is meant."""
    found: str
    expected: str
    fix: str
    subject: str = ""
    """The type of what stands at `path`, when that helps a reader: `Linear`."""
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        where = f"{self.path} {self.subject}".strip()
        clauses = ", ".join(filter(None, (self.found, self.expected)))
        return f"{where}: {clauses}. {self.fix}".strip()

    def as_dict(self) -> dict[str, Any]:
        """The mistake as data, for `check --json`."""
        return asdict(self)


class Refused(Exception):
    """What was asked is wrong. Carries every mistake, not the first; the command line prints them and exits with 2."""

    def __init__(self, mistakes: Mistake | Iterable[Mistake]) -> None:
        self.mistakes = (mistakes,) if isinstance(mistakes, Mistake) else tuple(mistakes)
        super().__init__("\n".join(map(str, self.mistakes)))


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that a person who wrote `name` most likely meant; None when nothing is close.

    Letter case, `-` and `_` are forgiven first: `adamw` means `AdamW`. Of several that are close, the one with the same
    letters is meant: `Adma` is `Adam`, not `Adamax`.
    """
    known = list(names)

    def plain(text: str) -> str:
        return text.lower().replace("-", "").replace("_", "")

    by_plain = {plain(k): k for k in reversed(known)}
    close = difflib.get_close_matches(plain(name), by_plain, n=3, cutoff=0.6)
    close.sort(key=lambda k: sorted(k) != sorted(plain(name)))
    return by_plain[close[0]] if close else None


def unknown_name(path: str, name: str, names: Sequence[str], what: str) -> Mistake:
    """The mistake of a name that is not among `names`; `what` says of what kind the name should be ("an optimizer").

    >>> print(unknown_name("optimizer.type", "Adma", ["SGD", "Adam"], "an optimizer"))
    optimizer.type: 'Adma' is not an optimizer, expected one of SGD, Adam. Did you mean Adam?
    """
    meant = nearest(name, names)
    shown = ", ".join(names[:16]) + (f" … ({len(names)} in all)" if len(names) > 16 else "")
    expected = f"expected one of {shown}" if names else "expected none"
    return Mistake(
        path, f"{name!r} is not {what}", expected, f"Did you mean {meant}?" if meant else "Take one of these."
    )


def value_text(value: Any) -> str:
    """A value as a person would write it in TOML, shortened."""
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
