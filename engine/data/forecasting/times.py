"""The times of a series: ascending, evenly spaced or not, and how many steps a season has.

L rows in the order of the file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from engine.data.forecasting.order import check_order
from engine.data.tables.column_forms import Form, Kind, form_of
from engine.data.tables.columns import Bools, Floats, Reading, missing, numbers, of_no_use, texts
from engine.data.tables.finding_dates import find_numbers
from engine.data.tables.fitting import check_dates
from engine.data.tables.rows import Faults
from engine.experiment.mistakes import Mistake, Refused

MINUTE_S, HOUR_S, DAY_S, WEEK_S = 60, 3600, 86_400, 604_800
SEASONS_OF_SECONDS = {15 * MINUTE_S: 96, 30 * MINUTE_S: 48, HOUR_S: 24, DAY_S: 7, WEEK_S: 52}
"""Steps of a day, of a day, of a day, of a week and of a year."""
SEASONS_OF_MONTHS = {1: 12, 3: 4}
EVEN_ENOUGH = 0.1
"""Share of uneven steps above which nothing repeats after a fixed number of steps."""
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Times:
    """What the times show about the rows."""

    season: int = 1
    """Steps after which a series of this spacing usually repeats; 1 if unknown."""
    notes: tuple[str, ...] = ()
    form: Form | None = None
    """How the times are read."""


def checked(column: pl.Series, reading: Reading, faults: Faults, *, typed: bool = False) -> Times:
    """Check the times of all rows. Invalid times and times that do not ascend are added to `faults`.

    Args:
        typed: whether the file marks all values as numbers.

    Raises:
        Refused: the column contains no times, or times that can be read in several ways or run backwards.
    """
    name = column.name
    if of_no_use(column):
        found = f"the column {name!r} is of the type {column.dtype}"
        raise Refused(Mistake("data.time", found, "expected dates or numbers", "Name another column."))
    gone = missing(column, reading)
    faults.add(name, gone, "the time is missing", "expected one in every row", "Add it, or remove the row.")
    if gone.all():
        faults.refuse()
    at, form = _read(column, gone, reading, faults, typed=typed)
    are_dates = form.kind == "date"
    check_order(at, name, faults, are_dates=are_dates)
    if faults.mistakes or np.isfinite(at).sum() < 2:
        return Times(form=form)
    return replace(_spacing(at, are_dates, name, faults), form=form)


def _read(column: pl.Series, gone: Bools, reading: Reading, faults: Faults, *, typed: bool) -> tuple[Floats, Form]:
    """(L,) seconds of dates, or unchanged numbers, NaN for other values; and how they are read.

    Raises:
        Refused: the column contains neither, or it can be read in several ways.
    """
    name = column.name
    form = _form(column, gone, reading, typed=typed)
    if form.mistake is not None:
        raise Refused(form.mistake)
    if form.kind == "date":
        return check_dates(column, gone, form.dates, faults, "Fix it."), form
    values = numbers(column, form.reading)
    faults.add(
        name, ~np.isfinite(values) & ~gone, "{value} is not a number", "expected one, as in other rows", "Fix it."
    )
    return np.where(np.isfinite(values), values, np.nan), form


def _form(column: pl.Series, gone: Bools, reading: Reading, *, typed: bool) -> Form:
    """Decide how times are read; numbers that can be dates are dates."""
    rows, otherwise = np.arange(len(column)), "name another column"
    if not reading.marks.first_rules and (column.dtype == pl.String or column.dtype.is_integer()):
        there = texts(column.filter(pl.Series(~gone)))
        if reading.date_format is None and (dates := find_numbers(column.name, there, asked=True)):
            return Form(kind="date", reading=reading, dates=dates, note=dates.note)
    asked: Kind | None = None if reading.date_format is None else "date"
    form = form_of(column, gone, rows, reading, asked, otherwise, typed=typed)
    return form if form.kind != "category" else form_of(column, gone, rows, reading, "date", otherwise, typed=typed)


def _spacing(at: Floats, are_dates: bool, name: str, faults: Faults) -> Times:
    steps, of_months = _steps(at, are_dates)
    sizes, counts = np.unique(steps, return_counts=True)
    usual = sizes[counts.argmax()]
    season = 1
    if are_dates:
        season = (SEASONS_OF_MONTHS if of_months else SEASONS_OF_SECONDS).get(int(usual), 1)
    uneven = np.flatnonzero(steps != usual)
    if not len(uneven):
        return Times(season)
    step = _duration(usual, are_dates, of_months)
    where = "; ".join(
        f"{_duration(steps[i], are_dates, of_months)} before {faults.rows.place(int(i) + 1)[1]}"
        for i in uneven[:_NAMED]
    )
    more = f"; and {len(uneven) - _NAMED:,} more" if len(uneven) > _NAMED else ""
    said = f"The times of {name} are not evenly spaced: {step} is usual, but there are {where}{more}."
    return Times(
        season if len(uneven) <= EVEN_ENOUGH * len(steps) else 1,
        (f"{said} Windows treat rows as evenly spaced.",),
    )


def _steps(at: Floats, are_dates: bool) -> tuple[Floats, bool]:
    """(L - 1,) steps between rows: months if all times are on one day of the month, or on its last; else seconds."""
    if are_dates and not (at % DAY_S).any():
        days = at.astype("datetime64[s]").astype("datetime64[D]")
        months = days.astype("datetime64[M]")
        of_month = (days - months.astype("datetime64[D]")).astype(np.int64)
        last = ((days + 1).astype("datetime64[M]") > months).all()
        if last or (of_month == of_month[0]).all():
            return np.diff(months.astype(np.int64)).astype(np.float64), True
    return np.diff(at), False


def _duration(step: float, are_dates: bool, of_months: bool) -> str:
    if of_months:
        return _counted(step, "month")
    if not are_dates:
        return f"{step:g}"
    unit, size = next(
        (unit, size)
        for unit, size in (("day", DAY_S), ("hour", HOUR_S), ("minute", MINUTE_S), ("second", 1))
        if step >= size or size == 1
    )
    return _counted(step / size, unit)


def _counted(count: float, unit: str) -> str:
    return f"{count:.4g} {unit}{'' if count == 1 else 's'}"
