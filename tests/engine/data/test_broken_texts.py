"""Texts with something wrong: what is said names the file, the row or the column, what was found and what to do."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import warm_torchdeck
from text_files import folder, imdb, reviews, texts, written

from engine.experiment import Refused

ROWS = "".join(f'"{text}",{label}\n' for text, label in reviews())
HEAD = "text,label\n"
NUMBERS = [(i, "pos" if i % 2 else "neg") for i in range(20)]


def csv(*more: str, head: str = HEAD) -> bytes:
    """Reviews, and lines behind them: the first of those is line 22."""
    return (head + ROWS + "".join(more)).encode()


def lines(*more: str) -> bytes:
    """JSON lines, and others behind them: the first of those is line 21."""
    whole = [f'{{"text": "{text}", "label": "{label}"}}\n' for text, label in reviews()]
    return "".join([*whole, *more]).encode()


def parquet(**columns: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        plain = {"text": [text for text, _ in reviews()], "label": [label for _, label in reviews()]}
        pl.DataFrame({**plain, **columns}).write_parquet(path)

    return write


def every(label: Callable[[int], str]) -> bytes:
    return (HEAD + "".join(f'"{text}",{label(i)}\n' for i, (text, _) in enumerate(reviews()))).encode()


# (what it is, file, content, parameters, what is said)
FILES: list[tuple[str, str, bytes | Callable[[Path], Any], dict[str, Any], str]] = [
    ("zero bytes", "a.csv", b"", {}, r"a\.csv: it is empty; expected rows"),
    ("only a header", "a.csv", HEAD.encode(), {}, "it has column names but no rows"),
    ("blank lines", "a.csv", b"\n\n", {}, "it contains only blank lines"),
    ("no ending", "reviews", csv(), {}, r"its name has no ending; expected \.csv"),
    ("another ending", "a.xlsx", csv(), {}, r"its name ends in \.xlsx; expected \.csv"),
    ("latin-1", "a.csv", csv('"schöner Film",pos\n').decode().encode("latin-1"), {}, r"line 22 has 0xf6, .* at byte 7"),
    ("UTF-16", "a.csv", csv().decode().encode("utf-16"), {}, "it is UTF-16; expected text in UTF-8"),
    ("gzip", "a.csv", b"\x1f\x8b\x08\0" + bytes(60), {}, "it is gzip; expected text in UTF-8"),
    ("half a character at the end", "a.csv", csv() + "é".encode()[:1], {}, "half a character"),
    ("a null byte", "a.csv", csv('"a\0b",pos\n'), {}, r"line 22 has a null byte at byte \d+"),
    (
        "a short row",
        "a.csv",
        csv("alone\n"),
        {},
        "line 22 has 1 field; expected 2 as in line 1. Add the missing",
    ),
    (
        "a comma without quotes",
        "a.csv",
        csv("well, well,pos\n"),
        {},
        "line 22 has 3 fields; .* Quote fields that contain",
    ),
    ("quotes that do not end", "a.csv", csv('"endless,pos\n'), {}, "line 22 cannot be parsed"),
    ("a huge line", "a.csv", csv('"' + "x" * (1 << 25) + '",pos\n'), {}, r"line 22 cannot be parsed \(field larger"),
    (
        "another name of a column",
        "a.csv",
        csv(head="txet,label\n"),
        {},
        r"data\.text: 'text' is not .* Did you mean txet",
    ),
    ("no label column", "a.csv", csv(head="text,lable\n"), {}, r"data\.target: 'label' is not .* Did you mean lable\?"),
    ("neither column", "a.csv", csv(head="a,b\n"), {}, r"(?s)data\.text: 'text' is not.*data\.target: 'label' is not"),
    (
        "no header",
        "a.csv",
        ROWS.encode(),
        {},
        r"data\.text: 'text' is not a column of .*; expected one of a lovely film",
    ),
    ("a group that is no column", "a.csv", csv(), {"group": "author"}, r"data\.group: 'author' is not a column"),
    ("one column twice", "a.csv", csv(), {"target": "text"}, r"data\.target: 'text' is data\.text too"),
    ("a name twice", "a.csv", csv(head="text,text\n"), {}, "line 1 names 'text' in the columns 1, 2"),
    ("the wrong delimiter", "a.csv", csv(), {"delimiter": ";"}, 'line 1 has no semicolon, .*data.delimiter = ","'),
    (
        "a text that is empty",
        "a.csv",
        csv('"",pos\n'),
        {},
        r"a\.csv: line 22, column 'text': it contains no text; expected",
    ),
    ("a text of blanks", "a.csv", csv('" \t ",pos\n'), {}, "line 22, column 'text': it contains no text"),
    (
        "no label",
        "a.csv",
        csv('"what now",\n'),
        {},
        "line 22, column 'label': it contains no label; expected one of 'neg'",
    ),
    ("a label of blanks", "a.csv", csv('"what now", \n'), {}, "line 22, column 'label': it contains no label"),
    ("two faults", "a.csv", csv('"",pos\n', '"x",\n'), {}, r"(?s)line 22, column 'text'.*\n.*line 23, column 'label'"),
    ("thirty faults", "a.csv", csv(*['"",pos\n'] * 30), {}, "10 more texts cannot be used"),
    (
        "one class",
        "a.csv",
        every(lambda i: "pos"),
        {},
        "20 texts of 1 class can be used; .* two classes .* all are 'pos'",
    ),
    (
        "a class a text",
        "a.csv",
        every(lambda i: f"c{i}"),
        {},
        "label has 20 different values in 20 rows; expected classes",
    ),
    ("escape sequences in a label", "a.csv", csv('"red",\x1b[31mpos\n'), {}, r"'\\x1b\[31mpos' is not printable"),
    ("a class that is not there", "a.csv", csv(), {"classes": ["neg", "pso"]}, r"data\.classes: 'pso' .* mean pos\?"),
    ("one class asked for", "a.csv", csv(), {"classes": ["neg"]}, "10 texts of 1 class can be used"),
    ("no JSON", "a.jsonl", lines("{'text': 1}\n"), {}, "line 21 is not JSON"),
    ("a JSON list", "a.jsonl", lines("[1, 2]\n"), {}, "line 21 is a list; expected an object"),
    ("a text that is a list", "a.jsonl", lines('{"text": ["a", "b"], "label": "pos"}\n'), {}, "line 21 has a list"),
    (
        "a key that is left out",
        "a.jsonl",
        lines('{"label": "pos"}\n'),
        {},
        "line 21, column 'text': it contains no text",
    ),
    ("null", "a.jsonl", lines('{"text": "x", "label": null}\n'), {}, "line 21, column 'label': it contains no label"),
    ("an escaped null", "a.jsonl", lines('{"text": "a\\u0000b", "label": "pos"}\n'), {}, "line 21, .* a null byte"),
    ("half a surrogate pair", "a.jsonl", lines('{"text": "a\\ud800b", "label": "pos"}\n'), {}, "line 21 .*half"),
    ("deep brackets", "a.jsonl", lines("[" * 100_000 + "\n"), {}, "line 21 is not JSON"),
    ("no Parquet", "a.parquet", b"PAR1" + bytes(50), {}, "it cannot be read .*expected Parquet"),
    (
        "texts that are numbers",
        "a.parquet",
        parquet(text=list(range(20))),
        {},
        "'text' is of the type Int64; expected texts",
    ),
    (
        "labels that are lists",
        "a.parquet",
        parquet(label=[["a"]] * 20),
        {},
        r"data\.target: the column 'label' is of .*List",
    ),
    (
        "a null in Parquet",
        "a.parquet",
        parquet(text=[None] + ["x"] * 19),
        {},
        "row 1, column 'text': it contains no text",
    ),
    (
        "a group that is missing",
        "a.csv",
        b"text,label,who\n" + b"a,pos,x\nb,neg,y\nc,pos,\nd,neg,x\n",
        {"group": "who"},
        "line 4, column .who.: it contains no group",
    ),
]


@pytest.mark.parametrize(("name", "content", "fields", "said"), [pytest.param(*f[1:], id=f[0]) for f in FILES])
def test_a_file_of_texts_is_refused_with_where_and_what(
    tmp_path: Path, name: str, content: bytes | Callable[[Path], Any], fields: dict[str, Any], said: str
) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content(path)
    with pytest.raises(Refused) as refused:
        texts(path, **fields)
    found = str(refused.value)
    assert re.search(said, found), found
    assert found.isprintable() or "\n" in found
    assert all(line.isprintable() and line.startswith("data.") for line in found.splitlines())


def test_a_label_that_only_the_validation_file_has_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", reviews())
    other = written(tmp_path / "b.csv", [("x", "pos"), ("y", "odd")])
    with pytest.raises(
        Refused, match=r"b\.csv: line 3, column 'label': 'odd' is not a label of the training file; .*'neg'"
    ):
        texts(path, validation_path=str(other))


def test_a_validation_file_without_the_columns_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", reviews())
    other = written(tmp_path / "b.csv", [("x", "pos")], ("review", "label"))
    with pytest.raises(Refused, match=r"data\.test_path .*b\.csv: it has no column 'text'"):
        texts(path, test_path=str(other))


def test_what_cannot_be_used_is_left_out_where_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(csv('"",pos\n', '"x",\n', '"fine",pos\n'))
    loaded = texts(path, on_broken="skip")
    assert len(loaded.x) == 21
    (note,) = [note for note in loaded.description.notes if note.startswith("Left out")]
    assert "line 22, column 'text': it contains no text" in note and "line 23, column 'label'" in note


def test_a_text_file_that_is_not_there_is_answered_with_the_nearest_name(tmp_path: Path) -> None:
    written(tmp_path / "reviews.csv", reviews())
    with pytest.raises(Refused, match=r"there is no such file\. Did you mean .*reviews\.csv\?"):
        texts(tmp_path / "review.csv")


def nothing(root: Path) -> None:
    root.mkdir()


def loose(root: Path) -> None:
    root.mkdir()
    (root / "a.txt").write_text("a text without a class")


def one_class(root: Path) -> None:
    folder(root, [("a", "pos"), ("b", "pos")])


def with_file(content: bytes, name: str = "pos/x.txt") -> Callable[[Path], None]:
    def write(root: Path) -> None:
        folder(root, reviews())
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(content)

    return write


def empty_class(root: Path) -> None:
    folder(root, reviews())
    (root / "odd").mkdir()


def link_to_itself(root: Path) -> None:
    folder(root, reviews())
    (root / "pos" / "loop.txt").symlink_to("loop.txt")


def link_upwards(root: Path) -> None:
    folder(root, reviews())
    (root / "pos" / "up").symlink_to(root)


def link_to_nothing(root: Path) -> None:
    folder(root, reviews())
    (root / "neg" / "gone.txt").symlink_to("nowhere.txt")


def pipe(root: Path) -> None:
    folder(root, reviews())
    os.mkfifo(root / "pos" / "pipe.txt")


def class_of_the_test_part_alone(root: Path) -> None:
    imdb(root)
    (root / "test" / "odd").mkdir()
    (root / "test" / "odd" / "1.txt").write_text("x")


FOLDERS: list[tuple[str, Callable[[Path], None], dict[str, Any], str]] = [
    ("an empty folder", nothing, {}, "it has no class folders; expected a folder for each class. Put the texts"),
    ("texts without classes", loose, {}, "it has 1 texts and no class folders"),
    ("one class folder", one_class, {}, "it has one class folder, pos; expected at least two"),
    ("an empty class folder", empty_class, {}, "odd: it has no texts; expected at least one"),
    ("an empty file", with_file(b""), {}, r"pos/x\.txt: it contains no text"),
    ("a file of blanks", with_file(b"\n \n"), {}, r"pos/x\.txt: it contains no text"),
    ("latin-1", with_file("ein schöner Film".encode("latin-1")), {}, r"x\.txt: byte 7 \(line 1\) is 0xf6, .*not UTF-8"),
    ("latin-1 in line 3", with_file(b"a\nb\n\xe9"), {}, r"byte 4 \(line 3\) is 0xe9"),
    ("a null byte", with_file(b"ab\0c"), {}, r"x\.txt: byte 2 is a null byte; expected text in UTF-8"),
    ("an image by another name", with_file(b"\x89PNG\r\n\x1a\n\0"), {}, r"x\.txt: it is a PNG image"),
    ("a name with a line break", with_file(b"", "pos/a\nb.txt"), {}, r"pos/a\\nb\.txt: it contains no text"),
    (
        "a class with a line break",
        with_file(b"x", "o\ndd/x.txt"),
        {},
        r"o\\ndd: the name of its class is not printable",
    ),
    ("a link to itself", link_to_itself, {}, r"pos/loop\.txt: it is a link to itself"),
    ("a link upwards", link_upwards, {}, "pos/up: it is a link to a folder; expected a folder or a text"),
    ("a link to nothing", link_to_nothing, {}, r"neg/gone\.txt: it is a link to a missing file"),
    ("a pipe", pipe, {}, r"pos/pipe\.txt: it is a device or a pipe; expected a file"),
    ("a class of the test part alone", class_of_the_test_part_alone, {}, "test/odd: its class has no training texts"),
    (
        "a class that is not there",
        imdb,
        {"classes": ["pos", "ngu"]},
        r"data\.classes: 'ngu' is not a class folder; .*neg",
    ),
    (
        "a group of a folder",
        imdb,
        {"group": "author"},
        r"data\.group: 'author' applies to files of rows; .* is a folder",
    ),
    (
        "a validation file next to a folder",
        imdb,
        {"validation_path": "b.csv"},
        "applies to files of rows; .*Remove valid",
    ),
]


@pytest.mark.parametrize(("make", "fields", "said"), [pytest.param(*f[1:], id=f[0]) for f in FOLDERS])
def test_a_folder_of_texts_is_refused_with_which_file_and_what(
    tmp_path: Path, make: Callable[[Path], None], fields: dict[str, Any], said: str
) -> None:
    make(tmp_path / "texts")
    with pytest.raises(Refused) as refused:
        texts(tmp_path / "texts", **fields)
    found = str(refused.value)
    assert re.search(said, found), found
    assert all(line.isprintable() and line.startswith("data.") for line in found.splitlines())


def test_files_that_cannot_be_read_as_texts_are_left_out_where_that_is_asked_for(tmp_path: Path) -> None:
    with_file(b"ab\0c")(tmp_path / "texts")
    empty = tmp_path / "texts" / "odd"
    empty.mkdir()
    loaded = texts(tmp_path / "texts", on_broken="skip")
    assert loaded.description.classes == ("neg", "pos") and len(loaded.x) == 20
    assert any(
        "pos/x.txt: byte 2 is a null byte" in note and "odd: it has no texts" in note
        for note in loaded.description.notes
    )


def test_escape_sequences_in_texts_are_shown_as_letters(tmp_path: Path) -> None:
    rows = [(f"\x1b]0;owned\x07 \x1b[2J {text}", label) for text, label in reviews()]
    path = written(tmp_path / "a.csv", rows)
    command = ["data", "text", "--set", f"data.path={path}", "--set"]
    for tokens in ("word", "character", "bpe"):
        result = warm_torchdeck.run(*command, f"data.tokens={tokens}", cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        assert "\x1b" not in result.stdout and "\x07" not in result.stdout
        assert "owned" in result.stdout.replace(" ", "")


def test_a_text_of_megabytes_costs_no_more_than_what_is_kept_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        lines(
            '{"text": "' + "word " * 2_000_000 + '", "label": "pos"}\n',
            '{"text": "' + "x" * 5_000_000 + '", "label": "neg"}\n',
        )
    )
    for tokens in ("word", "character", "bpe"):
        loaded = texts(path, tokens=tokens, max_length=50)
        assert loaded.x.nbytes < 10_000
        assert max(map(len, loaded.vocabulary)) <= 64


def test_a_cancelled_reading_ends_at_once(tmp_path: Path) -> None:
    from engine.data.progress import progress_to

    class Enough(Exception):
        pass

    def stop(what: str, done: int, total: int) -> None:
        if "okens" in what or "pieces" in what:
            raise Enough

    path = written(tmp_path / "a.csv", reviews(50))
    for tokens in ("word", "bpe"):
        with pytest.raises(Enough), progress_to(stop):
            texts(path, tokens=tokens)
