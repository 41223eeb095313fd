"""Tables with something wrong in them: what is said names the file, the row or the column, and what to do."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from table_files import HEADER, people, table, written

from engine.experiment import Refused

HEAD = ",".join(HEADER) + "\n"
ROWS = [",".join(row) + "\n" for row in people()]


def text(*changes: tuple[int, str], head: str = HEAD) -> bytes:
    """A table in which lines, counted from 1, are replaced."""
    lines = [head, *ROWS]
    for line, new in changes:
        lines[line - 1] = new
    return "".join(lines).encode()


def cell(line: int, column: str, value: str) -> tuple[int, str]:
    """A change of one value."""
    row = ROWS[line - 2].rstrip("\n").split(",")
    row[HEADER.index(column)] = value
    return line, ",".join(row) + "\n"


def every(column: str, value: Callable[[int], str] | str) -> bytes:
    """A table in which a column has one value, or one for each line."""
    return text(*(cell(line, column, value if isinstance(value, str) else value(line)) for line in range(2, 62)))


def parquet(**columns: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        pl.DataFrame({"x": np.arange(20) * 0.5, "y": ["a", "b"] * 10, **columns}).write_parquet(path)

    return write


LONG = "x" * (1 << 25)
REFUSED: list[tuple[str, str, bytes | Callable[[Path], Any], dict[str, Any], str]] = [
    # The form of the file.
    ("zero bytes", "a.csv", b"", {}, "a.csv: it is empty; expected rows"),
    ("blank lines", "a.csv", b"\n\n\n", {}, "it contains only blank lines; expected column names"),
    ("only a header", "a.csv", HEAD.encode(), {}, "it has column names but no rows"),
    ("a short row", "a.csv", text((7, "1,Bonn\n")), {}, "line 7 has 2 fields; expected 5 as in line 1. Add"),
    ("a long row", "a.csv", text((9, "1,Bonn,x,true,cat,\n")), {}, "line 9 has 6 fields; expected 5 .*Quote fields"),
    ("two short rows", "a.csv", text((4, "1\n"), (5, "2\n")), {}, "line 4 has 1 field; .*\n.*line 5 has 1 field;"),
    (
        "a short row below a line break in quotes",
        "a.csv",
        text(cell(3, "city", '"Bo\nnn"'), (5, "1\n")),
        {},
        "line 6 has 1 field; expected 5",
    ),
    ("forty short rows", "a.csv", text(*((i, "1\n") for i in range(2, 42))), {}, "20 more lines have faults"),
    ("an open quote", "a.csv", text(cell(8, "city", '"Bonn')), {}, r"line 8 cannot be parsed \(.*Close its quotes"),
    ("text behind a quote", "a.csv", text(cell(8, "city", '"Bo"nn')), {}, "line 8 cannot be parsed"),
    ("a name twice", "a.csv", text(head="age,city,age,member,species\n"), {}, "line 1 names 'age' in the columns 1, 3"),
    ("no header", "a.csv", b"1,2,3\n4,5,6\n", {}, r"line 1 contains numbers \(1, 2, 3\); expected the names"),
    (
        "Latin-1",
        "a.csv",
        text().decode().encode("latin-1"),
        {},
        r"has 0xf6, which is no UTF-8, at byte \d+ of the file",
    ),
    ("half a character at the end", "a.csv", text()[:-1] + b"\xc3", {}, "half a character at byte"),
    ("UTF-16", "a.csv", text().decode().encode("utf-16"), {}, "it is UTF-16; expected text in UTF-8"),
    ("a zip file", "a.csv", b"PK\x03\x04" + bytes(100), {}, "it is zip; expected text in UTF-8"),
    ("a gzip file", "a.csv", b"\x1f\x8b\x08" + bytes(100), {}, "it is gzip; expected text in UTF-8"),
    ("a null byte", "a.csv", text(cell(3, "city", "Bo\0nn")), {}, "line 3 has a null byte at byte"),
    ("a field without end", "a.csv", lambda p: p.write_text(f"x,y\n1,{LONG}\n"), {}, "line 2 cannot be parsed"),
    (
        "another delimiter than was said",
        "a.csv",
        text().replace(b",", b";"),
        {"delimiter": ","},
        "line 1 has no comma, but a semicolon 4 times; expected columns separated by a comma. Set data.delimiter",
    ),
    ("a name without an ending", "table", text(), {}, r"its name has no ending; expected \.csv"),
    ("an ending that is none", "a.xlsx", text(), {}, r"its name ends in \.xlsx; expected \.csv"),
    ("a folder", "a.csv", lambda p: p.mkdir(), {}, "it is a folder; expected a file"),
    ("a pipe", "a.csv", lambda p: os.mkfifo(p), {}, "it is a device or a pipe"),
    ("a link to nothing", "a.csv", lambda p: p.symlink_to("nowhere"), {}, "there is no such file"),
    ("a loop of links", "a.csv", lambda p: p.symlink_to(p), {}, r"it cannot be read \(.*links"),
    ("no file, but one of like name", "b.csv", lambda p: p.with_name("bb.csv").touch(), {}, "Did you mean .*bb.csv?"),
    # JSON lines and Parquet.
    ("no JSON", "a.jsonl", b'{"age": 1}\nnonsense\n', {}, "line 2 is not JSON .*expected an object"),
    ("JSON over several lines", "a.json", b'[\n{"age": 1}\n]\n', {}, "line 1 is not JSON .* one object per line"),
    ("a list", "a.jsonl", b'{"age": 1}\n[1]\n', {}, "line 2 is a list; expected an object"),
    ("a key that the first line has not", "a.jsonl", b'{"x": 1}\n{"x": 1, "z": 2}\n', {}, "line 2 has 'z'; expected"),
    ("a key twice", "a.jsonl", b'{"x": 1}\n{"x": 1, "x": 2}\n', {}, "line 2 has the key 'x' twice"),
    ("an object within", "a.jsonl", b'{"x": 1}\n{"x": {"z": 2}}\n', {}, "line 2 has a list or an object as 'x'"),
    ("brackets without end", "a.jsonl", b"[" * 100_000, {}, "line 1 is not JSON"),
    ("a Parquet that is none", "a.parquet", b"PAR1" + bytes(100), {}, "it cannot be read .*expected Parquet"),
    ("a Parquet cut short", "a.parquet", lambda p: (parquet()(p), os.truncate(p, 300)), {"target": "y"}, "cannot be"),
    ("no rows in Parquet", "a.parquet", lambda p: pl.DataFrame({"x": []}).write_parquet(p), {}, "it has no rows"),
    ("lists", "a.parquet", parquet(z=[[1, 2]] * 20), {"target": "y"}, "column 'z' is of the type List"),
    ("a target of lists", "a.parquet", parquet(z=[[1, 2]] * 20), {"target": "z"}, "column 'z' is of the type List"),
    (
        "infinity",
        "a.parquet",
        parquet(z=[1.0] * 19 + [np.inf]),
        {"target": "y"},
        "row 20, column 'z': inf is not finite",
    ),
    ("NaN", "a.parquet", parquet(z=[1.0] * 19 + [np.nan]), {"target": "y"}, r"1 of 20 rows .*\(z 1\).* row 20 of"),
    # Names of columns.
    (
        "no target",
        "a.csv",
        text(),
        {"target": None},
        "data.target .*it is not set; expected one of the columns age, city",
    ),
    ("a misspelt target", "a.csv", text(), {"target": "specie"}, "'specie' is not a column of .*Did you mean species?"),
    ("a misspelt feature", "a.csv", text(), {"features": ["aeg"]}, "data.features: 'aeg' is not .*mean age?"),
    ("a misspelt group", "a.csv", text(), {"group": "citi"}, "data.group: 'citi' .*mean city?"),
    ("the target as a feature", "a.csv", text(), {"features": ["species"]}, "'species' is the target"),
    ("no column left", "a.csv", text(), {"exclude": list(HEADER[:4])}, "no feature column is left"),
    ("two kinds", "a.csv", text(), {"numeric": ["city"], "dates": ["city"]}, "'city' is in data.numeric too"),
    # Values.
    (
        "a text where numbers are",
        "a.csv",
        text(cell(12, "age", "forty")),
        {},
        "line 12, column 'age': 'forty' is not a num",
    ),
    (
        "texts where numbers were promised",
        "a.csv",
        text(),
        {"numeric": ["city"]},
        "line 2, column 'city': '.*' is not a num",
    ),
    ("infinity as a text", "a.csv", text(cell(5, "age", "-inf")), {}, "line 5, column 'age': '-inf' is not finite"),
    (
        "a number beyond float64",
        "a.csv",
        text(cell(5, "age", "1e999")),
        {},
        "line 5, column 'age': '1e999' is not finite",
    ),
    ("numbers too large", "a.csv", every("age", lambda i: f"{i}e300"), {}, "of 'age' reach"),
    ("a decimal comma", "a.csv", text(cell(6, "age", '"3,5"')), {}, "line 6, column 'age': '3,5' has a decimal comma"),
    (
        "a date that is none",
        "a.csv",
        text(cell(4, "born", "1999-13-01")),
        {},
        "line 4, column 'born': '1999-13-01' is not a d",
    ),
    (
        "dates that can be read in two ways",
        "a.csv",
        every("born", lambda i: f"0{i % 9 + 1}/0{i % 7 + 1}/1999"),
        {},
        "can be read as %m/%d/%Y and as %d/%m/%Y",
    ),
    (
        "a format that does not fit",
        "a.csv",
        text(),
        {"dates": ["born"], "date_format": "%d.%m.%Y"},
        "is not a date; expected one like %d.%m.%Y",
    ),
    ("a format without a sign", "a.csv", text(), {"date_format": "YYYY-MM"}, "data.date_format: 'YYYY-MM'; expected"),
    (
        "a missing value",
        "a.csv",
        text(cell(9, "age", "")),
        {},
        r"1 of 60 rows have missing values \(age 1\), .* line 9 of",
    ),
    (
        "missing values",
        "a.csv",
        text(cell(9, "age", "NA"), cell(10, "city", "?"), cell(11, "age", "nan")),
        {},
        r"3 of 60 rows .*\(age 2 \('NA' 1, 'nan' 1\), city 1 \('\?'\)\).*leaves 57 rows",
    ),
    (
        "a missing target",
        "a.csv",
        text(cell(9, "species", "")),
        {},
        "1 of 60 rows have no species, the first of them in line 9",
    ),
    ("no row complete", "a.csv", every("age", ""), {"missing": "drop"}, "no row of the training part is complete"),
    ("one class", "a.csv", every("species", "cat"), {}, "every species is 'cat'; expected at least two"),
    (
        "a class for nearly each row",
        "a.csv",
        every("species", lambda i: f"cat {i}"),
        {},
        "species has 60 different values in 60 rows",
    ),
    ("a quantity of text", "a.csv", text(), {"task": "regression"}, "line 2, column 'species': '.*' is not a number"),
    (
        "a quantity that is always the same",
        "a.csv",
        every("age", "4.5"),
        {"target": "age"},
        "every age of the training part is 4.5",
    ),
    (
        "a name for each row",
        "a.csv",
        every("city", lambda i: f"Town {i}"),
        {"most_categories": 40},
        "column 'city' has 48 different texts in 48 rows of the training part; expected at most 40",
    ),
    (
        "nothing that differs",
        "a.csv",
        text(),
        {"features": ["member"], "missing": "drop", "missing_values": ["true"]},
        "no column differs from row to row",
    ),
]


@pytest.mark.parametrize(
    ("name", "content", "fields", "said"), [case[1:] for case in REFUSED], ids=[c[0] for c in REFUSED]
)
@pytest.mark.timeout(30)
def test_a_broken_table_is_refused_in_sentences(
    name: str, content: bytes | Callable[[Path], Any], fields: dict[str, Any], said: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content(path)
    asked = {k: v for k, v in {"target": "species", **fields}.items() if v is not None}
    with pytest.raises(Refused) as refused:
        table(path, **asked)
    assert re.search(said, str(refused.value)), str(refused.value)
    assert len(refused.value.mistakes) <= 21
    for mistake in refused.value.mistakes:
        assert str(mistake).startswith("data.") and str(mistake).endswith((".", "?"))


NOTED: list[tuple[str, bytes, dict[str, Any], str]] = [
    (
        "a label that occurs once",
        text(cell(9, "species", "axolotl")),
        {},
        "The label 'axolotl' of species occurs only once",
    ),
    ("a constant column", every("age", "4.5"), {}, "age is 4.5 in all of the training part and is left out"),
    ("one category", every("city", "Bonn"), {}, "city is 'Bonn' in all of the training part"),
    ("an empty column", every("age", ""), {"missing": "mean"}, "age has no value in the training part"),
    ("one date", every("born", "1999-01-01"), {}, "born is the same date"),
    (
        "a column without a name",
        text(head="age,,born,member,species\n"),
        {},
        "columns without a name are called column 2 and are not features",
    ),
    (
        "a missing target and a rule",
        text(cell(9, "species", "")),
        {"missing": "mean"},
        "1 row without species is left out",
    ),
    ("another delimiter", text().replace(b",", b"|"), {}, "columns are separated by a bar"),
    (
        "few whole numbers",
        every("species", lambda i: str(i % 3)),
        {},
        "3 different whole numbers and is read as classes",
    ),
    ("unequal classes", text(*(cell(i, "species", "cat") for i in range(2, 52))), {}, "Classes are imbalanced"),
]


@pytest.mark.parametrize(("content", "fields", "said"), [case[1:] for case in NOTED], ids=[case[0] for case in NOTED])
def test_an_odd_table_is_used_and_what_is_odd_is_said(
    content: bytes, fields: dict[str, Any], said: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    data = table(tmp_path / "a.csv", **{"target": "species", **fields})
    assert any(said in note for note in data.description.notes), data.description.notes
    assert data.x.isfinite().all()


def test_a_file_of_a_part_is_held_to_the_columns_and_classes_of_the_first(tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", people())
    other = written(tmp_path / "b.csv", [row[1:] for row in people(5)], HEADER[1:])
    with pytest.raises(Refused, match=r"data\.validation_path .*b\.csv: it has no column 'age'"):
        table(file, target="species", validation_path=str(other))
    rows = people(5)
    rows[3][4], rows[2][0] = "axolotl", "old"
    written(other, rows)
    with pytest.raises(
        Refused, match=r"b\.csv: line 5, column 'species': 'axolotl' is not a class of the training file"
    ):
        table(file, target="species", test_path=str(other))
    rows[3][4] = "cat"
    written(other, rows)
    with pytest.raises(Refused, match=r"b\.csv: line 4, column 'age': 'old' is not a number"):
        table(file, target="species", test_path=str(other))


def test_a_file_that_may_not_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path / "a.csv", people())
    file.chmod(0)
    if os.access(file, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(Refused, match=r"it cannot be read \(Permission denied\)"):
        table(file, target="species")
