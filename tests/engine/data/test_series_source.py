"""The `series` source: windows in time order, what follows them, and the forecasts that cost nothing."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import airline
import numpy as np
import polars as pl
import pytest
import torch
from sklearn.preprocessing import StandardScaler
from table_files import series, written

from engine.data import baselines_of
from engine.data.load import load_data
from engine.experiment import Data

DAY = timedelta(days=1)
LENGTH = 200


def days(length: int = LENGTH, seed: int = 0) -> list[list[Any]]:
    """Rows of a day, two numbers that repeat after a week, and one that does not."""
    rng = np.random.default_rng(seed)
    week = np.sin(2 * np.pi * np.arange(length) / 7)
    sold, sick = 50 + 9 * week + rng.normal(0, 1, length), 5 - 2 * week + rng.normal(0, 0.3, length)
    heat = rng.normal(15, 5, length)
    start = date(2023, 1, 1)
    return [
        [str(start + row * DAY), f"{sold[row]:.4f}", f"{sick[row]:.4f}", f"{heat[row]:.4f}"] for row in range(length)
    ]


HEADER = ("day", "sold", "sick", "heat")


@pytest.fixture
def rows() -> list[list[Any]]:
    return days()


@pytest.fixture
def file(tmp_path: Path, rows: list[list[Any]]) -> Path:
    return written(tmp_path / "sales.csv", rows, HEADER)


def numbers(rows: list[list[Any]], *columns: str) -> np.ndarray:
    return np.array([[float(row[HEADER.index(column)]) for column in columns] for row in rows])


def test_a_window_is_followed_by_what_is_to_be_forecast(file: Path, rows: list) -> None:
    data = series(file, target=["sold", "sick"], features=["heat"], time="day", window=10, horizon=3, stride=2)
    d = data.description
    assert (d.task, d.input_shape, d.outputs) == ("forecasting", (10, 3), 6)
    assert d.features == ("sold", "sick", "heat") and d.targets == ("sold", "sick")
    values = numbers(rows, *d.features)
    scaled = StandardScaler().fit(values[:160]).transform(values)  # the first 80 % of the rows
    expected_x = np.stack([scaled[begin : begin + 10] for begin in range(0, 148, 2)])
    expected_y = np.stack([values[begin + 10 : begin + 13, :2].reshape(-1) for begin in range(0, 148, 2)])
    np.testing.assert_allclose(data.x[data.train].numpy(), expected_x, rtol=1e-5, atol=1e-5)
    assert data.units is not None
    np.testing.assert_allclose(data.units.of(data.y[data.train]).numpy(), expected_y, rtol=1e-5)


def test_no_window_reaches_over_the_boundary_of_a_part(file: Path) -> None:
    data = series(file, target="sold", time="day", window=10, horizon=3, test=0.2)
    first = data.x.starts
    spans = {"train": (0, 120), "validation": (120, 160), "test": (160, 200)}
    for part, (begin, end) in spans.items():
        starts = first[getattr(data, part)]
        assert int(starts.min()) == begin and int(starts.max()) + 13 == end


def test_the_samples_take_the_memory_of_the_series_not_of_its_windows(file: Path) -> None:
    data = series(file, target="sold", time="day", window=30)
    windows = data.description.train_samples + data.description.val_samples
    assert data.description.bytes == 2 * 4 * LENGTH + 2 * 8 * windows


def test_nothing_of_validation_or_test_reaches_what_is_learned(file: Path, rows: list) -> None:
    asked = {"target": "sold", "features": ["heat"], "time": "day", "test": 0.2, "missing": "previous"}
    data = series(file, **asked, window=10)
    for row in rows[120:]:
        row[1], row[3] = "1e6", "-77"
    rows[150][1] = ""
    again = series(written(file, rows, HEADER), **asked, window=10)
    assert json.dumps(again.learned) == json.dumps(data.learned)
    assert torch.equal(again.x[again.train], data.x[data.train])
    assert not torch.equal(again.x[again.validation], data.x[data.validation])
    rows[119][1] = "1e6"
    assert series(written(file, rows, HEADER), **asked, window=10).learned != data.learned


def test_the_naive_forecasts_are_what_numpy_says(file: Path, rows: list) -> None:
    data = series(file, target="sold", time="day", window=5, horizon=10)
    sold = numbers(rows, "sold")[:, 0]
    begins = range(160 + 5, LENGTH - 9)
    actual = np.stack([sold[b : b + 10] for b in begins])
    naive = np.stack([np.full(10, sold[b - 1]) for b in begins])
    week = np.stack([np.resize(sold[b - 7 : b], 10) for b in begins])
    found = baselines_of(data)
    assert [b.name for b in found] == ["the naive forecast", "the seasonal-naive forecast"]
    for baseline, forecast in zip(found, (naive, week), strict=True):
        assert baseline.value == pytest.approx(np.sqrt(((actual - forecast) ** 2).mean()), rel=1e-5)
    assert found[1].value < 0.3 * found[0].value


def test_several_targets_each_have_their_own_last_value(file: Path, rows: list) -> None:
    data = series(file, target=["sold", "sick"], window=5, horizon=2)
    values = numbers(rows, "sold", "sick")
    begins = range(160 + 5, LENGTH - 1)
    errors = np.stack([values[b : b + 2] - values[b - 1] for b in begins])
    (naive,) = baselines_of(data)
    assert naive.value == pytest.approx(np.sqrt((errors**2).mean()), rel=1e-5)


@pytest.mark.parametrize(
    ("step", "season"),
    [
        ("1mo", 12),
        ("3mo", 4),
        ("1w", 52),
        ("1d", 7),
        ("1h", 24),
        ("30m", 48),
        ("15m", 96),
        ("7m", 1),
        ("2d", 1),
    ],
)
def test_the_season_comes_from_the_times(step: str, season: int, tmp_path: Path) -> None:
    times = pl.datetime_range(datetime(2000, 1, 1), datetime(2400, 1, 1), step, eager=True).head(120)
    pl.DataFrame({"t": times, "y": np.arange(120) % 5}).write_parquet(tmp_path / "a.parquet")
    assert series(tmp_path / "a.parquet", target="y", time="t", window=5).season == season
    assert series(tmp_path / "a.parquet", target="y", time="t", window=5, season=5).season == 5
    assert series(tmp_path / "a.parquet", target="y", window=5).season == 1


def test_ends_of_months_are_a_month_apart(tmp_path: Path) -> None:
    ends = pl.date_range(date(2000, 1, 31), date(2009, 12, 31), "1mo", eager=True).dt.month_end()
    pl.DataFrame({"t": ends, "y": np.arange(120) % 5}).write_parquet(tmp_path / "a.parquet")
    data = series(tmp_path / "a.parquet", target="y", time="t", window=5)
    assert data.season == 12 and not any("evenly" in note for note in data.description.notes)


def test_the_airline_passengers_are_those_of_box_and_jenkins(own_files: Path) -> None:
    file = own_files / "AirPassengers.csv"
    data = series(file, target="Passengers", time="Month", window=12, horizon=12, validation=0.3)
    assert data.season == 12 and data.description.train_samples == 101 - 23
    # The mean of the 144 published values is 280.3, their deviation 119.97.
    whole = np.array([int(line.split(",")[1]) for line in file.read_text().splitlines()[1:]])
    assert whole.mean() == pytest.approx(280.2986, abs=1e-4) and whole.std(ddof=1) == pytest.approx(119.9663, abs=1e-4)


def test_months_by_name_are_read(tmp_path: Path) -> None:
    months = [[f"{date(1949 + m // 12, m % 12 + 1, 1):%b %Y}", n] for m, n in enumerate(airline.PASSENGERS)]
    file = written(tmp_path / "a.csv", months, ("date", "traffic"))
    assert series(file, target="traffic", time="date", window=12).season == 12


def test_missing_values_become_what_came_before(file: Path, rows: list) -> None:
    known = rows[30][1]
    rows[31][1] = rows[32][1] = ""
    data = series(written(file, rows, HEADER), target="sold", time="day", window=5, missing="previous")
    assert data.units is not None
    found = data.units.of(data.y[torch.tensor([26, 27])]).flatten()
    assert found.tolist() == pytest.approx([float(known)] * 2, rel=1e-5)


def test_each_fold_is_validated_on_what_comes_after_what_it_is_trained_on(file: Path) -> None:
    validated: list[int] = []
    for fold in range(1, 5):
        data = series(file, target="sold", time="day", window=10, fold=f"{fold}/4")
        train, validation = data.x.starts[data.train], data.x.starts[data.validation]
        assert int(train.max()) + 11 <= int(validation.min())
        assert data.learned["encoders"]["columns"][0]["mean"] == pytest.approx(
            numbers(days(), "sold")[: int(validation.min())].mean()
        )
        validated += (validation + 10).tolist()
    assert len(validated) == len(set(validated)) == 4 * (40 - 10)
    assert sorted(validated) == validated


def test_the_same_series_is_loaded_once_until_its_file_changes(file: Path, rows: list) -> None:
    asked = Data.model_validate({"source": "series", "path": str(file), "target": "sold", "window": 5})
    first = load_data(asked, seed=0)
    assert load_data(asked, seed=0) is first
    written(file, rows[:150], HEADER)
    assert load_data(asked, seed=0).description.train_samples < first.description.train_samples
