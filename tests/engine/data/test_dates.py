"""Dates in any usual format: read as the moment that they are, by the whole column, or refused with both readings."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_files import series, table, written

from engine.data import Dataset
from engine.data.tables.date_formats import seconds_of
from engine.data.tables.finding_dates import find, find_numbers
from engine.experiment import Refused

EXAMPLES = 2000 if os.environ.get("TORCHDECK_THOROUGH") else 60
START = datetime(2024, 1, 25)
DAYS = [START + timedelta(days=day) for day in range(30)]
TIMES = [START + timedelta(hours=7 * row, minutes=row) for row in range(30)]
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


def named(at: datetime, format: str) -> str:
    """As strftime in English, whatever the machine speaks."""
    month = MONTHS[at.month - 1]
    return f"{at:{format.replace('%B', month).replace('%b', month[:3])}}"


def data_of(values: Sequence[object], tmp_path: Path, name: str = "when", **fields: Any) -> Dataset:
    rows = [[value, row % 7, "ab"[row % 2]] for row, value in enumerate(values)]
    return table(written(tmp_path / "a.csv", rows, (name, "x", "y")), **{"target": "y", **fields})


def read(data: Dataset, name: str = "when") -> list[float]:
    """Seconds of a column of dates."""
    (learned,) = (c for c in data.learned["encoders"]["columns"] if c["column"] == name)
    assert learned["kind"] == "date", learned
    return (data.x[:, data.description.features.index(name)].double() * learned["std"] + learned["mean"]).tolist()


def epochs(moments: Sequence[datetime]) -> list[float]:
    return [(at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() for at in moments]


BERLIN = timezone(timedelta(hours=1))
WRITTEN: dict[str, tuple[Sequence[datetime], Callable[[datetime], str]]] = {
    "dd-mm-yyyy": (DAYS, lambda at: f"{at:%d-%m-%Y}"),
    "mm-dd-yyyy": (DAYS, lambda at: f"{at:%m-%d-%Y}"),
    "ISO": (DAYS, lambda at: f"{at:%Y-%m-%d}"),
    "slashes, year first": (DAYS, lambda at: f"{at:%Y/%m/%d}"),
    "without zeros": (DAYS, lambda at: f"{at.month}/{at.day}/{at.year}"),
    "points": (DAYS, lambda at: f"{at:%d.%m.%Y}"),
    "points, two digits": (DAYS, lambda at: f"{at:%d.%m.%y}"),
    "slashes, two digits": (DAYS, lambda at: f"{at:%m/%d/%y}"),
    "31-Jan-2024": (DAYS, lambda at: named(at, "%d-%b-%Y")),
    "31 January 2024": (DAYS, lambda at: named(at, "%d %B %Y")),
    "January 31, 2024": (DAYS, lambda at: named(at, "%B %d, %Y")),
    "Jan 31, 2024": (DAYS, lambda at: named(at, "%b %d, %Y")),
    "31-Jan-24": (DAYS, lambda at: named(at, "%d-%b-%y")),
    "compact": (DAYS, lambda at: f"{at:%Y%m%d}"),
    "AM and PM": (TIMES, lambda at: f"{at:%m/%d/%Y %I:%M} {'PM' if at.hour >= 12 else 'AM'}"),
    "am and pm": (TIMES, lambda at: f"{at:%m/%d/%Y %I:%M:%S}{'pm' if at.hour >= 12 else 'am'}"),
    "RFC 2822": (TIMES, lambda at: format_datetime(at.replace(tzinfo=UTC))),
    "HTTP": (TIMES, lambda at: format_datetime(at.replace(tzinfo=UTC), usegmt=True)),
    "ISO without seconds, with an offset": (
        TIMES,
        lambda at: f"{at.replace(tzinfo=UTC).astimezone(BERLIN):%Y-%m-%dT%H:%M}+01:00",
    ),
    "mixed offsets": (
        TIMES,
        lambda at: at.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=at.day % 3))).isoformat(),
    ),
    "Z": (TIMES, lambda at: f"{at:%Y-%m-%dT%H:%M:%S}Z"),
    "a name of UTC": (TIMES, lambda at: f"{at:%Y-%m-%d %H:%M:%S} UTC"),
    "fractions": (TIMES, lambda at: f"{at:%Y-%m-%d %H:%M:%S}.{at.minute:03d}"),
    "with and without a time": (TIMES, lambda at: f"{at:%Y-%m-%d}" + (f"{at: %H:%M:%S}" if at.hour else "")),
    "a log": (TIMES, lambda at: named(at, "%d/%b/%Y:%H:%M:%S +0000")),
    "a German time": (TIMES, lambda at: f"{at:%d.%m.%Y, %H:%M}"),
    "compact, with a time": (TIMES, lambda at: f"{at:%Y%m%dT%H%M%S}"),
    "ctime": (TIMES, lambda at: named(at, "%b %d %H:%M:%S %Y")),
    "digits alone": (TIMES, lambda at: f"{at:%Y%m%d%H%M%S}"),
}


@pytest.mark.parametrize(("moments", "write"), WRITTEN.values(), ids=WRITTEN)
def test_a_format_that_explains_the_column_is_read(
    moments: Sequence[datetime], write: Callable[[datetime], str], tmp_path: Path
) -> None:
    values = [write(at) for at in moments]
    expected = epochs(moments)
    if "." in values[0].rpartition(":")[2]:
        expected = [at + moment.minute / 1000 for at, moment in zip(expected, moments, strict=True)]
    if values[3].startswith("2024-01-25 ") and len({len(value) for value in values}) > 1:
        expected = [at if ":" in value else at - at % 86_400 for at, value in zip(expected, values, strict=True)]
    assert read(data_of(values, tmp_path)) == pytest.approx(expected, abs=1)  # of float32 over a month
    rows = [[value, str(row % 5)] for row, value in enumerate(values)]
    again = series(written(tmp_path / "s.csv", rows, ("t", "y")), target="y", time="t", window=3)
    assert again.learned["encoders"]["time"]["column"] == "t"


@pytest.mark.parametrize(
    ("values", "first", "other"),
    [
        (["03/04/2024", "05/06/2024", "07/08/2024"], "%m/%d/%Y", "%d/%m/%Y"),
        (["03-04-2024", "05-06-2024", "07-08-2024"], "%m-%d-%Y", "%d-%m-%Y"),
        (["3/4/2024 10:30", "5/6/2024 11:00", "7/8/2024 9:15"], "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M"),
        (["01/02/2024 10:30 PM", "5/6/2024 11:00 AM"], "%m/%d/%Y %I:%M %p", "%d/%m/%Y %I:%M %p"),
    ],
)
def test_two_readings_are_both_said_and_a_format_decides(
    values: list[str], first: str, other: str, tmp_path: Path
) -> None:
    with pytest.raises(Refused) as refused:
        data_of(values * 10, tmp_path)
    said = str(refused.value)
    days = re.findall(r"2024-\d\d-\d\d", said)
    assert f"{first} and as {other}" in said and days == [days[0], f"2024-{days[0][8:]}-{days[0][5:7]}"]
    assert "Set data.date_format" in said
    month_first, day_first = (read(data_of(values * 10, tmp_path, date_format=f))[0] for f in (first, other))
    assert f"{datetime.fromtimestamp(month_first, UTC):%Y-%m-%d}" == days[0]
    assert f"{datetime.fromtimestamp(day_first, UTC):%Y-%m-%d}" == days[1]


def test_one_day_above_12_settles_all_and_is_said(tmp_path: Path) -> None:
    data = data_of([*["03/04/2024", "05/06/2024"] * 10, "13/01/2024"], tmp_path)
    assert read(data)[0] == pytest.approx(datetime(2024, 4, 3, tzinfo=UTC).timestamp(), abs=100)
    assert any("when: 03/04/2024 read as 2024-04-03" in note for note in data.description.notes)


@pytest.mark.parametrize(
    ("text", "year"),
    [("01.01.24", 2024), ("01.01.69", 1969), ("01.01.68", 2068), ("01.01.99", 1999), ("01.01.00", 2000)],
)
def test_years_of_two_digits_are_those_of_posix(text: str, year: int) -> None:
    (seconds,) = seconds_of(pl.Series([text]), "%d.%m.%y")
    assert datetime(1970, 1, 1) + timedelta(seconds=float(seconds)) == datetime(year, 1, 1)


def test_a_year_of_four_digits_is_never_one_of_two() -> None:
    texts = pl.Series(["24-01-01", "024-01-01", "2024-01-01", "+24-01-01", "12024-01-01"])
    assert np.isfinite(seconds_of(texts, "%Y-%m-%d")).tolist() == [False, False, True, False, False]
    assert np.isnan(seconds_of(pl.Series(["01.01.24"]), "%d.%m.%Y")).all()


def test_a_series_over_the_turn_of_the_century_is_in_order(tmp_path: Path) -> None:
    days = [datetime(1999, 12, 1) + timedelta(days=day) for day in range(62)]
    rows = [[f"{day:%d.%m.%y}", str(row % 5)] for row, day in enumerate(days)]
    data = series(written(tmp_path / "a.csv", rows, ("t", "y")), target="y", time="t", window=3)
    assert data.season == 7
    assert any("t: 01.12.99 read as 1999-12-01" in note for note in data.description.notes)


def test_a_year_at_either_end_is_found_by_how_much_it_changes(tmp_path: Path) -> None:
    days = [datetime(2024, 1, 1) + timedelta(days=day) for day in range(60)]
    for format in ("%d/%m/%y", "%y/%m/%d", "%d-%m-%y", "%y-%m-%d"):
        assert read(data_of([f"{day:{format}}" for day in days], tmp_path)) == pytest.approx(epochs(days), abs=1), (
            format
        )
    with pytest.raises(Refused, match=r"can be read as .*%y"):
        data_of(["03-04-05", "06-07-08", "09-10-11"] * 8, tmp_path)


NUMBERS: dict[str, tuple[str, Callable[[datetime], int], str]] = {
    "days by digits": ("day", lambda at: int(f"{at:%Y%m%d}"), "2024-01-25"),
    "days by digits, under any name": ("x1", lambda at: int(f"{at:%Y%m%d}"), "2024-01-25"),
    "seconds": ("timestamp", lambda at: int(at.replace(tzinfo=UTC).timestamp()), "2024-01-25"),
    "milliseconds": ("createdAt", lambda at: int(at.replace(tzinfo=UTC).timestamp()) * 1000, "2024-01-25"),
    "nanoseconds": ("event_time", lambda at: int(at.replace(tzinfo=UTC).timestamp()) * 10**9, "2024-01-25"),
}


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize(("name", "write", "said"), NUMBERS.values(), ids=NUMBERS)
def test_numbers_that_are_dates_are_read_so_and_it_is_said(
    name: str, write: Callable[[datetime], int], said: str, form: str, tmp_path: Path
) -> None:
    values = [write(day) for day in DAYS]
    frame = {name: values, "x": np.arange(30) % 7, "y": ["a", "b"] * 15}
    if form == "csv":
        pl.DataFrame(frame).write_csv(tmp_path / "n.csv")
    else:
        pl.DataFrame(frame).write_parquet(tmp_path / "n.parquet")
    data = table(tmp_path / f"n.{form}", target="y")
    assert read(data, name) == pytest.approx(epochs(DAYS), abs=1)
    assert any(f"{name}: {values[0]} read as {said} (data.numeric" in note for note in data.description.notes)
    assert f"{name} month sin" not in table(tmp_path / f"n.{form}", target="y", numeric=[name]).description.features


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("amount", [1_706_140_800 + row for row in range(30)]),
        ("day", list(range(30))),
        ("time", [20_241_331 + row for row in range(30)]),
        ("x1", [30_000_000 + row * 7 for row in range(30)]),
        ("year", [1990 + row for row in range(30)]),
    ],
)
def test_numbers_that_are_no_dates_stay_numbers(name: str, values: list[int], tmp_path: Path) -> None:
    data = data_of(values, tmp_path, name, numeric=[])
    assert name not in "".join(note for note in data.description.notes if "Notation" in note)
    assert f"{name} month sin" not in data.description.features


def test_times_of_a_series_that_are_numbers_have_a_season(tmp_path: Path) -> None:
    for step, season in ((3600, 24), (86_400, 7)):
        rows = [[1_706_140_800 + row * step, row % 5] for row in range(60)]
        data = series(written(tmp_path / "a.csv", rows, ("t", "y")), target="y", time="t", window=3)
        assert data.season == season
        assert any("t: 1706140800 read as 2024-01-25" in note for note in data.description.notes)
    rows = [[f"{2000 + m // 12}{m % 12 + 1:02d}", m % 5] for m in range(60)]
    assert series(written(tmp_path / "a.csv", rows, ("t", "y")), target="y", time="t", window=3).season == 12
    rows = [[1949 + row, row % 5] for row in range(60)]
    assert series(written(tmp_path / "a.csv", rows, ("t", "y")), target="y", time="t", window=3).season == 1


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ("2024-02-30", "'2024-02-30' is not a date; expected one like %Y-%m-%d"),
        ("24-02-03", "'24-02-03' is not a date"),
        ("soon", "'soon' is not a date"),
        ("2024-01-05 25:00", "is not a date"),
    ],
)
def test_a_value_that_the_format_does_not_explain_is_a_fault_of_its_row(odd: str, said: str, tmp_path: Path) -> None:
    values = [f"{day:%Y-%m-%d}" for day in DAYS]
    values[6] = odd
    with pytest.raises(Refused, match=re.escape("line 8, column 'when': ") + f".*{said}"):
        data_of(values, tmp_path)


def test_a_time_without_an_offset_among_others_is_a_fault(tmp_path: Path) -> None:
    values = [f"{at:%Y-%m-%d %H:%M}+02:00" for at in TIMES]
    values[4] = values[4].removesuffix("+02:00")
    with pytest.raises(Refused, match=r"line 6, column 'when': .* is not a date; expected one like %Y-%m-%d %H:%M%z"):
        data_of(values, tmp_path)


def test_a_format_of_the_document_may_have_parts_that_may_be_missing(tmp_path: Path) -> None:
    values = [f"{at:%d/%m/%Y}" + (f"{at: %H:%M}" if at.hour else "") for at in TIMES]
    found = read(data_of(values, tmp_path, date_format="%d/%m/%Y[ %H:%M]"))
    expected = [at if ":" in value else at - at % 86_400 for at, value in zip(epochs(TIMES), values, strict=True)]
    assert found == pytest.approx(expected, abs=1)


def test_a_format_that_fits_nothing_is_said_once_with_one_that_fits(tmp_path: Path) -> None:
    values = [f"{day:%Y-%m-%d}" for day in DAYS]
    said = (
        r"\A[^\n]*line 2, .*'2024-01-25' is not a date; expected one like %d\.%m\.%Y; no other value is one either\. "
    )
    with pytest.raises(Refused, match=said + r'Set data\.date_format = "%Y-%m-%d"\.\Z'):
        data_of(values, tmp_path, date_format="%d.%m.%Y", dates=["when"])
    rows = [[value, row % 5] for row, value in enumerate(values)]
    file = written(tmp_path / "s.csv", rows, ("t", "y"))
    with pytest.raises(Refused, match=r'Set data\.date_format = "%Y-%m-%d"\.\Z'):
        series(file, target="y", time="t", window=3, date_format="%d.%m.%Y")


@pytest.mark.parametrize(
    "values",
    [
        ["2024-01-25 10:00 CET", "2024-02-25 11:00 CEST"],
        ["31. Januar 2024", "1. März 2024"],
        ["3 mai 2024", "4 avril 2024"],
        ["2024-01-25", "25.01.2024"],
    ],
)
def test_what_looks_like_a_date_is_no_category(values: list[str], tmp_path: Path) -> None:
    values = values * 15
    with pytest.raises(Refused) as refused:
        data_of(values, tmp_path)
    assert "data.date_format: the column 'when' holds" in str(refused.value)
    assert "data.categorical = ['when']" in str(refused.value)
    assert data_of(values, tmp_path, categorical=["when"]).description.features[0].startswith("when=")


def test_a_name_with_a_year_is_a_category(tmp_path: Path) -> None:
    for values in (["Golf 2004", "Polo 1999", "Golf 2010"], ["Spring 2024", "Fall 2023", "Fall 2024"]):
        assert data_of(values * 8, tmp_path).description.features[0].startswith("when=")


def test_a_number_that_is_no_day_among_days_is_a_fault_of_its_row(tmp_path: Path) -> None:
    values = [int(f"{day:%Y%m%d}") for day in DAYS]
    values[5] = 0
    with pytest.raises(Refused, match=r"line 7, column 'day': '0' is not a date; expected one like %Y%m%d"):
        data_of(values, tmp_path, "day")
    assert "day" in data_of(values, tmp_path, "day", numeric=["day"]).description.features


def test_a_format_of_the_document_leaves_other_columns_to_themselves(tmp_path: Path) -> None:
    rows = [[f"{day:%d/%m/%Y}", f"{day:%Y-%m-%d}", "ab"[row % 2]] for row, day in enumerate(DAYS[8:])]
    file = written(tmp_path / "a.csv", rows, ("sold", "made", "y"))
    data = table(file, target="y", date_format="%d/%m/%Y")
    for name in ("sold", "made"):
        assert read(data, name) == pytest.approx(epochs(DAYS[8:]), abs=1)


FORMATS = [
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d-%b-%Y",
    "%d %B %Y",
    "%B %d, %Y",
    "%b %d, %Y",
    "%Y-%b-%d",
    "%d.%m.%y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d-%b-%y",
    "%Y%m%dT%H%M%S",
]
CLOCKS = ("", " %H:%M", "T%H:%M:%S", " %H:%M:%S.%f", " %I:%M:%S %p", ", %H:%M", "T%H:%M:%SZ")
moments = st.datetimes(datetime(1900, 1, 1), datetime(2099, 12, 31))


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    values=st.lists(moments, min_size=1, max_size=8),
    day=st.sampled_from(FORMATS),
    clock=st.sampled_from(CLOCKS),
)
def test_any_date_in_any_format_reads_back_or_is_refused(values: list[datetime], day: str, clock: str) -> None:
    if "%y" in day:
        values = [at.replace(year=1969 + at.year % 100) if at.day < 29 else at.replace(year=2000) for at in values]
    if "%H" in day:
        clock = ""
    format = (day + clock).replace("%p", "{}")
    texts = pl.Series([named(at, format).format("PM" if at.hour >= 12 else "AM") for at in values])
    dates = find_numbers("when", texts, asked=False) or find("when", texts)
    assert dates is not None, texts.to_list()
    if dates.mistake is not None:
        assert texts[0] in dates.mistake.found or len(values) > 1
        return
    parts = format.replace("{}", "%p")
    exact = [_as_precise(at, parts) for at in values]
    assert dates.seconds(texts).tolist() == exact, (texts.to_list(), dates)


def _as_precise(at: datetime, format: str) -> float:
    """Seconds of what a format writes of a moment."""
    if "%H" not in format and "%I" not in format:
        at = at.replace(hour=0, minute=0)
    at = at.replace(second=at.second if "%S" in format else 0, microsecond=at.microsecond if "%f" in format else 0)
    if "%H" not in format and "%I" not in format:
        at = at.replace(second=0)
    return float((at - datetime(1970, 1, 1)) / timedelta(microseconds=1)) / 1e6
