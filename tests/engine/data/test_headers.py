"""Where the names of the columns stand: below `sep=;`, comments and titles; line numbers are the file's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from table_files import series, table

from engine.data.tables.header import find_header
from engine.experiment import Refused

ROWS = [f"{i * 7 % 40 + 0.5};{i % 5};{('a', 'b')[i % 2]}" for i in range(40)]
NAMES = "x;z;y"


def text(*above: str, names: str = NAMES, rows: list[str] = ROWS, mark: str = ";") -> str:
    return "\n".join([*above, names, *rows, ""]).replace(";", mark)


def file(tmp_path: Path, content: str, name: str = "t.csv") -> Path:
    (tmp_path / name).write_text(content, encoding="utf-8")
    return tmp_path / name


ABOVE = [
    ("sep", "sep=;\n" + text(), "line 1 says that columns are separated by a semicolon"),
    ("sep in quotes", '"sep=,"\n' + text(mark=","), "line 1 says that columns are separated by a comma"),
    ("sep with a byte-order mark", "\ufeffSEP=;\r\n" + text(), "line 1 says that"),
    ("sep of tabs", "sep=\t\n" + text(mark="\t"), "separated by a tab"),
    ("a comment", text("# made by a machine, on a day"), "line 1 is a comment and is left out"),
    ("comments", "# one\n#\n# a;b;c\n" + text(), "3 lines are comments and are left out"),
    ("a title", text("Report of 2024"), "line 1 is a title and is left out ('Report of 2024')"),
    ("a title and a blank line", text("Report of 2024", ""), "line 1 is a title"),
    ("a title of a spreadsheet", text("Report;;"), "line 1 is a title and is left out ('Report;;')"),
    ("two titles", text("Report", "of the year"), "line 2 is a title and is left out ('of the year')"),
    ("all of it", "sep=;\n# note\nReport\n\n" + text(), "line 3 is a title"),
    ("a title above commas", text("Report", mark=","), "line 1 is a title"),
]


@pytest.mark.parametrize(("content", "said"), [case[1:] for case in ABOVE], ids=[case[0] for case in ABOVE])
def test_the_header_is_found_and_what_stands_above_it_is_said(content: str, said: str, tmp_path: Path) -> None:
    data = table(file(tmp_path, content), target="y")
    assert data.description.features == ("x", "z") and len(data.y) == 40
    assert any(said in note for note in data.description.notes), data.description.notes
    plain = table(file(tmp_path, text(), "plain.csv"), target="y")
    assert (data.x == plain.x).all() and data.description.classes == plain.description.classes


@pytest.mark.parametrize("content", [case[1] for case in ABOVE], ids=[case[0] for case in ABOVE])
def test_line_numbers_are_those_of_the_file(content: str, tmp_path: Path) -> None:
    lines = content.replace("\r\n", "\n").split("\n")
    mark = next(mark for mark in ";,\t" if lines[-3].count(mark) == 2)
    lines[-3] = lines[-3].replace(mark, f"{mark}many", 1)
    with pytest.raises(Refused, match=rf"line {len(lines) - 2}, column 'z': 'many\d' is not a number"):
        table(file(tmp_path, "\n".join(lines)), target="y")
    lines[-3] = f"1{mark}2"
    with pytest.raises(Refused, match=rf"line {len(lines) - 2} has 2 fields; expected 3 as in line \d"):
        table(file(tmp_path, "\n".join(lines)), target="y")


PLAIN = [
    ("years as names", "country;2019;2020;y", ["DE;1.5;2.5;a", "FR;3.5;1.5;b"]),
    ("an index without a name", ";x;y", ["0;1.5;a", "1;0.5;b"]),
    ("one name without others", ";x", ["0;1.5", "1;0.5"]),
    ("a name that begins with #", "#chrom;pos;y", ["c1;5;a", "c2;3;b"]),
    ("names of texts that begin with #", "#text;label", ["hello there;a", "and you;b"]),
    ("months as names", "2019-01;2019-02", ["1.5;2.5", "0.5;7.5"]),
    ("a column of its own", "value", ["1,5", "2,5"]),
    ("texts", "text;label", ["hello there;a", "and you;b"]),
    ("a line break in a name", '"x\nx";y', ["1.5;a", "2.5;b"]),
    ("blank lines", "\n\nx;y", ["1.5;a", "2.5;b"]),
    ("a name twice as a value", "cat;size;y", ["dog;1.5;a", "cat;2.5;b"]),
]


@pytest.mark.parametrize(("names", "rows"), [case[1:] for case in PLAIN], ids=[case[0] for case in PLAIN])
def test_a_first_line_of_names_is_the_header(names: str, rows: list[str]) -> None:
    lines = [f"{line}\n" for line in "\n".join([names, *rows]).split("\n")]
    header = find_header(lines, "auto")
    assert header is not None and not header.missing and not header.notes
    assert header.line == 1 + names.startswith("\n\n") * 2


WITHOUT = [
    ("numbers", "5.1;3.5;1.4\n4.9;3.0;1.3\n", r"contains numbers \(5.1, 3.5, 1.4\)"),
    ("the irises", "5.1;3.5;setosa\n4.9;3.0;setosa\n7.0;3.2;versicolor\n", r"contains values \(5.1, 3.5, setosa\)"),
    ("a number twice", "1.83;1.83;b\n1.7;0.2;m\n", r"contains values \(1.83, 1.83, b\)"),
    ("below sep", "sep=;\n5.1;3.5;setosa\n4.9;3.0;setosa\n", r"line 2 contains values"),
    ("dates", "2024-01-02;3;cat\n2024-01-03;4;dog\n2024-01-04;5;cat\n", r"contains values \(2024-01-02, 3, cat\)"),
]


@pytest.mark.parametrize(("content", "said"), [case[1:] for case in WITHOUT], ids=[case[0] for case in WITHOUT])
def test_a_file_without_a_header_is_said_to_be_that(content: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        table(file(tmp_path, content), target="y")
    (mistake,) = refused.value.mistakes
    assert "it has no header: " in mistake.found
    assert re.search(said, mistake.found)
    assert "Add a line with the column names before it" in mistake.fix


def test_equal_names_are_refused_with_their_line(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"line 3 names 'x' in the columns 1, 3; expected a name once"):
        table(file(tmp_path, text("sep=;", "# note", names="x;z;x")), target="x")


def test_comments_between_the_rows_are_left_out_and_said(tmp_path: Path) -> None:
    rows = [*ROWS[:3], "# half of it", *ROWS[3:], "# the end"]
    data = table(file(tmp_path, text("# note", rows=rows)), target="y")
    assert len(data.y) == 40
    assert any("t.csv: line 6 and 1 more are left out, as comments." in note for note in data.description.notes)


@pytest.mark.parametrize("names", ["x;y", "x;z;w;y"])
def test_rows_that_all_have_other_fields_are_one_mistake(names: str, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        table(file(tmp_path, text(names=names)), target="y")
    (mistake,) = refused.value.mistakes
    assert f"line 1 has {names.count(';') + 1} fields, and every line below it has 3" in mistake.found


def test_a_series_is_read_below_a_title(tmp_path: Path) -> None:
    rows = [f"2024-01-{i + 1:02d};{i % 7 + 0.5}" for i in range(31)]
    data = series(file(tmp_path, text("Sales", names="day;sold", rows=rows)), target="sold", time="day", window=3)
    assert data.description.targets == ("sold",)
