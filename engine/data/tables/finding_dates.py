"""Find the format that fits the dates of a column, from all of its values.

N values. If one format fits, it is used. If several fit and give different days, the user has to choose.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.data.tables.date_formats import EPOCHS, Floats, by_polars, pattern_of, seconds_of
from engine.experiment.mistakes import Mistake

MOST = 0.5
_SAMPLE = 200
_LIKELY = 0.3

FIRST_FORMATS = (
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
"""Formats of the first version of the rules, in order."""
_DAYS = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d.%m.%Y",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%m-%d-%Y",
    "%d-%m-%Y",
    "%d.%m.%y",
    "%m/%d/%y",
    "%d/%m/%y",
    "%y/%m/%d",
    "%m-%d-%y",
    "%d-%m-%y",
    "%y-%m-%d",
    "[%a, ]%d %b %Y",
    "[%a ]%d-%b-%Y",
    "%d. %b %Y",
    "%d/%b/%Y",
    "[%a, ]%b %d, %Y",
    "[%a ]%b %d %Y",
    "%Y-%b-%d",
    "%Y %b %d",
    "%d-%b-%y",
    "%d %b %y",
    "%b %d, %y",
)
_MONTHS = ("%Y-%m", "%Y/%m", "%m/%Y", "%b %Y", "%b-%Y", "%Y %b", "%Y-%b", "%b-%y", "%b %y")
_COMPACT = ("%Y%m%d", "%Y%m%dT%H%M%S", "%Y%m%dT%H%M%S%z")
_WHOLE = ("[%a ]%b %d %H:%M:%S %Y", "[%a ]%b %d %H:%M:%S %Z %Y", "%d/%b/%Y:%H:%M:%S %z")
_TIME = re.compile(
    r"(?<=\d)(?P<apart>,\s+|\s+|[Tt])\d{1,2}:\d{2}(?P<seconds>:\d{2}([.,]\d+)?)?(?P<half>\s*[AaPp]\.?[Mm]\.?)?"
    r"(?P<offset>\s*(?:[Zz]|UTC|GMT)|\s*[+−-]\d{2}(?::?\d{2})?)?"
)
_WITH_OFFSET = r":[0-9:.,]+(?:\s*[AaPp]\.?[Mm]\.?)?\s*(?i:z|utc|gmt|[+−-][0-9]{2}(?::?[0-9]{2})?)$"
_DAY, _MONTH, _YEAR = "(?:0?[1-9]|[12][0-9]|3[01])", "(?:0?[1-9]|1[0-2])", "(?:19|20)[0-9]{2}"
_LIKE_A_DATE = (
    rf"^(?:{_YEAR}[-/.]{_MONTH}[-/.]{_DAY}|{_DAY}[-/.]{_DAY}[-/.]{_YEAR}|{_DAY}\.?[ -]\pL{{3,10}}\.?[ -]{_YEAR}"
    rf"|\pL{{3,10}}\.? {_DAY}(?:st|nd|rd|th)?,? {_YEAR})(?:\D|$)"
)
_NEARLY_ALL = 0.9
_NUMBERS = {"%Y%m%d": 8, "%Y%m%d%H%M": 12, "%Y%m%d%H%M%S": 14}
"""Formats of digits only, and their number of digits."""
_FEW = 3
"""Number of different values above which valid days are no coincidence."""
_YEARS = (np.datetime64("1900-01-01").astype("datetime64[s]").astype(int), 4_102_444_800)
_EPOCH_YEARS = (946_684_800, 2_524_608_000)
"""2000 to 2049: the range of plausible numbers that count from 1970."""
_NAMES = frozenset(
    [
        "date",
        "dates",
        "datetime",
        "time",
        "times",
        "timestamp",
        "timestamps",
        "stamp",
        "day",
        "days",
        "dt",
        "ts",
        "epoch",
        "unix",
        "utc",
        "datum",
        "zeit",
        "tag",
        "fecha",
        "jour",
        "created",
        "updated",
        "modified",
        "at",
        "when",
        "month",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dates:
    """The format of the dates of a column."""

    format: str
    note: str = ""
    """An example of how a value is read, if several readings were possible; else empty."""
    mistake: Mistake | None = None
    like: str = ""
    """The format without the optional parts that the first date lacks."""
    first_rules: bool = False

    def seconds(self, texts: pl.Series) -> Floats:
        """(N,) seconds since 1970, NaN if a text does not fit the format."""
        return by_polars(texts, self.format) if self.first_rules else seconds_of(texts, self.format)


def find(name: str, there: pl.Series, *, first_rules: bool = False) -> Dates | None:
    """The format of the values (N,) of a text column, stripped and without missing ones; None if they are not dates."""
    if first_rules:
        return _by_first_rules(name, there)
    sample = _sample(there)
    if sample.str.contains("[0-9]").mean() <= _LIKELY:  # type: ignore[operator]  # of texts it is a number
        return None
    likely = [format for format in _candidates(sample.to_list()) if _share(seconds_of(sample, format)) > _LIKELY]
    return _best(name, there, {format: seconds_of(there, format) for format in likely})


def find_numbers(name: str, there: pl.Series, *, asked: bool) -> Dates | None:
    """The format of integers (N,) that are dates, such as 20240131 or seconds since 1970; None if they are not dates.

    Args:
        asked: whether the document says that the column holds dates.
    """
    if not len(there):
        return None
    head, named = there.head(_SAMPLE).cast(pl.String), asked or is_named_so(name)
    least = _NEARLY_ALL if named else 1.0
    if _matching(head, "6,19") < least:
        return None
    texts = there.cast(pl.String)
    for format, digits in _NUMBERS.items():
        if _matching(head, str(digits)) < least:
            continue
        at = seconds_of(texts, format)
        days = (at >= _YEARS[0]) & (at < _YEARS[1])
        if days.mean() >= least and (named or len(np.unique(at)) >= _FEW):
            row = int(days.argmax())
            return _number(name, str(texts[row]), format, at[row], asked)
    if not named or _matching(head, "6,19") < 1:
        return None
    if asked and texts.str.contains("^[0-9]{6}$").all() and _within(at := seconds_of(texts, "%Y%m"), *_YEARS):
        return Dates(format="%Y%m", like="%Y%m")
    for format in EPOCHS:
        at = seconds_of(texts, format)
        if _within(at, *_EPOCH_YEARS) and (asked or at.min() < at.max()):
            return _number(name, str(texts[0]), format, at[0], asked)
    return None


def look_like_dates(there: pl.Series) -> bool:
    """Whether nearly all values (N,) start like dates, although no format fits most of them."""
    return bool(_sample(there).str.contains(_LIKE_A_DATE).mean() > _NEARLY_ALL)  # type: ignore[operator]


def is_named_so(name: str) -> bool:
    """Whether the name of a column suggests dates: `date`, `created_at`, `orderDate`."""
    return any(word.lower() in _NAMES for word in re.findall(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![a-z])", name))


def no_dates(name: str, example: str, otherwise: str = "") -> Mistake:
    """The mistake of a column that no format fits."""
    fix = f'Set it to their format, such as "%d.%m.%y"{f", or {otherwise}" if otherwise else ""}.'
    return Mistake("data.date_format", f"the column {name!r} holds {example}", "expected dates", fix)


def shown(seconds: float) -> str:
    """A time in ISO 8601; midnight is omitted."""
    moment = datetime(1970, 1, 1) + timedelta(microseconds=round(seconds * 1e6))
    text = moment.isoformat(" ")
    return text.removesuffix(":00").removesuffix(" 00:00")


def _sample(there: pl.Series) -> pl.Series:
    return there.gather(np.unique(np.linspace(0, len(there) - 1, _SAMPLE).astype(np.int64)))


def _candidates(sample: Sequence[str]) -> list[str]:
    """The formats that may fit a sample, with a time of day if some texts have one."""
    days: set[str] = set()
    times: dict[str, int] = {}
    for text in sample:
        found = _TIME.search(text)
        if found is None or found.end() != len(text):
            days.add(text)
            continue
        days.add(text[: found.start()])
        apart = "T" if found["apart"] in "Tt" else ", " if "," in found["apart"] else " "
        time = "%I:%M[:%S] %p" if found["half"] and found["half"][0].isspace() else "%I:%M[:%S]%p"
        written = f"[{apart}{time if found['half'] else '%H:%M[:%S%.f]'}[%z]]"
        times[written] = times.get(written, 0) + 1
    time = max(times, key=lambda written: times[written], default="")
    fitting = [f for f in (*_DAYS, *_MONTHS) if any(_pattern(f).match(day) for day in days)]
    with_time = [f"{f}{time}" for f in fitting if time and f in _DAYS]
    plain = [f for f in (*_COMPACT, *_WHOLE) if any(_pattern(f).match(text) for text in sample)]
    return [*(with_time or fitting), *plain]


def _pattern(format: str) -> re.Pattern[str]:
    pattern = pattern_of(format)
    assert pattern is not None
    return re.compile(pattern)  # re caches compiled patterns


def _best(name: str, there: pl.Series, read: dict[str, Floats]) -> Dates | None:
    """The format that fits most values, with a mistake if several do and give different days."""
    shares = {format: _share(at) for format, at in read.items()}
    best = max(shares.values(), default=0.0)
    if best <= MOST:
        return None
    tied = [format for format in read if shares[format] == best]
    tied = [format for format in tied if not _year_is_elsewhere(there, format)] or tied
    taken = tied[0]
    different = [(f, row) for f in tied[1:] if (row := _read_differently(read[taken], read[f])) is not None]
    if different:
        row = different[0][1]
        readings = {f: read[f][row] for f in tied if np.isfinite(read[f][row])}
        return Dates(format=taken, mistake=_ambiguous(name, there[row], readings))
    row, note = int(np.isfinite(read[taken]).argmax()), ""
    if "%y" in taken or len([f for f in read if shares[f] > _LIKELY]) > 1:
        note = f"{name}: {there[row]} read as {shown(read[taken][row])}"
    format = _with_offsets_alike(taken, there, np.isfinite(read[taken]))
    return Dates(format=format, note=note, like=_as_written(format, there[row]))


def _with_offsets_alike(format: str, there: pl.Series, explained: NDArray[np.bool_]) -> str:
    """The format with an offset in every time or in none, since a time without one is not comparable."""
    if "[%z]" not in format:
        return format
    times = there.filter(pl.Series(explained) & there.str.contains(":", literal=True))
    most = int(times.str.contains(_WITH_OFFSET).sum()) * 2 > len(times)
    return format.replace("[%z]", "%z" if most else "")


def _read_differently(one: Floats, other: Floats) -> int | None:
    rows = np.flatnonzero(np.isfinite(one) & np.isfinite(other) & (one != other))
    return int(rows[0]) if len(rows) else None


def _year_is_elsewhere(there: pl.Series, format: str) -> bool:
    """Whether the two-digit year of this format takes at least twice as many values as its day: then it is the day."""
    if "%y" not in format or "%b" in format:
        return False
    ends = there.str.extract_groups(r"^([0-9]{1,2})\D[0-9]{1,2}\D([0-9]{1,2})").struct.unnest()
    first, last = (ends[name].n_unique() for name in ends.columns)
    return first >= 2 * last if format.startswith("%y") else last >= 2 * first


def _share(at: NDArray[np.float64]) -> float:
    return float(np.isfinite(at).mean()) if len(at) else 0.0


def _matching(texts: pl.Series, digits: str) -> float:
    """Share of the texts that consist of this many digits."""
    return float(texts.str.contains(f"^[0-9]{{{digits}}}$").mean())  # type: ignore[arg-type]  # of texts it is a number


def _within(at: Floats, first: float, last: float) -> bool:
    return bool(np.isfinite(at).all() and at.min() >= first and at.max() < last)


def _number(name: str, example: str, format: str, at: float, asked: bool) -> Dates:
    kept = "" if asked else f' (data.numeric = ["{name}"] reads it as a number)'
    return Dates(format=format, note=f"{name}: {example} read as {shown(at)}{kept}", like=format)


def _ambiguous(name: str, example: str, readings: dict[str, float]) -> Mistake:
    formats = {_as_written(format, example): shown(at) for format, at in readings.items()}
    days = " or ".join(formats.values())
    found = f"the dates of {name!r}, such as {example!r} ({days}), can be read as {' and as '.join(formats)}"
    return Mistake("data.date_format", found, "expected one way to read them", "Set data.date_format to one.")


def _as_written(format: str, example: str) -> str:
    """The format without the optional parts that the example lacks."""
    while "[" in format:
        begin = format.rindex("[")
        end = format.index("]", begin)
        without = format[:begin] + format[end + 1 :]
        matches = _pattern(without).match(example)
        format = without if matches else format[:begin] + format[begin + 1 : end] + format[end + 1 :]
    return format


def _by_first_rules(name: str, there: pl.Series) -> Dates | None:
    sample = there.head(_SAMPLE)
    likely = [format for format in FIRST_FORMATS if _share(by_polars(sample, format)) > MOST]
    read = {format: by_polars(there, format) for format in likely}
    shares = {format: _share(at) for format, at in read.items()}
    best = max(shares.values(), default=0.0)
    tied = [format for format in likely if shares[format] == best and best > MOST]
    if not tied:
        return None
    mistake = _ambiguous(name, there[0], {f: read[f][0] for f in tied}) if len(tied) > 1 else None
    return Dates(format=tied[0], mistake=mistake, like=tied[0], first_rules=True)
