"""Labelled texts of any origin, and those that could not be used.

N texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from engine.experiment.mistakes import Mistake, Refused

NAMED = 20
"""Maximum number of faults that are listed; the others are counted."""
TRAIN, VALIDATION, TEST = range(3)


@dataclass(frozen=True, slots=True)
class Fault:
    """The clauses of a mistake in a text that cannot be used."""

    file: str
    found: str
    expected: str = ""

    def __str__(self) -> str:
        return f"{self.file}: {self.found}" + (f", {self.expected}" if self.expected else "")


@dataclass(slots=True)
class Labelled:
    """Texts of the training file or folder, followed by those of parts with their own file or folder."""

    classes: tuple[str, ...]
    texts: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    """The class number of each text."""
    parts: list[int] = field(default_factory=list)
    """TRAIN, VALIDATION or TEST; parts without texts are drawn from TRAIN."""
    groups: NDArray[np.int64] | None = None
    """(N,) group number of each text; None without groups."""
    own: tuple[str, str, str] = ("", "", "")
    """The file or folder of each part; empty if it has none."""
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ends(self) -> tuple[int, ...]:
        """The end of each part among the texts."""
        return tuple(accumulate(self.parts.count(part) for part in (TRAIN, VALIDATION, TEST)))

    def settle(self, where: str, *, skip: bool) -> None:
        """Refuse texts that cannot be used, or add a note that they are left out.

        Raises:
            Refused: with every fault, or if fewer than two classes are left.
        """
        if self.faults and not skip:
            raise Refused(_mistakes(where, self.faults))
        if self.faults:
            named = "; ".join(map(str, self.faults[:NAMED]))
            more = f"; and {len(self.faults) - NAMED:,} more" if len(self.faults) > NAMED else ""
            self.notes.append(f"Left out: {named}{more}.")
        counts = np.bincount(self.labels[: self.ends[TRAIN]], minlength=len(self.classes))
        present = np.flatnonzero(counts)
        if len(present) < 2:
            left = f"{counts.sum():,} texts of {len(present)} class{'es' * (len(present) != 1)} can be used"
            named = "; ".join(map(str, self.faults[:NAMED])) or f"all are {shortened(self.classes[int(present[0])])}"
            raise Refused(Mistake(where, left, "expected at least two classes to train on", f"{named}."))
        self._keep_present(counts)
        once = [shortened(name) for name, count in zip(self.classes, counts[present], strict=True) if count == 1]
        if once:
            listed = ", ".join(once[:NAMED]) + (" …" if len(once) > NAMED else "")
            self.notes.append(
                f"{'Labels that occur' if len(once) > 1 else 'A label that occurs'} only once: {listed}. Such a class "
                "can only be in one part."
            )

    def _keep_present(self, counts: NDArray[np.int64]) -> None:
        """Renumber the classes that have a training text, and remove the texts of others."""
        if counts.all():
            return
        number = np.cumsum(counts > 0) - 1
        kept = [at for at, label in enumerate(self.labels) if counts[label]]
        self.classes = tuple(name for name, count in zip(self.classes, counts, strict=True) if count)
        self.texts = [self.texts[at] for at in kept]
        self.labels = [int(number[self.labels[at]]) for at in kept]
        self.parts = [self.parts[at] for at in kept]
        if self.groups is not None:
            self.groups = self.groups[kept]


def shortened(text: str, length: int = 60) -> str:
    """A text in quotes for a sentence, shortened, with unprintable characters escaped."""
    return repr(text if len(text) <= length else f"{text[: length - 1]}…")


def _mistakes(where: str, faults: Sequence[Fault]) -> list[Mistake]:
    fix = 'Fix or remove it, or set data.on_broken = "skip".'
    mistakes = [Mistake(where, fault.found, fault.expected, fix, subject=fault.file) for fault in faults[:NAMED]]
    if len(faults) > NAMED:
        mistakes.append(Mistake(where, f"{len(faults) - NAMED:,} more texts cannot be used", "", fix))
    return mistakes


BYTES_PER_BYTE = 12
"""Largest memory per byte of text: as bytes, as a Python string, and as a token number."""
