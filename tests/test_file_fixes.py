"""`check --fix` on files whose fixes could undo each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.experiment import reads
from engine.plan import check
from tui.cli.file_fixes import fix_file

DATA = '[data]\nsource = "digits"\n\n'
STRAY = '[model]\ntype = "cnn"\nlayers = ["Flatten", {type = "Linear", out_features = "auto"}]\n'
ROUND = '[model]\nlayers = [{type = "Repeat", times = 2, layers = ["BatchNorm2d", "Flatten"]}]\n'
TABLES = """\
[[model.layers]]
type = "Flatten"

[[model.layers]]
type = "Dropout"
p = "x"

[[model.layers]]
type = "Linear"
out_features = "auto"
"""


def test_an_unknown_type_in_the_model_leaves_its_layers_unchanged(tmp_path: Path) -> None:
    (mistake,) = check(reads(DATA + STRAY)).mistakes
    assert mistake.path == "model.type"
    (tmp_path / "mine.toml").write_text(DATA + STRAY)
    assert fix_file(str(tmp_path / "mine.toml"), ()) == ""
    assert (tmp_path / "mine.toml").read_text() == DATA + STRAY


def test_fixes_that_undo_each_other_stop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.toml").write_text(DATA + ROUND)
    assert fix_file(str(tmp_path / "mine.toml"), ()) == ""
    assert capsys.readouterr().err.count("fixed ") < 6


def test_layers_written_as_tables_are_fixed(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(DATA + TABLES)
    assert fix_file(str(tmp_path / "mine.toml"), ()) == ""
    assert check(reads((tmp_path / "mine.toml").read_text())).ok
