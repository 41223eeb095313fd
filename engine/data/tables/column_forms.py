"""Decide how a column is read: numbers in a notation, dates in a format, or categories.

N rows. The decision uses all values of the column, in all parts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl

from engine.data.splits import Indices
from engine.data.tables import finding_dates, finding_notation
from engine.data.tables.columns import Bools, Reading, is_date, seconds, texts
from engine.data.tables.finding_dates import Dates
from engine.data.tables.finding_notation import Found
from engine.data.tables.notation import Notation
from engine.data.tables.rows import short
from engine.experiment.mistakes import Mistake

Kind = Literal["number", "category", "date"]
_NAMED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How a column is read."""

    kind: Kind
    reading: Reading
    dates: Dates | None = None
    """The format of dates that are texts or numbers; None if the file has a date type."""
    note: str = ""
    """An example of how a value is read, without a full stop; empty for the usual notation."""
    mistake: Mistake | None = None
    found: Found | None = None
    """The notation of numbers that are texts."""

    @property
    def notation(self) -> Notation:
        """The notation of numbers."""
        return self.reading.notation or self.reading.marks.default

    def _written(self) -> tuple[object, ...]:
        return (self.kind, self.dates.format if self.dates else self.notation)


def form_of(
    column: pl.Series, gone: Bools, train: Indices, reading: Reading, asked: Kind | None, otherwise: str, *, typed: bool
) -> Form:
    """Decide how a column is read. At least one row of the training part has a value.

    Args:
        gone: (N,) whether a row has no value.
        asked: the kind that the document sets.
        otherwise: the end of a sentence on how to handle numbers with a unit.
        typed: whether the file marks all values as numbers.
    """
    if asked == "category":
        return Form(kind="category", reading=reading)
    if is_date(column):
        return Form(kind="date", reading=reading)
    there = column.gather(train[~gone[train]]) if reading.marks.first_rules else column.filter(pl.Series(~gone))
    if asked != "number" and reading.date_format is not None:
        dates = Dates(format=reading.date_format, like=reading.date_format, first_rules=reading.marks.first_rules)
        if asked == "date" or np.isfinite(seconds(texts(there), dates)).mean() > finding_dates.MOST:
            return Form(kind="date", reading=reading, dates=dates)
    if column.dtype == pl.String:
        return _of_texts(column.name, texts(there), reading, asked, otherwise, typed=typed)
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return _of_numbers(there, reading, asked)
    return Form(kind="category", reading=reading)


def number_form(column: pl.Series, gone: Bools, reading: Reading, *, typed: bool) -> Form:
    """Decide how a column of numbers is read."""
    if column.dtype != pl.String or gone.all():
        return Form(kind="number", reading=reading)
    there = texts(column.filter(pl.Series(~gone)))
    found = finding_notation.find(
        column.name, there, reading.marks, typed=typed, otherwise="name another column", units=True
    )
    if found is None:
        return Form(kind="number", reading=reading)
    read = replace(reading, notation=found.notation)
    return Form(kind="number", reading=read, note=found.note, mistake=found.mistake, found=found)


def form_mistakes(forms: dict[str, Form]) -> list[Mistake]:
    """The mistakes of columns; columns with the same possible readings share one mistake."""
    alike: dict[tuple[object, ...], list[str]] = {}
    for name, form in forms.items():
        if form.mistake is not None:
            alike.setdefault((form.mistake.path, form._written()), []).append(name)
    mistakes = []
    for first, *others in alike.values():
        mistake = forms[first].mistake
        assert mistake is not None
        likewise = f" (likewise {_listed(others)})" if others else ""
        mistakes.append(replace(mistake, found=mistake.found + likewise))
    return mistakes + _doubts({n: form.found for n, form in forms.items() if form.found and form.mistake is None})


def _doubts(found: dict[str, Found]) -> list[Mistake]:
    """The mistakes of columns whose points may separate thousands, as other columns of the file suggest."""
    if not any(one.european for one in found.values()):
        return []
    return [finding_notation.doubted(name, one) for name, one in found.items() if one.doubt]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else "")


def read_as(forms: dict[str, Form]) -> list[str]:
    """One sentence with an example for each unusual notation and date format."""
    alike: dict[tuple[object, ...], list[str]] = {}
    for name, form in forms.items():
        if form.note:
            alike.setdefault(form._written(), []).append(name)
    said = []
    for first, *others in alike.values():
        said.append(forms[first].note + (f", and likewise {_listed(others)}" if others else ""))
    return [f"Notation: {'; '.join(said)}."] if said else []


def _of_numbers(there: pl.Series, reading: Reading, asked: Kind | None) -> Form:
    may_be_dates = asked != "number" and there.dtype.is_integer() and not reading.marks.first_rules
    if may_be_dates and (dates := finding_dates.find_numbers(there.name, there, asked=asked == "date")):
        return _dated(dates, reading)
    return _asked_dates(there, reading) if asked == "date" else Form(kind="number", reading=reading)


def _of_texts(
    name: str, there: pl.Series, reading: Reading, asked: Kind | None, otherwise: str, *, typed: bool
) -> Form:
    """Decide from the stripped values that are not missing."""
    first_rules = reading.marks.first_rules
    may_be_dates = asked != "number" and not first_rules
    if may_be_dates and (dates := finding_dates.find_numbers(name, there, asked=asked == "date")):
        return _dated(dates, reading)
    if asked == "date":
        return _asked_dates(there, reading)
    found = finding_notation.find(name, there, reading.marks, typed=typed, otherwise=otherwise, units=asked is None)
    if found is not None:
        read = replace(reading, notation=found.notation)
        return Form(kind="number", reading=read, note=found.note, mistake=found.mistake, found=found)
    if asked == "number":
        return Form(kind="number", reading=reading)
    if first_rules and reading.date_format is not None:
        return Form(kind="category", reading=reading)
    if dates := finding_dates.find(name, there, first_rules=first_rules):
        return _dated(dates, reading)
    if not first_rules and finding_dates.look_like_dates(there):
        wrong = finding_dates.no_dates(name, f"{short(there[0])}, which looks like a date", otherwise)
        return Form(kind="date", reading=reading, mistake=wrong)
    return Form(kind="category", reading=reading)


def _asked_dates(there: pl.Series, reading: Reading) -> Form:
    dates = finding_dates.find(there.name, texts(there), first_rules=reading.marks.first_rules)
    if dates is not None:
        return _dated(dates, reading)
    return Form(kind="date", reading=reading, mistake=finding_dates.no_dates(there.name, short(there[0])))


def _dated(dates: Dates, reading: Reading) -> Form:
    return Form(kind="date", reading=reading, dates=dates, note=dates.note, mistake=dates.mistake)
