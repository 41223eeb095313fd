"""Series with something wrong in them: what is said names the row, the column or the time, and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from table_files import series

from engine.experiment import Refused

HEAD = "day,sold,heat\n"
LENGTH = 100
START = datetime(2024, 1, 1)
ROWS = [[f"{START + timedelta(days=row):%Y-%m-%d}", f"{50 + row % 7}.5", f"{row % 11}"] for row in range(LENGTH)]


def text(*changes: tuple[int, int, str], rows: list[list[str]] = ROWS, head: str = HEAD) -> bytes:
    """A series in which fields, by line from 1 and column from 0, are replaced."""
    copied = [list(row) for row in rows]
    for line, column, value in changes:
        copied[line - 2][column] = value
    return (head + "".join(",".join(row) + "\n" for row in copied)).encode()


def every(column: int, value: Callable[[int], str]) -> bytes:
    return text(*((line, column, value(line)) for line in range(2, LENGTH + 2)))


def at(change: Callable[[int], datetime], format: str = "%Y-%m-%d") -> bytes:
    return every(0, lambda line: f"{change(line - 2):{format}}")


def parquet(**columns: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        pl.DataFrame({"sold": np.arange(60) % 7 * 0.5, **columns}).write_parquet(path)

    return write


SWAPPED = [*ROWS[:40], ROWS[41], ROWS[40], *ROWS[42:]]
REFUSED: list[tuple[str, str, bytes | Callable[[Path], None], dict[str, Any], str]] = [
    # The file.
    ("zero bytes", "a.csv", b"", {}, "it is empty; expected rows"),
    ("only a header", "a.csv", HEAD.encode(), {}, "it has column names but no rows"),
    ("a short row", "a.csv", text() + b"2024-05-01\n", {}, "line 102 has 1 field; expected 3 as in line 1"),
    ("not UTF-8", "a.csv", text((9, 2, "3°")).decode().encode("latin-1"), {}, "line 9 has 0xb0, which is no UTF-8"),
    ("no such file", "b.csv", lambda p: None, {}, "there is no such file"),
    ("a folder", "a.csv", lambda p: p.mkdir(), {}, "it is a folder; expected a file"),
    ("no header", "a.csv", b"1,2,3\n4,5,6\n", {}, "line 1 contains numbers"),
    ("a Parquet that is none", "a.parquet", b"PAR1" + bytes(64), {}, "it cannot be read .*expected Parquet"),
    # Names.
    (
        "no target",
        "a.csv",
        text(),
        {"target": None},
        "data.target .*it is not set; expected one or several .* day, sold",
    ),
    ("no targets", "a.csv", text(), {"target": []}, "data.target .*it is not set"),
    ("a misspelt target", "a.csv", text(), {"target": "slod"}, "data.target: 'slod' is not a column .*mean sold?"),
    ("a misspelt feature", "a.csv", text(), {"features": ["haet"]}, "data.features: 'haet' .*mean heat?"),
    ("a misspelt time", "a.csv", text(), {"time": "days"}, "data.time: 'days' .*mean day?"),
    ("a target twice", "a.csv", text(), {"target": ["sold", "sold"]}, "'sold' is listed twice"),
    ("a target that is a feature", "a.csv", text(), {"features": ["sold"]}, "'sold' is in data.target too"),
    ("a time that is a target", "a.csv", text(), {"target": "day"}, "'day' is in data.target too"),
    # Times.
    (
        "two rows swapped",
        "a.csv",
        text(rows=SWAPPED),
        {},
        "line 43, column 'day': '2024-02-10' comes after a later time",
    ),
    ("a day twice", "a.csv", text((30, 0, "2024-01-28")), {}, "line 30, column 'day': '2024-01-28' occurs twice"),
    ("newest first", "a.csv", text(rows=ROWS[::-1]), {}, "the times of 'day' run backwards; .*Sort the rows by day"),
    ("no time", "a.csv", text((8, 0, "")), {}, "line 8, column 'day': the time is missing"),
    ("no times at all", "a.csv", every(0, lambda line: "NA"), {}, "line 2, column 'day': the time is missing"),
    ("a day that is none", "a.csv", text((8, 0, "2024-02-30")), {}, "line 8, column 'day': '2024-02-30' is not a date"),
    ("no days", "a.csv", every(0, lambda line: f"day {line}"), {}, "the column 'day' holds 'day 2'; expected dates"),
    (
        "days that can be read in two ways",
        "a.csv",
        at(lambda row: datetime(2024, row // 12 + 1, row % 12 + 1), "%m/%d/%Y"),
        {},
        "can be read as %m/%d/%Y and as %d/%m/%Y; expected one way to read them. Set data.date_format",
    ),
    ("another format", "a.csv", text(), {"date_format": "%d.%m.%Y"}, "is not a date; expected one like %d.%m.%Y"),
    (
        "a step that is not a number",
        "a.csv",
        every(0, lambda n: "x" if n == 9 else str(n)),
        {},
        "line 9, .*'x' is not a number",
    ),
    # Values.
    (
        "a target of texts",
        "a.csv",
        every(1, lambda line: f"day {line}"),
        {},
        r"\A.*line 2, column 'sold': 'day 2' is not a number, like all others; .* or name another column\.\Z",
    ),
    (
        "a target of decimal commas where points are asked for",
        "a.csv",
        every(1, lambda line: f'"{line},5"'),
        {"decimal": "."},
        r"\A.*line 2, column 'sold': '2,5' has a decimal comma, like all others; .*\Z",
    ),
    ("a text", "a.csv", text((13, 1, "many")), {}, "line 13, column 'sold': 'many' is not a number"),
    (
        "a text as a feature",
        "a.csv",
        text((13, 2, "hot")),
        {"features": ["heat"]},
        "line 13, column 'heat': 'hot' is no",
    ),
    ("infinity", "a.csv", text((13, 1, "inf")), {}, "line 13, column 'sold': 'inf' is not finite"),
    ("a number beyond float64", "a.csv", text((13, 1, "1e400")), {}, "line 13, column 'sold': '1e400' is not finite"),
    ("numbers too large", "a.csv", every(1, lambda line: f"{line}e300"), {}, "the numbers of 'sold' reach"),
    ("a decimal comma", "a.csv", text((13, 1, '"7,5"')), {}, "line 13, column 'sold': '7,5' has a decimal comma"),
    ("a gap", "a.csv", text((13, 1, "")), {}, r"values are missing \(sold 1\), the first of them in line 13"),
    (
        "NaN",
        "a.csv",
        text((13, 1, "NaN"), (9, 2, "?")),
        {"features": ["heat"]},
        r"\(sold 1 \('NaN'\), heat 1 \('\?'\)\), .* in line 9",
    ),
    (
        "a gap at the start",
        "a.csv",
        text((2, 1, "")),
        {"missing": "previous"},
        "line 2, .*the value is missing, and so is every value before",
    ),
    (
        "always the same",
        "a.csv",
        every(1, lambda line: "4"),
        {},
        "every sold of the training part is 4; expected numbers",
    ),
    ("NaN in Parquet", "a.parquet", parquet(z=[np.nan] * 60), {"target": "z", "time": None}, r"are missing \(z 60\)"),
    (
        "days as a target",
        "a.parquet",
        parquet(z=[START] * 60),
        {"target": "z", "time": None},
        "'z' is of the type Datetime",
    ),
    ("lists", "a.parquet", parquet(z=[[1.0]] * 60), {"target": "z", "time": None}, "'z' is of the type List"),
    ("booleans as times", "a.parquet", parquet(z=[True, False] * 30), {"time": "z"}, "row 2|run backwards"),
    # Windows.
    (
        "a window that is too long",
        "a.csv",
        text(),
        {"window": 20},
        "a window of 20 and the 1 to forecast span 21 rows; the",
    ),
    (
        "a horizon that is too long",
        "a.csv",
        text(),
        {"horizon": 30},
        "a window of 10 and the 30 to forecast span 40 rows",
    ),
    ("one row", "a.csv", text(rows=ROWS[:1]), {}, "the shortest part of the series has 0 of 1|has 1"),
    ("folds that are too short", "a.csv", text(), {"fold": "1/20"}, "the shortest part of the series has 4 of 100"),
    ("a window of nothing", "a.csv", text(), {"window": 0}, "data.window"),
    ("a season of nothing", "a.csv", text(), {"season": 0}, "data.season"),
]


@pytest.mark.parametrize(
    ("name", "content", "fields", "said"), [case[1:] for case in REFUSED], ids=[c[0] for c in REFUSED]
)
@pytest.mark.timeout(30)
def test_a_broken_series_is_refused_in_sentences(
    name: str, content: bytes | Callable[[Path], None], fields: dict[str, Any], said: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content(path)
    asked = {"target": "sold", "time": "day", "window": 10, **fields}
    with pytest.raises(Refused) as refused:
        series(path, **{k: v for k, v in asked.items() if v is not None})
    assert re.search(said, str(refused.value)), str(refused.value)
    assert len(refused.value.mistakes) <= 21
    for mistake in refused.value.mistakes:
        assert str(mistake).startswith("data.") and str(mistake).endswith((".", "?"))


def gap(row: int) -> datetime:
    return START + timedelta(days=row + 5 * (row >= 50))


NOTED: list[tuple[str, bytes, dict[str, Any], str]] = [
    (
        "a gap in time",
        at(gap),
        {},
        "The times of day are not evenly spaced: 1 day is usual, but there are 6 days before line 52.",
    ),
    ("no column of times", text(), {"time": None}, "Rows are used in the order of the file"),
    (
        "a gap that is filled",
        text((13, 1, "")),
        {"missing": "previous"},
        "Missing values (sold 1) are replaced by the value before them.",
    ),
    (
        "a feature that is always the same",
        every(2, lambda line: "4"),
        {"features": ["heat"]},
        "heat is 4 in all of the training part",
    ),
]


@pytest.mark.parametrize(("content", "fields", "said"), [case[1:] for case in NOTED], ids=[case[0] for case in NOTED])
def test_an_odd_series_is_used_and_what_is_odd_is_said(
    content: bytes, fields: dict[str, Any], said: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    asked = {"target": "sold", "time": "day", "window": 10, **fields}
    data = series(tmp_path / "a.csv", **{k: v for k, v in asked.items() if v is not None})
    assert any(said in note for note in data.description.notes), data.description.notes
    assert data.x[:].isfinite().all()


def test_uneven_times_have_no_season(tmp_path: Path) -> None:
    weekdays = [START + timedelta(days=7 * (row // 5) + row % 5) for row in range(LENGTH)]
    (tmp_path / "a.csv").write_bytes(at(weekdays.__getitem__))
    data = series(tmp_path / "a.csv", target="sold", time="day", window=10)
    assert data.season == 1
    assert any("3 days before line 7; 3 days before line 12" in note for note in data.description.notes)
