"""Columns that number the rows: a network learns the order of the file from them, and nothing about other rows."""

from __future__ import annotations

import re
from collections.abc import Iterable

import polars as pl

from engine.data.tables.columns import integers, texts
from engine.data.tables.finding_dates import find_numbers

_INDEX = re.compile(r"__index_level_\d+__|Unnamed: \d+(_level_\d+)?")
"""How pandas names an index that it writes into a file, and a column without a name."""
_IDENTIFIER = re.compile(
    r"(?i:index|idx|id|key|uid|row|no|nr|row[ _.-]?(id|nr|no|num|number|index)|.*[ _.-]id)|.*[a-z](Id|ID)"
)
_TIME = re.compile(
    r"(?i).*(year|quarter|month|day|week|hour|minute|second|period|date|time|stamp|epoch|jahr|monat|tag|datum|zeit).*"
)
_FEWEST_ROWS = 10
"""Fewer numbers than these may ascend by chance, or since a person sorted them."""


def row_numbers(frame: pl.DataFrame, names: Iterable[str]) -> dict[str, str]:
    """Why each of these columns is no feature; columns that may be one are left out.

    Args:
        frame: the rows of the file that is trained on.
    """
    found = {name: _reason(frame[name]) for name in names}
    return {name: reason for name, reason in found.items() if reason}


def _reason(column: pl.Series) -> str:
    name = column.name.strip()
    if _INDEX.fullmatch(name):
        return "is an index that pandas wrote"
    values = integers(column)
    if len(values) < 2 or values.null_count() or values.n_unique() != len(values):
        return ""
    if _IDENTIFIER.fullmatch(name):
        return "has a different whole number in every row, like an identifier"
    if len(values) >= _FEWEST_ROWS and values.is_sorted() and not _of_time(column):
        return "is a whole number that increases from row to row, like a row number"
    return ""


def _of_time(column: pl.Series) -> bool:
    if _TIME.fullmatch(column.name):
        return True
    there = texts(column) if column.dtype == pl.String else column
    return find_numbers(column.name, there, asked=False) is not None
