"""What a document names of a table: its files, and the columns that go in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.data.tables.column_forms import Kind
from engine.data.tables.line_faults import NAMED
from engine.data.tables.reading import Table, read, unknown_columns
from engine.data.tables.row_numbers import row_numbers
from engine.experiment.mistakes import Mistake, Refused, collected, nearest

if TYPE_CHECKING:
    from engine.data.sources.table import Table as Source

PATHS = ("data.path", "data.validation_path", "data.test_path")
"""The parameters that name files, in the order of their parts."""


def read_tables(source: Source) -> dict[str, Table]:
    """The file of each part that has one, by the parameter that names it.

    Raises:
        Refused: with what is wrong with each of them.
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


def with_known_names(source: Source, main: Table) -> tuple[Source, list[Mistake]]:
    """The source without the names that are no columns of the file, and the mistake that each of them is.

    What is likely meant by such a name is excluded: nothing can be said of a column whose part is not known.

    Raises:
        Refused: the target is not known, or no feature of those that are named.
    """
    columns = main.frame.columns
    named = {field: getattr(source, field) for field in source.columns}
    given = {field: (names,) if isinstance(names, str) else names or () for field, names in named.items()}
    mistakes = unknown_columns(given, columns, main.path)
    if source.target is None:
        expected = f"expected one of the columns {', '.join(columns[:NAMED])}{' …' if len(columns) > NAMED else ''}"
        fix = "Name the column to be predicted."
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


def feature_columns(source: Source, main: Table, notes: list[str], *, leave_out: bool) -> list[str]:
    """The columns that go in.

    Args:
        leave_out: whether columns that number the rows are left out, unless the document names them.

    Raises:
        Refused: no column is left.
    """
    columns = main.frame.columns
    apart = {source.target, source.group, *source.exclude}
    unnamed = {f"column {number}" for number in range(1, len(columns) + 1)}
    features = list(source.features) or [name for name in columns if name not in apart and name not in unnamed]
    if not features:
        fix = "Have another column in the file, or exclude fewer."
        raise Refused(Mistake("data.features", "no column is left to go in", "expected at least one", fix))
    if source.features or not leave_out:
        return features
    named = {*source.numeric, *source.categorical, *source.dates}
    numbers = row_numbers(main.frame, [name for name in features if name not in named])
    kept = [name for name in features if name not in numbers]
    for name, reason in numbers.items():
        if kept:
            notes.append(f"{name} {reason}. It is left out; data.numeric = [{name!r}] keeps it.")
        else:
            notes.append(f"{name} {reason}. It is kept, because no other column is left.")
    return kept or features


def kinds_of(source: Source) -> dict[str, Kind]:
    """What the document says that columns hold, by their names."""
    kinds: dict[str, Kind] = dict.fromkeys(source.numeric, "number")
    return kinds | dict.fromkeys(source.categorical, "category") | dict.fromkeys(source.dates, "date")
