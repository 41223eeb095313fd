"""Encoders that turn columns into a network's input, learned from the training part: one encoder per column.

N rows. Each encoder outputs (N, k) and names its k features. For a missing value they are 0, which for standardised
numbers is the mean of the training part.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.data.spellings import spelled_as
from engine.data.tables.columns import Bools, Reading, above, seconds, texts
from engine.data.tables.finding_dates import Dates
from engine.data.tables.notation import PLAIN, Notation

Features = NDArray[np.floating[Any]]

YEAR_MONTHS, WEEK_DAYS, DAY_HOURS = 12, 7, 24
_DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder(ABC):
    """The base class of encoders of a column."""

    kind: ClassVar[str]
    column: str
    flag: bool = False
    """Whether an additional feature marks missing values."""

    @property
    def features(self) -> tuple[str, ...]:
        """The names of its features."""
        return (*self._names(), *((f"{self.column} missing",) if self.flag else ()))

    def encode(self, column: pl.Series, gone: Bools, reading: Reading) -> Features:
        """Encode every row as (N, k); `gone` (N,) marks rows without a value."""
        found = self._values(column, reading)
        found[gone] = 0.0
        return np.column_stack([found, gone]) if self.flag else found

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"kind": self.kind, "column": self.column, "flag": self.flag, **self._learned()}

    @abstractmethod
    def _names(self) -> tuple[str, ...]: ...

    @abstractmethod
    def _values(self, column: pl.Series, reading: Reading) -> Features: ...

    @abstractmethod
    def _learned(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Encoder):
    """(value - base - mean) / std."""

    kind: ClassVar[str] = "number"
    mean: float
    std: float
    notation: Notation = PLAIN
    base: int = 0
    """Subtracted first, exactly, for whole numbers that are too large for a float."""

    def _names(self) -> tuple[str, ...]:
        return (self.column,)

    def _values(self, column: pl.Series, reading: Reading) -> Features:
        reading = replace(reading, notation=self.notation)
        return ((above(column, self.base, reading) - self.mean) / self.std)[:, None]

    def _learned(self) -> dict[str, Any]:
        base = {"base": self.base} if self.base else {}
        return {"mean": self.mean, "std": self.std} | base | written(self.notation)


@dataclass(frozen=True, slots=True, kw_only=True)
class OneHot(Encoder):
    """A 1 at the index of the category; values that are not in the training part are all 0."""

    kind: ClassVar[str] = "one-hot"
    categories: tuple[str, ...]

    def _names(self) -> tuple[str, ...]:
        return tuple(f"{self.column}={category}" for category in self.categories)

    def _values(self, column: pl.Series, reading: Reading) -> Features:
        place = places(column, self.categories)
        found = np.zeros((len(place), len(self.categories)), dtype=np.float32)
        known = np.flatnonzero(place >= 0)
        found[known, place[known]] = 1.0
        return found

    def _learned(self) -> dict[str, Any]:
        return {"categories": list(self.categories)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordinal(Encoder):
    """The index of the category, standardised; 0 for values that are not in the training part."""

    kind: ClassVar[str] = "ordinal"
    categories: tuple[str, ...]
    mean: float
    std: float

    def _names(self) -> tuple[str, ...]:
        return (self.column,)

    def _values(self, column: pl.Series, reading: Reading) -> Features:
        place = places(column, self.categories)
        return np.where(place < 0, 0.0, (place - self.mean) / self.std)[:, None]

    def _learned(self) -> dict[str, Any]:
        return {"categories": list(self.categories), "mean": self.mean, "std": self.std}


@dataclass(frozen=True, slots=True, kw_only=True)
class Date(Encoder):
    """Seconds, standardised; month, weekday and, with times of day, hour as sine and cosine."""

    kind: ClassVar[str] = "date"
    dates: Dates | None
    mean: float
    std: float
    hours: bool

    def _names(self) -> tuple[str, ...]:
        circles = ("month", "weekday", *(("hour",) if self.hours else ()))
        return (self.column, *(f"{self.column} {circle} {f}" for circle in circles for f in ("sin", "cos")))

    def _values(self, column: pl.Series, reading: Reading) -> Features:
        at = seconds(column, self.dates)
        known = np.where(np.isfinite(at), at, self.mean)
        month = known.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64) % YEAR_MONTHS
        # 1970 began on a Thursday: Monday is 0.
        turns = [month / YEAR_MONTHS, (known // _DAY_S + 3) % WEEK_DAYS / WEEK_DAYS]
        turns += [known % _DAY_S / _DAY_S] if self.hours else []
        circles = [function(2 * np.pi * turn) for turn in turns for function in (np.sin, np.cos)]
        return np.column_stack([(known - self.mean) / self.std, *circles])

    def _learned(self) -> dict[str, Any]:
        format = self.dates.format if self.dates is not None else None
        return {"format": format, "mean": self.mean, "std": self.std, "hours": self.hours}


def written(notation: Notation) -> dict[str, Any]:
    """The notation of numbers as JSON values; empty for the usual notation."""
    return {"notation": notation.as_dict()} if notation != PLAIN else {}


def places(column: pl.Series, categories: tuple[str, ...]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """(N,) the index of each value among the categories, -1 if it is none of them."""
    number = dict(zip(categories, range(len(categories)), strict=True))
    values = texts(column)
    # A value may be a category in another Unicode form.
    number = {value: number[one] for value, one in spelled_as(values, categories).items()} | number
    found = values.replace_strict(number, default=-1, return_dtype=pl.Int64)
    return found.fill_null(-1).to_numpy().astype(np.int64)
