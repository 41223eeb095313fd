"""Columns that number the rows are no features, unless they are named; whole numbers are compared exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from table_files import table, written

from engine.data import load_data
from engine.data.load import forget
from engine.data.recorded import RecordedData
from engine.experiment import Data

ROWS = 60
SHUFFLED = np.random.default_rng(0).permutation(ROWS)
LARGE = 2**60


def made(tmp_path: Path, name: str, values, form: str = "csv") -> Path:
    columns = {
        name: pl.Series(values, strict=False),
        "x": pl.Series([i * 37 % 100 / 100 for i in range(ROWS)]),
        "y": pl.Series(["a"] * (ROWS // 2) + ["b"] * (ROWS // 2)),
    }
    path, frame = tmp_path / f"t.{form}", pl.DataFrame(columns)
    frame.write_csv(path) if form == "csv" else frame.write_parquet(path)
    return path


NUMBERS = [
    ("__index_level_0__", list(SHUFFLED)),
    ("Unnamed: 0", list(range(ROWS))),
    ("Unnamed: 0.1", list(range(ROWS))),
    ("index", list(SHUFFLED)),
    ("id", [int(i) * 3 for i in SHUFFLED]),
    ("PassengerId", list(SHUFFLED)),
    ("user_id", list(range(ROWS))),
    ("anything", list(range(1, ROWS + 1))),
    ("rising", [i * 5 + i % 3 for i in range(ROWS)]),
    ("large", [LARGE + i for i in range(ROWS)]),
]


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize(("name", "values"), NUMBERS, ids=[case[0] for case in NUMBERS])
def test_a_column_that_numbers_the_rows_is_left_out_with_a_sentence(name, values, form, tmp_path: Path) -> None:
    path = made(tmp_path, name, values, form)
    data = table(path, target="y")
    assert data.description.features == ("x",)
    (note,) = [note for note in data.description.notes if note.startswith(f"{name} ") and "left out" in note]
    assert "It is left out" in note and f"data.numeric = [{name!r}] includes it" in note
    assert table(path, target="y", numeric=[name]).description.features == (name, "x")
    assert table(path, target="y", features=[name]).description.features == (name,)


KEPT = [
    ("amount", [int(i) for i in SHUFFLED]),
    ("year", list(range(1960, 1960 + ROWS))),
    ("hours", [i * 3 for i in range(ROWS)]),
    ("paid", [i // 2 for i in range(ROWS)]),
    ("id", [i % 7 for i in range(ROWS)]),
    ("height", [i / 2 for i in range(ROWS)]),
]


@pytest.mark.parametrize(("name", "values"), KEPT, ids=[case[0] for case in KEPT])
def test_other_columns_of_numbers_are_features(name, values, tmp_path: Path) -> None:
    assert table(made(tmp_path, name, values), target="y").description.features == (name, "x")


def test_the_only_column_is_kept_and_it_is_said(tmp_path: Path) -> None:
    data = table(written(tmp_path / "t.csv", [[i, i * i / 7] for i in range(40)], ("t", "y")), target="y")
    assert data.description.features == ("t",)
    assert any("t is a whole number that increases" in n and "because no other" in n for n in data.description.notes)


def test_a_run_of_the_first_rules_keeps_the_columns_that_it_had(tmp_path: Path) -> None:
    path = made(tmp_path, "id", list(SHUFFLED))
    forget()
    data = Data.model_validate({"source": "table", "path": str(path), "target": "y"})
    assert load_data(data, 0, RecordedData(rules=1)).description.features == ("id", "x")


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_large_whole_numbers_are_compared_exactly(form: str, tmp_path: Path) -> None:
    values = [LARGE + int(i) for i in SHUFFLED]
    data = table(made(tmp_path, "code", values, form), target="y")
    assert data.description.features == ("code", "x")
    exact = np.array([value - LARGE for value in values], dtype=np.float64)[data.train.numpy()]
    expected = (exact - exact.mean()) / exact.std()
    np.testing.assert_allclose(data.x[data.train, 0].numpy(), expected, rtol=1e-5, atol=1e-6)


def test_a_target_of_large_whole_numbers_is_exact(tmp_path: Path) -> None:
    values = [LARGE + int(i) for i in SHUFFLED]
    data = table(made(tmp_path, "code", values), target="code", features=["x"])
    assert data.description.task == "regression" and data.units is not None
    assert len(np.unique(data.y.numpy())) == ROWS
    assert data.units.offset[0] == pytest.approx(LARGE, rel=1e-9)
    assert any("60 different whole numbers" in note for note in data.description.notes)
