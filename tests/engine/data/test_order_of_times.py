"""Times that do not ascend: what is said names a clock that was set back, or several series in one file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from table_files import series, written

from engine.experiment import Refused

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def refused(tmp_path: Path, rows: Iterable[Sequence[object]], header: Sequence[str] = ("t", "y")) -> str:
    file = written(tmp_path / "a.csv", rows, header)
    with pytest.raises(Refused) as said:
        series(file, target="y", time="t", window=4)
    return str(said.value)


def local(zone: str, start: datetime, step: timedelta, count: int, format: str = "%Y-%m-%d %H:%M") -> list[list[str]]:
    """Rows whose times are those of a clock on the wall."""
    utc = [start.replace(tzinfo=UTC) + row * step for row in range(count)]
    return [[f"{at.astimezone(ZoneInfo(zone)):{format}}", str(row % 7)] for row, at in enumerate(utc)]


@pytest.mark.parametrize(
    ("zone", "start", "step", "first"),
    [
        ("Europe/Berlin", datetime(2022, 10, 25), HOUR, "2022-10-30 02:00"),
        ("Europe/Berlin", datetime(2022, 10, 29), HOUR / 2, "2022-10-30 02:00"),
        ("America/New_York", datetime(2023, 11, 1), HOUR / 4, "2023-11-05 01:00"),
        ("Australia/Sydney", datetime(2024, 4, 1), HOUR, "2024-04-07 02:00"),
        ("Europe/London", datetime(2021, 10, 30), HOUR / 12, "2021-10-31 01:00"),
    ],
)
def test_a_clock_that_was_set_back_is_named(
    zone: str, start: datetime, step: timedelta, first: str, tmp_path: Path
) -> None:
    said = refused(tmp_path, local(zone, start, step, int(10 * DAY / step)))
    assert said.count("\n") == 0, said
    assert f"{first!r} occurs again, since the clock was set back by an hour" in said
    assert "in UTC or with their offset" in said and "Keep one" not in said


def test_clocks_of_several_years_are_named_once_a_year(tmp_path: Path) -> None:
    said = refused(tmp_path, local("Europe/Berlin", datetime(2020, 1, 1), HOUR, 3 * 366 * 24))
    assert said.count("the clock was set back") == 3 and "occurs twice" not in said


def test_times_with_their_offset_are_read_over_a_clock_that_was_set_back(tmp_path: Path) -> None:
    rows = local("Europe/Berlin", datetime(2022, 10, 25), HOUR, 240, "%Y-%m-%d %H:%M%z")
    data = series(written(tmp_path / "a.csv", rows, ("t", "y")), target="y", time="t", window=4)
    assert data.season == 24 and not any("evenly" in note for note in data.description.notes)


@pytest.mark.parametrize(
    ("at", "count"), [(datetime(2022, 10, 30, 12), 1), (datetime(2022, 7, 3, 2), 1), (datetime(2022, 10, 30, 2), 2)]
)
def test_a_row_that_is_there_twice_elsewhere_is_no_clock(at: datetime, count: int, tmp_path: Path) -> None:
    rows = [[f"{at + (row - 30) * HOUR:%Y-%m-%d %H:%M}", str(row % 7)] for row in range(100)]
    for extra in range(count):
        rows.insert(31 + 24 * extra, list(rows[30 + 24 * extra]))
    said = refused(tmp_path, sorted(rows))
    assert "occurs twice" in said and "Remove one of them" in said and "clock" not in said


def days(name: str, start: int = 0, count: int = 30) -> list[list[str]]:
    return [[f"{datetime(2024, 1, 1) + (start + day) * DAY:%Y-%m-%d}", str(day % 5), name] for day in range(count)]


SEVERAL = {
    "one after the other": [*days("north"), *days("south"), *days("west")],
    "time by time": sorted([*days("north"), *days("south"), *days("west")]),
    "of other spans": [*days("north"), *days("south", 5, 20), *days("west", 10, 40)],
    "of numbers": [*days("1"), *days("2"), *days("3")],
}


@pytest.mark.parametrize("rows", SEVERAL.values(), ids=SEVERAL)
def test_several_series_in_a_file_are_named(rows: list[list[str]], tmp_path: Path) -> None:
    said = refused(tmp_path, rows, ("t", "y", "shop"))
    assert said.count("\n") == 0, said
    assert "contains 3 series, one for each shop" in said and "Select the rows of one shop" in said
    assert "Sort the rows" not in said and "Remove one of them" not in said


def test_several_series_without_a_column_for_them_are_named(tmp_path: Path) -> None:
    rows = [row[:2] for row in SEVERAL["time by time"]]
    assert "each time of t occurs 3 times" in refused(tmp_path, rows)


def test_rows_out_of_order_are_still_named_one_by_one(tmp_path: Path) -> None:
    rows = days("north", count=60)
    rows[40], rows[41] = rows[41], rows[40]
    said = refused(tmp_path, rows, ("t", "y", "shop"))
    assert "line 43, column 't': '2024-02-10' comes after a later time" in said and "series, one for" not in said
