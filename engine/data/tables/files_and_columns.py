"""The files and columns that a document names for a table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import polars as pl

from engine.data.tables.column_forms import Kind
from engine.data.tables.columns import integers, texts
from engine.data.tables.files import NAMED
from engine.data.tables.finding_dates import find_numbers
from engine.data.tables.reading import Table, read, unknown_columns
from engine.data.tables.settings import TableSettings
from engine.experiment.mistakes import Mistake, Refused, collected, nearest

PATHS = ("data.path", "data.validation_path", "data.test_path")
"""The parameters that name files, in the order of their parts."""


def read_tables(source: TableSettings) -> dict[str, Table]:
    """Read the file of each part that has one, by the parameter that names it.

    Raises:
        Refused: with the mistakes of each file.
    """
    tables: dict[str, Table] = {}
    mistakes: list[Mistake] = []
    for where in PATHS:
        path = getattr(source, where.removeprefix("data."))
        if path is not None:
            with collected(mistakes):
                tables[where] = read(where, path, source.delimiter)
    if mistakes:
        raise Refused(mistakes)
    return tables


def with_known_names(source: TableSettings, main: Table) -> tuple[TableSettings, list[Mistake]]:
    """Remove names that are not columns of the file from the source, and return a mistake for each.

    The column that such a name probably means is excluded from checks, since its role is unknown.

    Raises:
        Refused: the target is unknown, or all named features are.
    """
    columns = main.frame.columns
    named = {field: getattr(source, field) for field in source.columns}
    given = {field: (names,) if isinstance(names, str) else names or () for field, names in named.items()}
    mistakes = unknown_columns(given, columns, main.path)
    if source.target is None:
        expected = f"expected one of the columns {', '.join(columns[:NAMED])}{' …' if len(columns) > NAMED else ''}"
        fix = "Name the column to predict."
        mistakes.insert(0, Mistake("data.target", "it is not set", expected, fix, subject=main.path))
    if not mistakes:
        return source, []
    unknown = {name for names in given.values() for name in names if name not in columns}
    known = {field: tuple(name for name in names if name in columns) for field, names in given.items()}
    if not known["target"] or (source.features and not known["features"]):
        raise Refused(mistakes)
    meant = {nearest(name, columns) for name in unknown} - {None, source.target, *known["features"]}
    update: dict[str, Any] = {**known, "exclude": (*known["exclude"], *sorted(filter(None, meant)))}
    update |= {"target": source.target, "group": source.group if known["group"] else None}
    return source.model_copy(update=update), mistakes


def feature_columns(source: TableSettings, main: Table, notes: list[str], *, leave_out: bool) -> list[str]:
    """Select the feature columns.

    Args:
        leave_out: whether columns of row numbers are left out, unless the document names them.

    Raises:
        Refused: no column is left.
    """
    columns = main.frame.columns
    apart = {source.target, source.group, *source.exclude}
    unnamed = {f"column {number}" for number in range(1, len(columns) + 1)}
    features = list(source.features) or [name for name in columns if name not in apart and name not in unnamed]
    if not features:
        fix = "Add a column to the file, or exclude fewer."
        raise Refused(Mistake("data.features", "no feature column is left", "expected at least one", fix))
    if source.features or not leave_out:
        return features
    named = {*source.numeric, *source.categorical, *source.dates}
    numbers = row_numbers(main.frame, [name for name in features if name not in named])
    kept = [name for name in features if name not in numbers]
    for name, reason in numbers.items():
        if kept:
            notes.append(f"{name} {reason}. It is left out; data.numeric = [{name!r}] includes it.")
        else:
            notes.append(f"{name} {reason}. It is used, because no other column is left.")
    return kept or features


def kinds_of(source: TableSettings) -> dict[str, Kind]:
    """The kinds of columns that the document sets, by name."""
    kinds: dict[str, Kind] = dict.fromkeys(source.numeric, "number")
    return kinds | dict.fromkeys(source.categorical, "category") | dict.fromkeys(source.dates, "date")


_INDEX = re.compile(r"__index_level_\d+__|Unnamed: \d+(_level_\d+)?")
"""Names that pandas writes for an index and for a column without a name."""
_IDENTIFIER = re.compile(
    r"(?i:index|idx|id|key|uid|row|no|nr|row[ _.-]?(id|nr|no|num|number|index)|.*[ _.-]id)|.*[a-z](Id|ID)"
)
_TIME = re.compile(
    r"(?i).*(year|quarter|month|day|week|hour|minute|second|period|date|time|stamp|epoch|jahr|monat|tag|datum|zeit).*"
)
_FEWEST_ROWS = 10
"""Fewer numbers may ascend by chance, or because they were sorted."""


def row_numbers(frame: pl.DataFrame, names: Iterable[str]) -> dict[str, str]:
    """Explain which columns number the rows and are therefore no features.

    Args:
        frame: the rows of the training file.
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
