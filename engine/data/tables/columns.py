"""Columns as they are read: which of their values are missing, which are numbers, which are dates.

N rows. Text is stripped of blanks around it before it is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

DATE_FORMATS = (
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M:%S%.f%#z",
    "%Y-%m",
    "%b %Y",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M:%S",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M",
)
"""Tried in this order; the last two pairs are told apart only by a day above 12."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How texts are read as values."""

    missing_values: tuple[str, ...] = ("",)
    """Texts that stand for a missing value, in any case of letters."""
    decimal: str = "."
    date_format: str | None = None


def missing(column: pl.Series, reading: Reading) -> Bools:
    """(N,) whether there is no value: null, NaN, or a text that stands for none."""
    gone = column.is_null().to_numpy().copy()
    if column.dtype == pl.String:
        words = {word.lower() for word in reading.missing_values}
        stripped = column.str.strip_chars()
        # Letters are made small only where the text is short enough to be one of the words: most are numbers.
        short = (stripped.str.len_chars() <= max(map(len, words), default=0)).fill_null(False)
        gone[short.to_numpy()] = stripped.filter(short).str.to_lowercase().is_in(words).to_numpy()
    if column.dtype.is_float():
        gone |= column.is_nan().fill_null(True).to_numpy()
    return gone


def texts(column: pl.Series) -> pl.Series:
    """Every value as a text, without blanks around it."""
    if column.dtype == pl.String:
        return column.str.strip_chars()
    if column.dtype == pl.Boolean:
        return column.cast(pl.Int8).cast(pl.String).replace({"0": "false", "1": "true"})
    return column.cast(pl.String)


_GROUPED = r"^[+-]?\d{1,3}(\.\d{3})+(,\d*)?$"


def numbers(column: pl.Series, reading: Reading) -> Floats:
    """(N,) the numbers, NaN where there is none. `true` and `false` are 1 and 0."""
    if column.dtype == pl.String:
        stripped = column.str.strip_chars()
        if reading.decimal == ",":
            # A dot groups thousands or makes it no number: 3.14 is a mistake there, and 02.03.2024 a date.
            grouped = stripped.str.contains(_GROUPED)
            plain = stripped.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
            wrong = stripped.str.contains(".", literal=True) & ~grouped
            stripped = pl.select(pl.when(wrong).then(pl.lit("no number")).otherwise(plain)).to_series()
        column = stripped.cast(pl.Float64, strict=False)
        if column.null_count() > stripped.null_count():
            words = stripped.str.to_lowercase()
            truth = (words == "true").cast(pl.Float64)
            column = pl.select(pl.when(words.is_in(["true", "false"])).then(truth).otherwise(column)).to_series()
    return column.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy().astype(np.float64)


def whole(column: pl.Series) -> bool:
    """Whether every value that is there is written as a whole number, without a decimal point."""
    if column.dtype == pl.String:
        return column.str.strip_chars().cast(pl.Int64, strict=False).null_count() == 0
    return column.dtype.is_integer()


def seconds(column: pl.Series, format: str | None) -> Floats:
    """(N,) seconds since 1970 of dates, NaN where there is none; texts and numbers are read by a format of strftime.

    Times that name an offset become those of UTC; others are taken as they stand.
    """
    if format is not None:
        stripped = texts(column)
        if any(month in format for month in ("%m", "%b", "%B")) and not any(day in format for day in ("%d", "%e")):
            stripped, format = "01 " + stripped, f"%d {format}"  # polars reads no month without a day
        try:
            column = stripped.str.to_datetime(format, strict=False, exact=True, time_unit="us")
        except pl.exceptions.PolarsError:
            return np.full(len(column), np.nan)
    elif column.dtype == pl.Date:
        column = column.cast(pl.Datetime("us"))
    elif isinstance(column.dtype, pl.Datetime):
        column = column.dt.cast_time_unit("us")
    found = column.dt.epoch("us").cast(pl.Float64) / 1e6
    return found.fill_null(float("nan")).to_numpy().astype(np.float64)


def date_formats(column: pl.Series, reading: Reading) -> Sequence[str]:
    """The formats by which more than half of these values, none of which is missing, are dates; best first."""
    if reading.date_format is not None:
        return (reading.date_format,)
    sample = column.head(200)
    likely = [f for f in DATE_FORMATS if np.isfinite(seconds(sample, f)).mean() > 0.5]
    share = {f: float(np.isfinite(seconds(column, f)).mean()) for f in likely}
    best = max(share.values(), default=0.0)
    return [f for f in likely if share[f] == best and best > 0.5]


def is_date(column: pl.Series) -> bool:
    """Whether the file itself says that the column holds dates."""
    return column.dtype == pl.Date or isinstance(column.dtype, pl.Datetime)
