"""Files that are no TOML, and paths that TOML reads as something else: what they are, and what to write."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
from pathlib import Path

import pytest
import warm_torchdeck

from engine.data import describe
from engine.experiment import Data, Refused, read, reads
from engine.experiment.mistakes import Mistake
from engine.printable import is_printable, printable

TEXT = 'name = "a"\ndata.source = "digits"\nmodel.layers = ["Flatten"]\n'


def zipped(folder: Path) -> bytes:
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("a.toml", TEXT)
    return (folder / "a.zip").read_bytes()


@pytest.mark.parametrize(
    ("content", "what", "fix"),
    [
        (gzip.compress(TEXT.encode()), "gzip", "Unpack it: gunzip FILE."),
        (bz2.compress(TEXT.encode()), "bzip2", "Unpack it: bunzip2 FILE."),
        (lzma.compress(TEXT.encode()), "xz", "Unpack it: unxz FILE."),
        (TEXT.encode("utf-16"), "UTF-16", "iconv -f UTF-16 -t UTF-8"),
        (TEXT.encode("utf-16-le"), "UTF-16", "iconv -f UTF-16 -t UTF-8"),
        (TEXT.encode("utf-16-be"), "UTF-16", "iconv -f UTF-16 -t UTF-8"),
        (TEXT.encode("utf-32"), "UTF-32", "iconv -f UTF-32 -t UTF-8"),
        (b"%PDF-1.7\n" + bytes(99), "PDF", "Name a TOML file."),
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "a PNG image", "Name a TOML file."),
    ],
    ids=["gzip", "bzip2", "xz", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "pdf", "png"],
)
def test_a_file_that_is_no_text_is_called_what_it_is(tmp_path: Path, content: bytes, what: str, fix: str) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(content)
    (mistake,) = read(file).mistakes
    assert f"a.toml: it is {what}; expected an experiment, which is TOML in UTF-8. " in str(mistake)
    assert fix in mistake.fix
    for source, name in (("text", "a.csv"), ("characters", "a.txt"), ("table", "t.tsv")):
        (tmp_path / name).write_bytes(content)
        target = {"target": "x"} if source == "table" else {}
        with pytest.raises(Refused, match=f"it is {what}; expected text in UTF-8"):
            describe(Data(source=source, path=str(tmp_path / name), **target), 0)


def test_a_zip_and_latin_1_are_named_too(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(zipped(tmp_path))
    assert "it is zip" in str(read(file).mistakes[0])
    file.write_bytes('name = "a"\n# Größe\n'.encode("latin-1"))
    assert "a.toml: line 2 has 0xf6, which is not UTF-8; TOML is text in UTF-8. Save" in str(read(file).mistakes[0])


@pytest.mark.parametrize(
    ("line", "write"),
    [
        (r'data.path = "C:\data\x.csv"', r"Write 'C:\data\x.csv'."),
        (r'data.path = "C:\Users\me\x.csv"', r"Write 'C:\Users\me\x.csv'."),
        (r'data = {source = "table", path = "D:\work", target = "y"}', r"Write 'D:\work'."),
        (r'data.path = "\\server\share\x.csv"', r"Write '\\server\share\x.csv'."),
        (r'data.path = "C:\data\"', r"Write 'C:\data\'."),
        (r'name = "50\% off"', r"Write '50\% off'."),
        (r'''name = "it's \d"''', "Write each backslash twice."),
    ],
)
def test_a_backslash_in_double_quotes_is_answered_with_single_quotes(line: str, write: str) -> None:
    (mistake,) = reads(f"seed = 1\n{line}\n", origin="a.toml").mistakes
    said = str(mistake)
    assert said.startswith("a.toml: it is not TOML") and "line 2" in said and "backslash in double quotes" in said
    assert mistake.fix == write


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (r"C:\temp\new.csv", r"C:\temp\new.csv: there is no such file; in double quotes \t is one character"),
        (r"C:\files.csv", r"in double quotes \f is one character"),
        (r"data\raw.csv", r"in double quotes \r is one character"),
    ],
)
def test_a_backslash_that_is_an_escape_is_said_and_the_path_shown_escaped(
    tmp_path: Path, path: str, shown: str
) -> None:
    (tmp_path / "a.toml").write_text(
        f'data = {{source = "table", path = "{path}", target = "y"}}\nmodel.layers = ["Flatten"]\n'
    )
    result = warm_torchdeck.run("check", "a.toml", cwd=tmp_path)
    said = result.stderr
    assert (
        result.returncode == 2 and shown.replace(r"\x", "x") in said and f"Write '{path}'.".replace(r"\x", "x") in said
    )
    assert all(line.isprintable() for line in said.splitlines())


def test_any_path_with_a_line_break_is_shown_escaped() -> None:
    said = str(Mistake("data.path", "there is no 'a\nb'", "expected\tone", "Correct it.", "a\nb\x1b[31m\x85.csv"))
    assert said == r"data.path a\nb\x1b[31m\x85.csv: there is no 'a\nb'; expected\tone. Correct it."


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("می\u200cخواهم", None),
        ("👨\u200d👩\u200d👧", None),
        ("🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", None),
        ("❤️", None),
        ("क्\u200dष", None),
        ("a\u202eb", r"a\u202eb"),
        ("a\u200bb", r"a\u200bb"),
        ("\udcff", r"\udcff"),
    ],
)
def test_joiners_of_emoji_and_persian_are_printable_and_what_moves_text_is_not(name: str, shown: str | None) -> None:
    assert is_printable(name) == (shown is None)
    assert printable(name) == (shown or name)


def test_a_class_folder_and_a_label_may_have_joiners_in_their_names(tmp_path: Path) -> None:
    names = ("می\u200cخواهم", "👨\u200d👩\u200d👧")
    rows = "".join(f"text {i},{names[i % 2]}\n" for i in range(20))
    (tmp_path / "a.csv").write_text(f"text,label\n{rows}", encoding="utf-8")
    assert set(describe(Data(source="text", path=str(tmp_path / "a.csv")), 0).classes) == set(names)
    for name in names:
        (tmp_path / "texts" / name).mkdir(parents=True)
        for number in range(6):
            (tmp_path / "texts" / name / f"{number}.txt").write_text(f"a text {number}")
    assert set(describe(Data(source="text", path=str(tmp_path / "texts")), 0).classes) == set(names)


def test_class_folders_of_texts_with_other_endings_are_said_to_have_those(tmp_path: Path) -> None:
    for name in ("pos", "neg"):
        (tmp_path / name).mkdir()
        for number in range(3):
            (tmp_path / name / f"{number}.md").write_text(f"a text {number}")
    (tmp_path / "pos" / "README").write_text("no text of a class")
    with pytest.raises(Refused) as refused:
        describe(Data(source="text", path=str(tmp_path)), 0)
    said = str(refused.value)
    assert "neg: no file in it ends in .txt (3 with .md); expected texts that end in .txt" in said
    assert "pos: no file in it ends in .txt (3 with .md and 1 others)" in said


@pytest.mark.parametrize(("samples", "fix"), [(10, "Add samples; with so few, set it to 2."), (60, "Set it to 6, for")])
def test_a_batch_size_is_never_proposed_that_norms_refuse(tmp_path: Path, samples: int, fix: str) -> None:
    from engine.plan import check

    rows = "".join(f"{i},{i % 3},{'ab'[i % 2]}\n" for i in range(samples))
    (tmp_path / "t.csv").write_text(f"x,z,y\n{rows}")
    document = f"""
data = {{source = "table", path = "{tmp_path / "t.csv"}", target = "y", exclude = ["x"]}}
model.layers = [{{type = "Linear", out_features = "auto"}}]
"""
    said = [str(mistake) for mistake in check(reads(document)).mistakes]
    assert any(fix in sentence for sentence in said), said
