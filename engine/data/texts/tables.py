"""Texts from the rows of files: a column with the text, one with its label."""

from __future__ import annotations

import numpy as np
import polars as pl

from engine.data.tables.columns import texts
from engine.data.tables.reading import Table, read
from engine.data.tables.rows import Rows
from engine.data.texts.labelled import TRAIN, Fault, Labelled, shortened
from engine.experiment.mistakes import Mistake, Refused, unknown_name

_SHOWN = 10


def from_tables(
    paths: tuple[str, str | None, str | None],
    *,
    text: str,
    target: str,
    group: str | None,
    classes: tuple[str, ...],
    delimiter: str,
) -> Labelled:
    """Every row that can be used, and every one that cannot.

    Args:
        paths: of the file that is trained on, and of those of the validation and the test part, if they have any.
        classes: labels of the rows to take; empty for all.

    Raises:
        Refused: a file cannot be read, or does not have the columns.
    """
    where = ("data.path", "data.validation_path", "data.test_path")
    tables = [read(at, path, delimiter) for at, path in zip(where, paths, strict=True) if path is not None]
    named = {"text": text, "target": target} | ({"group": group} if group is not None else {})
    columns = tables[0].frame.columns
    mistakes = [
        unknown_name(f"data.{field}", name, columns, f"a column of {tables[0].path}")
        for field, name in named.items()
        if name not in columns
    ]
    if mistakes:
        raise Refused(mistakes)
    rows = Rows.of(tables, list(dict.fromkeys(named.values())))
    part_of = [part for part, path in enumerate(paths) if path is not None]
    parts = np.repeat(part_of, [len(table.frame) for table in tables])
    _refuse_other_types(rows, text, target, group)
    return _labelled(rows, parts, paths, text, target, group, classes, tables)


def _refuse_other_types(rows: Rows, text: str, target: str, group: str | None) -> None:
    mistakes = []
    if (found := rows.frame[text].dtype) != pl.String:
        said = f"the column {text!r} is of the type {found}"
        mistakes.append(Mistake("data.text", said, "expected texts", "Name the column that holds the texts."))
    for field, name in (("target", target), ("group", group)):
        if name is not None and (rows.frame[name].dtype.is_nested() or rows.frame[name].dtype == pl.Binary):
            said = f"the column {name!r} is of the type {rows.frame[name].dtype}"
            mistakes.append(Mistake(f"data.{field}", said, "expected a name or a number in each row", "Name another."))
    if mistakes:
        raise Refused(mistakes)


def _labelled(
    rows: Rows,
    parts: np.ndarray[tuple[int], np.dtype[np.int64]],
    paths: tuple[str, str | None, str | None],
    text: str,
    target: str,
    group: str | None,
    classes: tuple[str, ...],
    tables: list[Table],
) -> Labelled:
    labels = texts(rows.frame[target]).to_list()
    trained = {label for label, part in zip(labels, parts, strict=True) if label and part == TRAIN}
    names = tuple(sorted(trained, key=_as_number))
    mistakes = [unknown_name("data.classes", n, names, f"a label of {target}") for n in classes if n not in trained]
    if mistakes:
        raise Refused(mistakes)
    own = int((parts == TRAIN).sum())
    if len(names) > max(2, own // 2):
        said = f"{target} has {len(names):,} different values in {own:,} rows"
        fix = "Name the column that holds the label."
        expected = "expected classes that have several texts each"
        raise Refused(Mistake("data.target", said, expected, fix, tables[0].path))
    names = tuple(name for name in names if name in classes) if classes else names
    found = Labelled(names, own=("", paths[1] or "", paths[2] or ""))
    found.notes += [note for table in tables for note in table.notes]
    number = {name: at for at, name in enumerate(names)}
    known = f"expected one of {', '.join(map(shortened, names[:_SHOWN]))}{' …' if len(names) > _SHOWN else ''}"
    together = texts(rows.frame[group]).to_list() if group is not None else None
    kept = []
    for row, (content, label) in enumerate(zip(rows.frame[text].to_list(), labels, strict=True)):
        if classes and label in trained and label not in number:
            continue
        column, what, expected = "", "", ""
        if content is None or not content.strip():
            column, what, expected = text, "it holds no text", "expected some"
        elif "\0" in content:
            column, what, expected = text, "it holds a null byte", "expected text"
        elif not label:
            column, what, expected = target, "it holds no label", known
        elif not label.isprintable():
            column, what, expected = target, f"{shortened(label)} cannot be printed", "expected letters and digits"
        elif label not in number:
            column, what, expected = target, f"{shortened(label)} is no label of the training file", known
        elif together is not None and not together[row]:
            column, what, expected = group or "", "it holds no group", "expected one"
        if what:
            table, place = rows.place(row)
            found.faults.append(Fault(table.path, f"{place}, column {column!r}: {what}", expected))
            continue
        kept.append(row)
        found.texts.append(content)
        found.labels.append(number[label])
        found.parts.append(int(parts[row]))
    if together is not None:
        found.groups = np.unique([together[row] for row in kept], return_inverse=True)[1].astype(np.int64)
    return found


def _as_number(label: str) -> tuple[float, str]:
    """Numbers in their order, before names in theirs."""
    try:
        return (float(label), label)
    except ValueError:
        return (float("inf"), label)
