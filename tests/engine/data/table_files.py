"""Files of rows, written for tests."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.data import Dataset, load_data
from engine.data.load import forget
from engine.experiment import Data

HEADER = ("age", "city", "born", "member", "species")
CITIES = ("Bonn", "Köln", "Ulm")


def people(rows: int = 60, seed: int = 0) -> list[list[Any]]:
    """Rows of a number, a category, a date, a truth and a class."""
    rng = np.random.default_rng(seed)
    return [
        [
            f"{rng.normal(40, 10):.3f}",
            CITIES[rng.integers(3)],
            f"{1950 + rng.integers(60)}-{1 + rng.integers(12):02d}-{1 + rng.integers(28):02d}",
            ("true", "false")[rng.integers(2)],
            ("cat", "dog")[row % 2],
        ]
        for row in range(rows)
    ]


def written(path: Path, rows: Iterable[Sequence[Any]], header: Sequence[str] = HEADER, delimiter: str = ",") -> Path:
    """A file of separated fields."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    return path


def table(path: Path | str, **fields: Any) -> Dataset:
    """The data set of a table, read again."""
    forget()
    return load_data(Data.model_validate({"source": "table", "path": str(path), **fields}), seed=0)


def series(path: Path | str, **fields: Any) -> Dataset:
    """The data set of a series, read again."""
    forget()
    return load_data(Data.model_validate({"source": "series", "path": str(path), **fields}), seed=0)
