"""Read the values of columns: which are missing, which are numbers, which are dates.

N rows. Text is stripped of surrounding spaces first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from engine.data.tables.finding_dates import Dates
from engine.data.tables.finding_notation import AUTO, Marks
from engine.data.tables.notation import Bools, Floats, Notation

__all__ = [
    "Bools",
    "Floats",
    "Reading",
    "is_category",
    "is_date",
    "missing",
    "numbers",
    "of_no_use",
    "seconds",
    "texts",
    "whole",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How texts are read as values."""

    missing_values: tuple[str, ...] = ("",)
    """Texts that mean a missing value; the first rules ignore their case."""
    marks: Marks = AUTO
    date_format: str | None = None
    notation: Notation | None = None
    """The notation of the column; None: the default of `marks`."""


def of_no_use(column: pl.Series) -> bool:
    """Whether a column has an unsupported type: lists, bytes, times of day or durations."""
    return column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object, pl.Time, pl.Duration)


def is_category(column: pl.Series) -> bool:
    """Whether the file has a category type for the column."""
    return isinstance(column.dtype, (pl.Categorical, pl.Enum))


def missing(column: pl.Series, reading: Reading) -> Bools:
    """(N,) whether a value is missing: null, NaN, or a text that means missing."""
    gone = column.is_null().to_numpy().copy()
    if column.dtype == pl.String:
        any_case = reading.marks.first_rules
        words = {word.lower() if any_case else word for word in reading.missing_values}
        stripped = column.str.strip_chars()
        # Texts are compared only where they are short enough to be one of the words: most are numbers.
        short = (stripped.str.len_chars() <= max(map(len, words), default=0)).fill_null(False)
        some = stripped.filter(short)
        gone[short.to_numpy()] = (some.str.to_lowercase() if any_case else some).is_in(words).to_numpy()
    if column.dtype.is_float():
        gone |= column.is_nan().fill_null(True).to_numpy()
    return gone


def texts(column: pl.Series) -> pl.Series:
    """Every value as a stripped text (N,)."""
    if column.dtype == pl.String:
        return column.str.strip_chars()
    if column.dtype == pl.Boolean:
        return column.cast(pl.Int8).cast(pl.String).replace({"0": "false", "1": "true"})
    return column.cast(pl.String)


def numbers(column: pl.Series, reading: Reading) -> Floats:
    """(N,) the numbers, NaN for other values. `true` and `false` are 1 and 0."""
    if is_category(column):
        column = column.cast(pl.String)
    if column.dtype != pl.String:
        return column.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy().astype(np.float64)
    stripped = column.str.strip_chars()
    notation = reading.notation or reading.marks.default
    values = notation.numbers(stripped)
    if (none := np.isnan(values)).any():
        words = stripped.filter(pl.Series(none)).str.to_lowercase()
        values[none] = words.replace_strict(
            {"true": 1.0, "false": 0.0}, default=None, return_dtype=pl.Float64
        ).fill_null(float("nan"))
    return values


def whole(column: pl.Series) -> bool:
    """Whether every value that is there is written as a whole number, without a decimal point."""
    return integers(column).null_count() == 0


EXACT = 2**53
"""Whole numbers up to here are exact as floats; beyond it several of them are one float."""


def integers(column: pl.Series) -> pl.Series:
    """(N,) the whole numbers of a column, exactly, however large; null where a value is missing or none."""
    if column.dtype == pl.String:
        column = column.str.strip_chars()
    elif not column.dtype.is_integer():
        return pl.repeat(None, len(column), dtype=pl.Int128, eager=True)
    return column.cast(pl.Int128, strict=False)


def base_of(column: pl.Series, reading: Reading) -> int:
    """The least of whole numbers that are too large to be exact as floats, from which they are then counted; else 0."""
    found = integers(column)
    if reading.marks.first_rules or found.null_count() or not len(found):
        return 0
    least, most = (int(value) for value in pl.DataFrame({"low": found.min(), "high": found.max()}).row(0))
    return least if max(abs(least), abs(most)) >= EXACT else 0


def above(column: pl.Series, base: int, reading: Reading) -> Floats:
    """(N,) how far each number is above a base, which is exact for whole numbers; NaN where there is none."""
    if not base:
        return numbers(column, reading)
    found = pl.select(integers(column) - pl.lit(base, dtype=pl.Int128)).to_series().cast(pl.Float64)
    return found.fill_null(float("nan")).to_numpy().astype(np.float64)


def seconds(column: pl.Series, dates: Dates | None) -> Floats:
    """(N,) seconds since 1970 of dates, NaN where there is none; texts and numbers are read as `dates` says.

    Times that name an offset become those of UTC; others are taken as they stand.
    """
    if dates is not None:
        return dates.seconds(texts(column))
    column = column.cast(pl.Datetime("us")) if column.dtype == pl.Date else column.dt.cast_time_unit("us")
    found = column.dt.epoch("us").cast(pl.Float64) / 1e6
    return found.fill_null(float("nan")).to_numpy().astype(np.float64)


def is_date(column: pl.Series) -> bool:
    """Whether the file has a date type for the column."""
    return column.dtype == pl.Date or isinstance(column.dtype, pl.Datetime)
