"""A table: CSV, TSV, JSON lines or Parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from engine.data.tables.settings import TableSettings

if TYPE_CHECKING:
    from engine.data.dataset import Dataset
    from engine.data.splits import Split


class Table(TableSettings):
    """Rows of columns. Numbers are standardised, categories one-hot, dates seconds and cyclic features.

    Everything that is learned about a column is learned from the training part.
    """

    name: ClassVar[str] = "table"
    summary: ClassVar[str] = "Rows of your own CSV, TSV, JSON lines or Parquet file, with one column to predict."
    when: ClassVar[str] = "To predict a class or a number from columns of numbers, categories and dates."

    endings: ClassVar[tuple[str, ...]] = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".pq")

    def load(self, split: Split) -> Dataset:
        """Vectors (F,) float32, and a class or a standardised number."""
        from engine.data.tables.load import load_table

        return load_table(self, split)
