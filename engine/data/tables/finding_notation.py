"""Find the notation that fits the numbers of a column, from all of its values.

N values. If one notation fits, it is used. If several fit and give different numbers, the user has to choose.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from engine.data.tables.affixes import Affixes, affixes_of
from engine.data.tables.notation import (
    DECIMALS,
    GROUPINGS,
    PERCENT,
    PLAIN,
    Bools,
    Notation,
    plain_signs,
    value_text,
)
from engine.experiment.mistakes import Mistake

MOST = 0.5
"""A notation must fit more than this share of the values; the others are faults."""
_POINTS = Notation(".", ",")
_SAMPLE = 400
"""Size of a sample. Notations that it excludes are not tried on all values."""
_LIKELY = 0.3
_NEARLY_ALL = 0.9
"""Share of the values that an unknown word must follow to be a unit: 1a and 1b have none."""
_ENOUGH = 0.05
"""Share of the values that decide how the others are read; if fewer, each needs two marks: 1,234,567."""
_TWO_MARKS = r"[0-9][.,][0-9]+[.,][0-9]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """The marks of numbers that the document sets."""

    decimal: str = "auto"
    thousands: str = "auto"
    strip_units: bool = False
    first_rules: bool = False
    """Whether the first version of the rules applies: one notation for a whole file."""

    @property
    def default(self) -> Notation:
        """The notation of a column for which no other is found."""
        decimal = next(mark for mark in DECIMALS if self.allows("", mark))
        return Notation("." if self.first_rules and decimal == "," else "", decimal)

    def allows(self, grouping: str, decimal: str) -> bool:
        """Whether the document permits this pair of marks."""
        points = decimal != self.thousands and self.decimal in ("auto", decimal)
        return points and grouping != decimal and (not grouping or self.thousands in ("auto", grouping))


AUTO = Marks()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The notation of the numbers of a column."""

    notation: Notation
    note: str = ""
    """An example, such as `price: 1,234 read as 1234`; empty for the usual notation."""
    mistake: Mistake | None = None
    doubt: str = ""
    """A value whose point may separate thousands, if no value of the column decides; else empty."""

    @property
    def european(self) -> bool:
        """Whether the column has decimal commas, or points between thousands."""
        return self.notation.decimal == "," or self.notation.grouping == "."


def find(name: str, there: pl.Series, marks: Marks, *, typed: bool, otherwise: str, units: bool = True) -> Found | None:
    """The notation of the values (N,) of a column, stripped and without missing ones; None if they are not numbers.

    Args:
        typed: whether the file marks the values as numbers, so that a point is a decimal point.
        otherwise: the end of a sentence on how to handle values that are not plain numbers.
        units: whether the document must allow units before they are ignored.
    """
    values = there.cast(pl.Float64, strict=False)
    readable = len(values) - values.null_count()
    if marks.first_rules:
        default = marks.default
        known = readable if default == PLAIN else int((~np.isnan(default.numbers(there))).sum())
        known += _truths(there, values)
        return Found(notation=default) if known > MOST * len(there) else None
    if readable == len(values) and (typed or marks.allows("", ".")):
        return Found(notation=PLAIN) if typed else _plain(name, there, marks)
    truths = _truths(there, values)
    if readable + truths == len(values) and marks.allows("", "."):
        return Found(notation=PLAIN)
    signed = plain_signs(there)
    shown_texts = signed.gather(np.unique(np.linspace(0, len(there) - 1, _SAMPLE).astype(np.int64))).to_list()
    sample, looked = Counter(map(affixes_of, shown_texts)), len(shown_texts)
    shown, count = max(
        ((a, n) for a, n in sample.items() if a is not None), key=lambda pair: pair[1], default=(None, 0)
    )
    several = [a for a in sample if a is not None and a.is_known(shown_texts)]
    if count <= MOST * looked and len(several) > 1 and sum(sample[a] for a in several) > MOST * looked:
        return Found(notation=PLAIN, mistake=_several_units(name, several, otherwise))
    if shown is None or count <= _LIKELY * looked:
        return _if_most(readable + truths, there, marks)
    least = MOST if not shown.unit or shown in several else _NEARLY_ALL
    return _fitting(name, there, signed, shown, marks, least, truths, otherwise, units)


def _truths(there: pl.Series, values: pl.Series) -> int:
    """How many values are `true` or `false`, which are read as 1 and 0."""
    if not values.null_count():
        return 0
    return int(there.filter(values.is_null()).str.to_lowercase().is_in(["true", "false"]).sum())


def _if_most(known: int, there: pl.Series, marks: Marks) -> Found | None:
    return Found(notation=marks.default) if known > MOST * len(there) else None


def _fitting(
    name: str,
    there: pl.Series,
    signed: pl.Series,
    shown: Affixes,
    marks: Marks,
    least: float,
    truths: int,
    otherwise: str,
    units: bool,
) -> Found | None:
    """The notation with these affixes that fits most values.

    Args:
        least: the notation must fit more than this share of the values.
        truths: how many values are `true` or `false`.
    """
    rare = signed.str.contains("|".join(Notation(mark).mark for mark in GROUPINGS[3:])).any()
    present = {m for m in (GROUPINGS[1:] if rare else GROUPINGS[1:3]) if signed.str.contains(Notation(m).mark).any()}
    candidates = [
        Notation(grouping, decimal, shown.currency, shown.unit)
        for grouping in GROUPINGS
        for decimal in DECIMALS
        if marks.allows(grouping, decimal)
        and (not grouping or grouping in present)
        and (decimal in present or marks.default.decimal in (decimal, grouping))
    ]
    explained = {candidate: candidate.explains(signed) for candidate in candidates}
    counts = {candidate: int(rows.sum()) for candidate, rows in explained.items()}
    best = max(counts.values(), default=0)
    if best + truths <= least * len(there):
        return None
    tied = sorted((c for c in candidates if counts[c] == best), key=lambda c: (bool(c.grouping), c.decimal != "."))
    taken = tied[0]
    for rival in (c for c in candidates if MOST * len(there) < counts[c] < best):
        if _few_values_decide(taken, rival, explained, signed):
            if rival == PLAIN and signed.filter(pl.Series(explained[PLAIN])).str.contains(".", literal=True).all():
                return Found(notation=PLAIN)
            row = _read_differently(taken, rival, explained, signed)
            assert row is not None
            return Found(notation=taken, mistake=_ambiguous(name, there[row], (taken, rival)))
    if taken == PLAIN and any(c.grouping == "." for c in tied[1:]):
        return _plain(name, there.filter(pl.Series(explained[PLAIN])), marks)
    for other in tied[1:]:
        if (row := _read_differently(taken, other, explained, signed)) is not None:
            return Found(notation=taken, mistake=_ambiguous(name, there[row], (taken, other)))
    if shown.unit not in ("", PERCENT) and units and not marks.strip_units:
        row = int(explained[taken].argmax())
        return Found(notation=taken, mistake=_unit(name, there[row], taken, otherwise))
    return Found(notation=taken, note=_note(name, there, signed, explained[taken], taken, marks))


def _few_values_decide(taken: Notation, rival: Notation, explained: dict[Notation, Bools], texts: pl.Series) -> bool:
    """Whether only a few values exclude the rival, so few that they may be typing errors."""
    if _read_differently(taken, rival, explained, texts) is None:
        return False
    only = explained[taken] & ~explained[rival]
    if only.sum() >= _ENOUGH * explained[taken].sum():
        return False
    return not texts.filter(pl.Series(only)).str.contains(_TWO_MARKS).any()


def _read_differently(one: Notation, other: Notation, explained: dict[Notation, Bools], texts: pl.Series) -> int | None:
    """The first row that both read, as different numbers; None if there is none."""
    both = explained[one] & explained[other]
    for mark in (".", ","):
        if _role(one, mark) == _role(other, mark):
            continue
        rows = np.flatnonzero(both & texts.str.contains(mark, literal=True).to_numpy())
        some = texts.gather(rows)  # the mark may also be part of a unit or a currency
        if len(different := rows[one.numbers(some) != other.numbers(some)]):
            return int(different[0])
    return None


def _role(notation: Notation, mark: str) -> str:
    return "decimal" if notation.decimal == mark else "grouping" if notation.grouping == mark else ""


def _plain(name: str, there: pl.Series, marks: Marks) -> Found:
    """Plain numbers, unless every point in them may separate thousands."""
    likely = marks.allows(".", ",") and re.match(_POINTS.pattern, str(there[0])) is not None
    if not likely or not _POINTS.explains(there.head(_SAMPLE)).all():
        return Found(notation=PLAIN)
    points = there.str.contains(".", literal=True).to_numpy()
    if not points.any() or not _POINTS.explains(there).all() or there.str.contains("[eE]").any():
        return Found(notation=PLAIN)
    example = str(there[int(points.argmax())])
    if not points.all():
        return Found(notation=PLAIN, mistake=_ambiguous(name, example, (PLAIN, _POINTS)))
    other = f'data.thousands = "." reads {_read(_POINTS, example)}'
    note = f"{name}: {example} read as {_read(PLAIN, example)} ({other})"
    return Found(notation=PLAIN, note=note, doubt=example)


def _note(name: str, there: pl.Series, texts: pl.Series, explained: Bools, taken: Notation, marks: Marks) -> str:
    """How the value with most marks is read; empty if all values have the usual notation."""
    rows = np.flatnonzero(explained)
    for some in (rows[:_SAMPLE], rows):
        values, signed = there.gather(some), texts.gather(some)
        odd = values.cast(pl.Float64, strict=False).is_null().to_numpy()
        if taken.decimal == ",":
            odd |= values.str.contains(".", literal=True).to_numpy()
        if odd.any():
            break
    else:
        return ""
    marks_shown = odd.astype(np.int64)
    for mark in filter(None, (taken.grouping, taken.decimal)):
        marks_shown += odd & signed.str.contains(Notation(mark).mark).to_numpy()
    example = str(values[int(marks_shown.argmax())])
    said = f"{name}: {example} read as {_read(taken, example)}"
    other = Notation(taken.decimal, "." if taken.decimal == "," else ",", taken.currency, taken.unit)
    if marks.decimal == taken.decimal and taken.decimal in example and other.explains(texts)[explained].all():
        said += f' (data.thousands = "{taken.decimal}" reads {_read(other, example)})'
    return said


def _read(notation: Notation, text: str) -> str:
    return value_text(float(notation.numbers(pl.Series([text]))[0]))


def doubted(name: str, found: Found) -> Mistake:
    """The mistake of a column with three decimals in a file that has decimal commas in other columns."""
    return _ambiguous(name, found.doubt, (PLAIN, _POINTS))


def _ambiguous(name: str, example: str, ways: Sequence[Notation]) -> Mistake:
    readings = [(_read(way, example), way) for way in ways]
    mark = next(m for m in (",", ".") if {_role(way, m) for way in ways} == {"grouping", "decimal"})
    settings = {"grouping": "data.thousands", "decimal": "data.decimal"}
    fix = ", or ".join(f'{settings[_role(way, mark)]} = "{mark}" for {value}' for value, way in readings)
    found = f"the numbers of {name!r}, such as {example!r}, can be read as {' and as '.join(v for v, _ in readings)}"
    return Mistake("data.thousands", found, "expected one way to read them", f"Set {fix}.")


def _unit(name: str, example: str, taken: Notation, otherwise: str) -> Mistake:
    found = f"the values of {name!r}, such as {example!r}, are numbers followed by {taken.unit!r}"
    fix = f'Set data.units = "strip" to read {_read(taken, example)}, or {otherwise}.'
    return Mistake("data.units", found, "expected numbers alone", fix)


def _several_units(name: str, several: Sequence[Affixes], otherwise: str) -> Mistake:
    shown = ", ".join(sorted(str(one) or "none" for one in several))
    found = f"the values of {name!r} are numbers with several units ({shown})"
    return Mistake("data.units", found, "expected one unit for all of them", f"Write them in one unit, or {otherwise}.")
