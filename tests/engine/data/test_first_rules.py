"""Runs that began before notations were looked for read their files as they did, and so can be resumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from table_files import written

from engine.data import data_manifest, load_data
from engine.data.load import forget
from engine.experiment import Data, Refused

ROWS = 40
COLUMNS: dict[str, list[str]] = {
    "comma": [f"{row % 5},5" for row in range(ROWS)],
    "height": [f"{150 + row % 5} cm" for row in range(ROWS)],
    "day": [f"202401{row % 28 + 1:02d}" for row in range(ROWS)],
    "at": [f"2024-01-{row % 28 + 1:02d} 10:{row:02d}:00" for row in range(ROWS)],
    "on": [f"{row % 28 + 1:02d}.01.2024" for row in range(ROWS)],
    "short": [f"{row % 28 + 1:02d}.01.24" for row in range(ROWS)],
    "mass": [f"{1 + row % 7}.125" for row in range(ROWS)],
    "whole": [f"{row % 7 + 1}.125" if row % 9 else "3" for row in range(ROWS)],
    "y": ["ab"[row % 2] for row in range(ROWS)],
}
KINDS = {
    "comma": "one-hot",
    "height": "one-hot",
    "day": "number",
    "at": "%Y-%m-%d %H:%M:%S%.f",
    "on": "%d.%m.%Y",
    "short": "%d.%m.%Y",
    "mass": "number",
    "whole": "number",
}
"""What such a run wrote down of each column: the kind, or the format of its dates."""


def begun_before(tmp_path: Path, asked: Data) -> Path:
    """A run's folder as it was written before there were rules with numbers: without them."""
    (run := tmp_path / "run").mkdir()
    (run / data_manifest.LEARNED).write_text(json.dumps({"classes": []}))
    forget()
    data_manifest.save_manifest(load_data(asked, 0, data_manifest.recorded(run)), run)
    learned = json.loads((run / data_manifest.LEARNED).read_text())
    del learned[data_manifest.RULES]
    (run / data_manifest.LEARNED).write_text(json.dumps(learned))
    return run


def table_of(tmp_path: Path, **fields: Any) -> Data:
    file = written(tmp_path / "a.csv", list(zip(*COLUMNS.values(), strict=True)), tuple(COLUMNS))
    # Documents of runs are complete: the decimal mark stands in theirs.
    return Data.model_validate({"source": "table", "path": str(file), "target": "y", "decimal": ".", **fields})


def test_a_table_is_read_as_it_was(tmp_path: Path) -> None:
    asked = table_of(tmp_path)
    run = begun_before(tmp_path, asked)
    columns = json.loads((run / data_manifest.LEARNED).read_text())["encoders"]["columns"]
    assert {c["column"]: c.get("format", c["kind"]) for c in columns} == KINDS
    assert not any("notation" in c for c in columns)
    forget()
    assert data_manifest.difference(load_data(asked, 0, data_manifest.recorded(run)), run) == ""
    forget()
    with pytest.raises(Refused, match="numbers followed by 'cm'"):
        load_data(asked, 0)


def test_decimal_commas_are_read_as_they_were(tmp_path: Path) -> None:
    values = [f"1.{row % 9}00,{row % 3}" for row in range(ROWS)]
    rows = [[value, "ab"[row % 2]] for row, value in enumerate(values)]
    file = written(tmp_path / "a.csv", rows, ("x", "y"), delimiter=";")
    asked = Data.model_validate({"source": "table", "path": str(file), "target": "y", "decimal": ","})
    run = begun_before(tmp_path, asked)
    (column,) = json.loads((run / data_manifest.LEARNED).read_text())["encoders"]["columns"]
    assert set(column) == {"kind", "column", "flag", "mean", "std"} and 1000 < column["mean"] < 1900
    forget()
    assert data_manifest.difference(load_data(asked, 0, data_manifest.recorded(run)), run) == ""


def test_a_series_is_read_as_it_was(tmp_path: Path) -> None:
    rows = [[1_706_140_800 + 3600 * row, str(row % 7)] for row in range(60)]
    file = written(tmp_path / "a.csv", rows, ("t", "y"))
    fields = {"source": "series", "path": str(file), "target": "y", "time": "t", "window": 3, "decimal": "."}
    asked = Data.model_validate(fields)
    run = begun_before(tmp_path, asked)
    assert set(json.loads((run / data_manifest.LEARNED).read_text())["encoders"]) == {"columns"}
    forget()
    data = load_data(asked, 0, data_manifest.recorded(run))
    assert data_manifest.difference(data, run) == "" and data.season == 1
    forget()
    assert load_data(asked, 0).season == 24
