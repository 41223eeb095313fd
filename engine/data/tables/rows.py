"""The rows of one or several files, their positions, and the faults of their values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from engine.data.splits import Indices
from engine.data.tables.columns import Bools
from engine.data.tables.files import NAMED
from engine.data.tables.reading import Table
from engine.experiment.mistakes import Mistake, Refused


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """N rows of files with the same columns, one file after another."""

    tables: tuple[Table, ...]
    frame: pl.DataFrame
    number: Indices
    """(N,) the index of each row among all rows of the files."""

    @classmethod
    def of(cls, tables: Iterable[Table], columns: list[str]) -> Rows:
        """Concatenate the rows of these columns. A column with different types in different files becomes text.

        Raises:
            Refused: a file lacks one of the columns.
        """
        tables = tuple(tables)
        first, *others = tables
        mistakes = [
            Mistake(
                table.where,
                f"it has no column {name!r}",
                f"expected the columns of {first.path}",
                f"Add it; it has {_listed(table.frame.columns)}.",
                subject=table.path,
            )
            for table in others
            for name in columns
            if name not in table.frame.columns
        ]
        if mistakes:
            raise Refused(mistakes)
        frames = [table.frame.select(columns) for table in tables]
        for name in columns:
            if len({frame[name].dtype for frame in frames}) > 1:
                frames = [frame.with_columns(pl.col(name).cast(pl.String)) for frame in frames]
        frame = pl.concat(frames)
        return cls(tables, frame, np.arange(len(frame), dtype=np.int64))

    def keep(self, kept: Bools) -> Rows:
        """Select rows by a mask (N,)."""
        return Rows(self.tables, self.frame.filter(pl.Series(kept)), self.number[kept])

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def typed(self) -> frozenset[str]:
        """Columns of texts that every file marks as numbers."""
        return frozenset.intersection(*(table.numbers for table in self.tables))

    @property
    def file(self) -> Indices:
        """(N,) the index of the file of each row."""
        ends = np.cumsum([len(table.frame) for table in self.tables])
        return np.searchsorted(ends, self.number, side="right").astype(np.int64)

    def place(self, row: int) -> tuple[Table, str]:
        """The file of a row, and its position there."""
        row = int(self.number[row])
        for table in self.tables:
            if row < len(table.frame):
                return table, table.place(row)
            row -= len(table.frame)
        raise IndexError(row)


class Faults:
    """Collects values that cannot be used; the first ones are listed, the others counted."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.mistakes: list[Mistake] = []
        self.more = 0

    def add(self, column: str, bad: Bools, what: str, expected: str, fix: str, repeated: str = "") -> None:
        """Add the values of a column in rows `bad` (N,): one mistake for each different value.

        Args:
            what: may contain {value}.
            repeated: a sentence on how to fix a value in several rows; may contain {value}.
        """
        rows = np.flatnonzero(bad)
        if not len(rows):
            return
        values = self.rows.frame[column].gather(rows)
        found = pl.DataFrame({"file": self.rows.file[rows], "value": values, "row": rows})
        each = found.group_by("file", "value", maintain_order=True).agg(pl.col("row").first(), pl.len().alias("count"))
        for value, row, count in each.select("value", "row", "count").rows():
            if len(self.mistakes) >= NAMED:
                self.more += count
                continue
            table, place = self.rows.place(row)
            said = short(value)
            others = f" (and in {count - 1:,} more row{'s' * (count > 2)})" if count > 1 else ""
            clause = f"{place}, column {column!r}: {what.format(value=said)}{others}"
            advice = f"{fix} {repeated.format(value=said)}" if count > 1 and repeated else fix
            self.mistakes.append(Mistake(table.where, clause, expected, advice, subject=table.path))

    def refuse(self) -> None:
        """Raise the collected mistakes, if there are any."""
        if self.more:
            self.mistakes.append(Mistake("data.path", f"{self.more:,} more values are wrong", "", "Fix these first."))
        if self.mistakes:
            raise Refused(self.mistakes)


def short(value: object) -> str:
    """A value for a sentence, shortened."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" … ({len(names):,} in all)" if len(names) > NAMED else "")
