"""Your own series: columns of numbers in order of time."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from engine.data.description import Task
from engine.data.forecasting.settings import SeriesSettings

if TYPE_CHECKING:
    from engine.data.dataset import Dataset
    from engine.data.splits import Split


class Series(SeriesSettings):
    """Windows of one or several columns, and the values that follow each window.

    Parts follow one another in time, and all columns are standardised by the training part.
    """

    name: ClassVar[str] = "series"
    summary: ClassVar[str] = "Windows of the columns of a CSV, TSV, JSON lines or Parquet file, and what follows them."
    when: ClassVar[str] = "To forecast your own numbers, compared with the naive and the seasonal-naive forecast."

    only_task: ClassVar[Task | None] = "forecasting"

    def load(self, split: Split) -> Dataset:
        """Sequences (T=window, F) and the next `horizon` values of every target, in order of time."""
        from engine.data.forecasting.load import load_series

        return load_series(self, split)
