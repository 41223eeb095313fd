"""The `table` source: columns become numbers as scikit-learn would make them, and only of the training part."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from table_files import HEADER, people, table, written

from engine.data import Dataset
from engine.experiment import Refused


@pytest.fixture
def rows() -> list[list[str]]:
    return people()


@pytest.fixture
def file(tmp_path: Path, rows: list[list[str]]) -> Path:
    return written(tmp_path / "people.csv", rows)


def column(data: Dataset, name: str) -> np.ndarray:
    return data.x[:, data.description.features.index(name)].numpy()


def test_a_table_has_a_name_for_every_feature_and_class(file: Path) -> None:
    d = table(file, target="species").description
    circles = ("born month sin", "born month cos", "born weekday sin", "born weekday cos")
    assert d.features == ("age", "city=Bonn", "city=Köln", "city=Ulm", "born", *circles, "member")
    assert d.input_shape == (10,) and d.input_kind == "vector"
    assert (d.task, d.classes, d.targets) == ("classification", ("cat", "dog"), ("species",))
    assert (d.train_samples, d.val_samples) == (48, 12)


def test_numbers_are_standardised_as_scikit_learn_does_it_on_the_training_part(file: Path, rows: list) -> None:
    data = table(file, target="species")
    ages = np.array([[float(row[0])] for row in rows])
    expected = StandardScaler().fit(ages[data.train.numpy()]).transform(ages)[:, 0]
    np.testing.assert_allclose(column(data, "age"), expected, rtol=1e-5, atol=1e-6)


def test_categories_are_those_of_scikit_learns_one_hot_encoder(file: Path, rows: list) -> None:
    data = table(file, target="species")
    cities = np.array([[row[1]] for row in rows])
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(cities[data.train.numpy()])
    got = np.column_stack([column(data, f"city={city}") for city in encoder.categories_[0]])
    np.testing.assert_array_equal(got, encoder.transform(cities))


def test_dates_are_seconds_and_places_on_the_circles_of_year_and_week(file: Path, rows: list) -> None:
    data = table(file, target="species")
    days = [datetime.fromisoformat(row[2]).replace(tzinfo=UTC) for row in rows]
    seconds = np.array([[day.timestamp()] for day in days])
    scaled = StandardScaler().fit(seconds[data.train.numpy()]).transform(seconds)[:, 0]
    np.testing.assert_allclose(column(data, "born"), scaled, rtol=1e-4, atol=1e-5)
    month = np.array([day.month - 1 for day in days]) / 12
    weekday = np.array([day.weekday() for day in days]) / 7
    np.testing.assert_allclose(column(data, "born month cos"), np.cos(2 * np.pi * month), atol=1e-6)
    np.testing.assert_allclose(column(data, "born weekday sin"), np.sin(2 * np.pi * weekday), atol=1e-6)


def test_dates_with_a_time_of_day_have_their_hour_on_a_circle(tmp_path: Path) -> None:
    hours = [(row * 7) % 24 for row in range(40)]
    rows = [[f"2024-03-{row % 28 + 1:02d} {hour:02d}:30", "ab"[row % 2]] for row, hour in enumerate(hours)]
    data = table(written(tmp_path / "a.csv", rows, ("at", "y")), target="y")
    expected = np.sin(2 * np.pi * (np.array(hours) + 0.5) / 24)
    np.testing.assert_allclose(column(data, "at hour sin"), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_numbers_are_dates_where_that_is_how_dates_are_written(name: str, tmp_path: Path) -> None:
    rows = [[f"202401{row % 28 + 1:02d}", row % 7, "ab"[row % 2]] for row in range(40)]
    if name == "a.csv":
        written(tmp_path / name, rows, ("day", "count", "y"))
    else:
        days, counts, y = zip(*rows, strict=True)
        pl.DataFrame({"day": [int(day) for day in days], "count": counts, "y": y}).write_parquet(tmp_path / name)
    data = table(tmp_path / name, target="y", date_format="%Y%m%d")
    assert {"day", "day weekday sin", "count"} <= set(data.description.features)
    weekday = np.array([(row % 28) % 7 for row in range(40)]) / 7  # the first of January 2024 was a Monday
    np.testing.assert_allclose(column(data, "day weekday sin"), np.sin(2 * np.pi * weekday), atol=1e-5)
    kept = table(tmp_path / name, target="y", date_format="%Y%m%d", numeric=["day"])
    assert "day weekday sin" not in kept.description.features


def test_a_target_of_numbers_is_standardised_and_comes_back_in_its_units(file: Path, rows: list) -> None:
    data = table(file, target="age")
    ages = np.array([float(row[0]) for row in rows])
    assert data.description.task == "regression" and data.units is not None
    assert data.units.offset[0] == pytest.approx(ages[data.train.numpy()].mean())
    assert data.units.scale[0] == pytest.approx(ages[data.train.numpy()].std())
    np.testing.assert_allclose(data.units.of(data.y)[:, 0].numpy(), ages, rtol=1e-5)


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (["1", "2", "10"], "classification", ("1", "2", "10")),
        (["true", "false"], "classification", ("false", "true")),
        (["b", "a"], "classification", ("a", "b")),
        (["1.0", "2.0"], "regression", ()),
        ([str(n) for n in range(25)], "regression", ()),
    ],
)
def test_the_target_says_what_the_task_is(values: list[str], task: str, classes: tuple, tmp_path: Path) -> None:
    rows = [[str(row * 0.5), values[row % len(values)]] for row in range(100)]
    d = table(written(tmp_path / "a.csv", rows, ("x", "y")), target="y").description
    assert (d.task, d.classes) == (task, classes)


def test_the_task_can_be_said(tmp_path: Path) -> None:
    rows = [[str(row * 0.5), str(row % 3)] for row in range(30)]
    file = written(tmp_path / "a.csv", rows, ("x", "y"))
    assert table(file, target="y", task="regression").description.task == "regression"


@pytest.mark.parametrize("form", ["tsv", "semicolons", "bom", "jsonl", "parquet", "crlf"])
def test_the_same_rows_give_the_same_samples_in_every_form(form: str, file: Path, rows: list, tmp_path: Path) -> None:
    expected = table(file, target="species")
    other = tmp_path / {"tsv": "b.tsv", "jsonl": "b.jsonl", "parquet": "b.parquet"}.get(form, "b.csv")
    match form:
        case "tsv":
            written(other, rows, delimiter="\t")
        case "semicolons":
            written(other, rows, delimiter=";")
        case "bom":
            other.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
        case "crlf":
            other.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
        case "jsonl":
            objects = [dict(zip(HEADER, [float(r[0]), r[1], r[2], r[3] == "true", r[4]], strict=True)) for r in rows]
            other.write_text("\n".join(map(json.dumps, objects)))
        case "parquet":
            frame = pl.DataFrame(rows, schema=list(HEADER), orient="row")
            frame.with_columns(
                pl.col("age").cast(pl.Float64), pl.col("born").str.to_date(), pl.col("member") == "true"
            ).write_parquet(other)
    got = table(other, target="species")
    assert got.description.features == expected.description.features
    assert torch.equal(got.x, expected.x) and torch.equal(got.y, expected.y)


def test_a_field_in_quotes_may_hold_delimiters_and_line_breaks(tmp_path: Path) -> None:
    rows = [[("a, b", "c\nd")[row % 2], str(row), "xy"[row // 2 % 2]] for row in range(20)]
    data = table(written(tmp_path / "a.csv", rows, ("text", "n", "y")), target="y")
    assert "text=a, b" in data.description.features and "text=c\nd" in data.description.features


def test_numbers_with_a_decimal_comma_are_read_when_that_is_said(tmp_path: Path) -> None:
    rows = [[f"{row},5", "ab"[row % 2]] for row in range(20)]
    file = written(tmp_path / "a.csv", rows, ("x", "y"), delimiter=";")
    data = table(file, target="y", decimal=",")
    kept = data.learned["encoders"]["columns"][0]
    assert kept["mean"] == pytest.approx(data.train.double().mean().item() + 0.5)


def with_gaps(file: Path, rows: list, tmp_path: Path) -> Path:
    gaps = [list(row) for row in rows]
    for at in (3, 17, 40):
        gaps[at][0] = "NA"
    gaps[5][1] = ""
    return written(tmp_path / "gaps.csv", gaps)


def test_missing_values_become_the_mean_of_the_training_part_and_a_flag(file: Path, rows: list, tmp_path: Path) -> None:
    gaps = with_gaps(file, rows, tmp_path)
    data = table(gaps, target="species", missing="mean+flag")
    assert column(data, "age")[[3, 17, 40]].tolist() == [0.0, 0.0, 0.0]
    assert np.flatnonzero(column(data, "age missing")).tolist() == [3, 17, 40]
    there = [i for i in data.train.tolist() if i not in (3, 17, 40)]
    learned = data.learned["encoders"]["columns"][0]
    assert learned["mean"] == pytest.approx(np.mean([float(rows[i][0]) for i in there]))
    assert sum(column(data, f"city={city}")[5] for city in ("Bonn", "Köln", "Ulm")) == 0
    assert "age missing" not in table(gaps, target="species", missing="mean").description.features


def test_rows_with_missing_values_are_dropped_when_that_is_said(file: Path, rows: list, tmp_path: Path) -> None:
    gaps = with_gaps(file, rows, tmp_path)
    data = table(gaps, target="species", missing="drop")
    d = data.description
    assert d.train_samples + d.val_samples == len(data.x) == 56
    assert any("4 of 60 rows" in note and "age 3" in note for note in d.notes)


def test_a_category_that_only_the_validation_part_has_is_zero_everywhere(file: Path, tmp_path: Path) -> None:
    other = [list(row) for row in people(10, seed=1)]
    other[0][1] = "Atlantis"
    data = table(file, target="species", validation_path=str(written(tmp_path / "val.csv", other)))
    first = int(data.validation[0])
    assert sum(column(data, f"city={city}")[first] for city in ("Bonn", "Köln", "Ulm")) == 0
    assert len(data.validation) == 10 and len(data.train) == 60


@pytest.mark.parametrize("target", ["species", "age"])
def test_nothing_of_validation_or_test_reaches_what_is_learned(target: str, file: Path, rows: list) -> None:
    fields = {"target": target, "test": 0.2, "missing": "mean+flag"}
    data = table(file, **fields)
    held = [*data.validation.tolist(), *data.test.tolist()]
    changed = [list(row) for row in rows]
    for row in held:
        changed[row][:4] = ["1e6" if target != "age" else "900.5", "Atlantis", "2999-12-31", ""]
    written(file, changed)
    again = table(file, **fields)
    assert json.dumps(again.learned) == json.dumps(data.learned)
    assert torch.equal(again.train, data.train)
    assert torch.equal(again.x[data.train], data.x[data.train])
    assert not torch.equal(again.x[data.validation], data.x[data.validation])


def test_a_change_of_the_training_part_is_learned(file: Path, rows: list) -> None:
    data = table(file, target="species")
    changed = [list(row) for row in rows]
    changed[int(data.train[0])][0] = "55.5"
    written(file, changed)
    assert table(file, target="species").learned != data.learned


def test_rows_of_a_group_stay_in_one_part(tmp_path: Path) -> None:
    rows = [[f"{row * 0.1:.1f}", f"patient {row // 5}", "ab"[row % 2]] for row in range(100)]
    file = written(tmp_path / "a.csv", rows, ("x", "who", "y"))
    data = table(file, target="y", group="who", test=0.2)
    parts = [{row // 5 for row in part.tolist()} for part in (data.train, data.validation, data.test)]
    assert all(parts) and not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    assert data.description.features == ("x",)


@pytest.mark.parametrize("fields", [{}, {"group": "who"}, {"target": "x"}])
def test_over_all_folds_every_row_is_validated_on_once(fields: dict, tmp_path: Path) -> None:
    rows = [[f"{row * 0.1:.1f}", f"patient {row // 5}", "ab"[row % 2]] for row in range(103)]
    file = written(tmp_path / "a.csv", rows, ("x", "who", "y"))
    validated: list[int] = []
    for fold in range(1, 6):
        data = table(file, **{"target": "y", "fold": f"{fold}/5", "most_categories": 200, **fields})
        assert not set(data.train.tolist()) & set(data.validation.tolist())
        assert len(data.train) + len(data.validation) == 103
        validated += data.validation.tolist()
        if "group" in fields:
            groups = [{row // 5 for row in part.tolist()} for part in (data.train, data.validation)]
            assert not groups[0] & groups[1]
        elif data.description.task == "classification":
            assert abs(int((data.y[data.validation] == 0).sum()) - len(data.validation) / 2) <= 1
    assert sorted(validated) == list(range(103))


def test_ordinal_categories_are_one_standardised_feature(file: Path, rows: list) -> None:
    data = table(file, target="species", categories="ordinal")
    order = np.array([sorted(("Bonn", "Köln", "Ulm")).index(row[1]) for row in rows], dtype=float)
    train = order[data.train.numpy()]
    np.testing.assert_allclose(column(data, "city"), (order - train.mean()) / train.std(), rtol=1e-5, atol=1e-6)


def test_numbers_can_be_taken_for_categories(tmp_path: Path) -> None:
    rows = [[str(53113 + row % 3), f"{row * 0.5}", "ab"[row % 2]] for row in range(40)]
    data = table(written(tmp_path / "a.csv", rows, ("zip", "x", "y")), target="y", categorical=["zip"])
    assert data.description.features[:3] == ("zip=53113", "zip=53114", "zip=53115")


def test_a_file_that_would_not_fit_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.data.tables import files

    file = written(tmp_path / "a.csv", people(5000))
    monkeypatch.setattr(files, "free_host_memory", lambda: 10_000_000)
    with pytest.raises(Refused, match=r"a\.csv: reading it takes about 69 MB; 10 MB are free"):
        table(file, target="species")


@pytest.mark.skipif(sys.platform != "linux", reason="the most memory that a process had is read from /proc")
def test_reading_takes_no_more_memory_than_is_stated(tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", people(100_000))
    program = """
import os, re, sys
from pathlib import Path
from engine.data import load_data
from engine.data.tables import load, reading
from engine.experiment import Data
import torch
file = sys.argv[1]
def most():
    return 1024 * int(re.search(r"VmHWM: +(\\d+)", Path("/proc/self/status").read_text().replace("\\t", " "))[1])
before = most()
data = load_data(Data.model_validate({"source": "table", "path": file, "target": "species"}), seed=0)
print(most() - before, reading.bytes_in_memory(file, os.path.getsize(file)) + 3 * data.description.bytes)
"""
    done = subprocess.run([sys.executable, "-c", program, str(file)], capture_output=True, text=True, check=True)
    took, stated = map(int, done.stdout.split())
    assert took <= stated <= 3 * took
