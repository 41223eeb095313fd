"""Formats of dates, as in strftime: dates become seconds, independently of the locale.

N texts, stripped. `%Y` is a year of exactly four digits; `%y` is 1969 to 2068, as in POSIX. Names of months and days
are English. Parts in square brackets are optional.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
EPOCHS = {"%s": 1, "%3s": 1_000, "%6s": 1_000_000, "%9s": 1_000_000_000}
"""Formats of numbers that count from 1970, with their units per second."""
_PIVOT = 69
_DAY_US = 86_400_000_000

_MONTH_NAME = (
    r"(?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY_NAME = r"(?i:mon|tues?|wed|wednes|thu|thurs?|fri|satur|sat|sun)(?i:day)?\.?"
_OFFSET = r"(?:\s*(?i:z|utc|gmt)|\s*[+−-][0-9]{2}(?::?[0-9]{2})?)"
_TWO = r"[0-9]{1,2}"
_PARTS = {
    "Y": ("year", "[0-9]{4}"),
    "y": ("short", "[0-9]{2}"),
    "m": ("month", _TWO),
    "b": ("name", _MONTH_NAME),
    "B": ("name", _MONTH_NAME),
    "h": ("name", _MONTH_NAME),
    "d": ("day", _TWO),
    "e": ("day", _TWO),
    "j": ("ordinal", "[0-9]{3}"),
    "H": ("hour", _TWO),
    "k": ("hour", _TWO),
    "I": ("half", _TWO),
    "l": ("half", _TWO),
    "M": ("minute", _TWO),
    "S": ("second", _TWO),
    "f": ("fraction", "[0-9]{1,9}"),
    ".f": ("fraction", ""),
    "p": ("noon", r"(?i:[ap]\.?m\.?)"),
    "P": ("noon", r"(?i:[ap]\.?m\.?)"),
    "a": ("", _DAY_NAME),
    "A": ("", _DAY_NAME),
    "z": ("offset", _OFFSET),
    ":z": ("offset", _OFFSET),
    "#z": ("offset", _OFFSET),
    "Z": ("", "[A-Za-z]{1,5}"),
    "%": ("", "%"),
}
_WHOLES = {"T": "%H:%M:%S", "R": "%H:%M", "F": "%Y-%m-%d", "D": "%m/%d/%y"}
_DIRECTIVE = re.compile(r"%([.:#]?[A-Za-z%])|(\s+)|(.)", re.DOTALL)


def seconds_of(texts: pl.Series, format: str) -> Floats:
    """(N,) seconds since 1970, NaN if the format does not fit. Times with an offset are converted to UTC."""
    if (per_second := EPOCHS.get(format)) is not None:
        return texts.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy().astype(np.float64) / per_second
    pattern = pattern_of(format)
    if pattern is None:
        found = by_polars(texts, format)
        if "%Y" in format:
            found[~texts.str.contains("[0-9]{4}").fill_null(False).to_numpy()] = np.nan
        return found
    fields = texts.str.extract_groups(pattern).struct.unnest()
    found, valid = _microseconds(fields)
    seconds = found / 1e6
    seconds[~valid] = np.nan
    return seconds


def by_polars(texts: pl.Series, format: str) -> Floats:
    """As `seconds_of`, with polars, which knows more directives but reads two-digit years as years 0 to 99."""
    if any(month in format for month in ("%m", "%b", "%B")) and not any(day in format for day in ("%d", "%e")):
        texts, format = "01 " + texts, f"%d {format}"  # polars cannot read a month without a day
    try:
        column = texts.str.to_datetime(format, strict=False, exact=True, time_unit="us")
    except pl.exceptions.PolarsError:
        return np.full(len(texts), np.nan)
    found = column.dt.epoch("us").cast(pl.Float64) / 1e6
    return found.fill_null(float("nan")).to_numpy().astype(np.float64)


@lru_cache(maxsize=256)
def pattern_of(format: str) -> str | None:
    """A regular expression with a named group for each part; None if the format is not supported."""
    for whole, parts in _WHOLES.items():
        format = format.replace(f"%{whole}", parts)
    pattern, names, open_, after_digits = "", set[str](), 0, False
    places = list(_DIRECTIVE.finditer(format))
    for place, found in enumerate(places):
        directive, blank, literal = found.groups()
        if directive is None:
            after_digits = False
            if blank:
                pattern += r"\s+"
            elif literal == "[":
                pattern, open_ = pattern + "(?:", open_ + 1
            elif literal == "]" and open_:
                pattern, open_ = pattern + ")?", open_ - 1
            else:
                pattern += re.escape(literal)
            continue
        if directive not in _PARTS:
            return None
        name, digits = _PARTS[directive]
        if name and name in names:
            return None
        names.add(name)
        following = places[place + 1] if place + 1 < len(places) else None
        beside = after_digits or (following is not None and _PARTS.get(following[1] or "", ("", ""))[1] == _TWO)
        if digits == _TWO and beside:
            digits = "[0-9]{2}"  # 2024131 does not show where the month ends
        if directive == ".f":
            pattern += "(?:[.,](?P<fraction>[0-9]{1,9}))?"
        else:
            pattern += f"(?P<{name}>{digits})" if name else digits
        after_digits = digits.startswith("[0-9]")
    if open_ or not names & {"year", "short"} or not names & {"month", "name", "ordinal"}:
        return None
    return f"^{pattern}$"


def _microseconds(fields: pl.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(N,) microseconds since 1970, and whether the day and time exist."""
    rows = len(fields)

    def number(name: str, otherwise: int) -> Integers:
        if name not in fields.columns:
            return np.full(rows, otherwise, dtype=np.int64)
        return fields[name].cast(pl.Int64, strict=False).fill_null(otherwise).to_numpy().astype(np.int64)

    matched = fields.select(~pl.all_horizontal(pl.all().is_null())).to_series().to_numpy()
    year = number("year", 0)
    if "short" in fields.columns:
        short = number("short", 0)
        year = np.where(short >= _PIVOT, 1900, 2000) + short
    month = number("month", 1)
    if "name" in fields.columns:
        numbers = dict(zip(MONTHS, range(1, 13), strict=True))
        named = fields["name"].str.slice(0, 3).str.to_lowercase()
        month = named.replace_strict(numbers, default=0, return_dtype=pl.Int64).fill_null(0).to_numpy().astype(np.int64)
    valid = matched & (year > 0) & (month >= 1) & (month <= 12)
    months = np.where(valid, (year - 1970) * 12 + month - 1, 0)
    first, after = (m.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) for m in (months, months + 1))
    day = number("day", 1)
    if "ordinal" in fields.columns:
        day = number("ordinal", 0)
        leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
        valid &= (day >= 1) & (day <= 365 + leap)
    else:
        valid &= (day >= 1) & (day <= after - first)
    hour, minute, second = number("hour", 0), number("minute", 0), number("second", 0)
    if "half" in fields.columns:
        hour = number("half", 12)
        valid &= (hour >= 1) & (hour <= 12)
        afternoon = np.zeros(rows, dtype=bool)
        if "noon" in fields.columns:
            afternoon = fields["noon"].str.to_lowercase().str.starts_with("p").fill_null(False).to_numpy()
        hour = hour % 12 + 12 * afternoon
    valid &= (hour < 24) & (minute < 60) & (second < 60)
    at = (first + day - 1) * _DAY_US + ((hour * 60 + minute) * 60 + second) * 1_000_000
    if "fraction" in fields.columns:
        digits = fields["fraction"].str.slice(0, 6).str.pad_end(6, "0").cast(pl.Int64, strict=False)
        at = at + digits.fill_null(0).to_numpy().astype(np.int64)
    if "offset" in fields.columns:
        offset, known = _offset(fields["offset"])
        at, valid = at - offset, valid & known
    return at.astype(np.float64), valid


def _offset(offsets: pl.Series) -> tuple[Integers, Any]:
    """(N,) offsets from UTC in microseconds, and whether they are valid."""
    digits = offsets.str.replace_all(r"[^0-9]", "").str.pad_end(4, "0").fill_null("0000")
    hours, minutes = (
        digits.str.slice(at, 2).cast(pl.Int64, strict=False).fill_null(0).to_numpy().astype(np.int64) for at in (0, 2)
    )
    behind = offsets.str.contains("[−-]").fill_null(False).to_numpy()
    ahead = (hours * 60 + minutes) * 60_000_000
    return np.where(behind, -ahead, ahead), (hours < 24) & (minutes < 60)
