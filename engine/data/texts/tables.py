"""Read labelled texts from rows of files: a column with the text and one with its label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.data.class_order import in_order
from engine.data.spellings import look_alike, united_column, united_note
from engine.data.tables.columns import of_no_use, texts
from engine.data.tables.reading import Table, read, unknown_columns
from engine.data.tables.rows import Rows
from engine.data.texts.labelled import TRAIN, Fault, Labelled, shortened
from engine.data.words import one_form
from engine.experiment.mistakes import Mistake, Refused, unknown_name
from engine.printable import is_printable

_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The columns of text, label and group."""

    text: str
    target: str
    group: str | None = None
    classes: tuple[str, ...] = ()
    """Labels of the rows to use; empty for all."""
    recorded: tuple[str, ...] = ()
    """Labels that come first, in this order."""

    def mistakes(self, there: list[str], path: str) -> list[Mistake]:
        """The mistakes of columns that a file does not have."""
        named = {
            "text": (self.text,),
            "target": (self.target,),
            "group": (self.group,) if self.group is not None else (),
        }
        return unknown_columns(named, there, path)

    @property
    def names(self) -> list[str]:
        """All column names without repetition."""
        return list(dict.fromkeys(name for name in (self.text, self.target, self.group) if name is not None))


def from_files(paths: tuple[str, str | None, str | None], columns: Columns, delimiter: str) -> Labelled:
    """Read every row of files, and record those that cannot be used.

    Args:
        paths: the training file, and the files of the validation and test part or None.

    Raises:
        Refused: a file cannot be read, or lacks the columns.
    """
    where = ("data.path", "data.validation_path", "data.test_path")
    read_ = [None if path is None else read(at, path, delimiter) for at, path in zip(where, paths, strict=True)]
    return from_tables((read_[0], read_[1], read_[2]), columns)


def from_tables(tables: tuple[Table | None, Table | None, Table | None], columns: Columns) -> Labelled:
    """Read every row of tables, and record those that cannot be used.

    Args:
        tables: the training table, and the validation and test tables or None.

    Raises:
        Refused: a table lacks the columns, or they have other types.
    """
    given = [(part, table) for part, table in enumerate(tables) if table is not None]
    first = given[0][1]
    if mistakes := columns.mistakes(first.frame.columns, first.path):
        raise Refused(mistakes)
    rows = Rows.of([table for _, table in given], columns.names)
    parts = np.repeat([part for part, _ in given], [len(table.frame) for _, table in given])
    _refuse_other_types(rows, columns.text, columns.target, columns.group)
    found = _labelled(rows, parts, columns)
    _, validation, test = tables
    found.own = ("", validation.path if validation else "", test.path if test else "")
    found.notes += [note for _, table in given for note in table.notes]
    return found


def _refuse_other_types(rows: Rows, text: str, target: str, group: str | None) -> None:
    mistakes = []
    if (found := rows.frame[text].dtype) != pl.String:
        said = f"the column {text!r} is of the type {found}"
        mistakes.append(Mistake("data.text", said, "expected texts", "Name the column with the texts."))
    for field, name in (("target", target), ("group", group)):
        if name is not None and of_no_use(rows.frame[name]):
            said = f"the column {name!r} is of the type {rows.frame[name].dtype}"
            mistakes.append(Mistake(f"data.{field}", said, "expected a name or a number in each row", "Name another."))
    if mistakes:
        raise Refused(mistakes)


def _labelled(rows: Rows, parts: NDArray[np.int64], columns: Columns) -> Labelled:
    text, target, group, classes = columns.text, columns.target, columns.group, columns.classes
    united, changed = united_column(texts(rows.frame[target]), columns.recorded)
    labels = united.to_list()
    trained = dict.fromkeys(label for label, part in zip(labels, parts, strict=True) if label and part == TRAIN)
    names = in_order(trained, columns.recorded)
    form = {one_form(name): name for name in names}
    classes = tuple(form.get(one_form(name), name) for name in classes)
    mistakes = [unknown_name("data.classes", n, names, f"a label of {target}") for n in classes if n not in trained]
    if mistakes:
        raise Refused(mistakes)
    own = int((parts == TRAIN).sum())
    if len(names) > max(2, own // 2):
        said = f"{target} has {len(names):,} different values in {own:,} rows"
        fix = "Name the column with the label."
        expected = "expected classes with several texts each"
        raise Refused(Mistake("data.target", said, expected, fix, rows.tables[0].path))
    names = tuple(name for name in names if name in classes) if classes else names
    note = united_note(f"Labels of {target}", changed)
    found = Labelled(names, notes=[note] if note else [])
    number = {name: at for at, name in enumerate(names)}
    known = f"expected one of {', '.join(map(shortened, names[:_SHOWN]))}{' …' if len(names) > _SHOWN else ''}"
    together = united_column(texts(rows.frame[group]))[0].to_list() if group is not None else None
    kept = []
    for row, (content, label) in enumerate(zip(rows.frame[text].to_list(), labels, strict=True)):
        if classes and label in trained and label not in number:
            continue
        column, what, expected = "", "", ""
        if content is None or not content.strip():
            column, what, expected = text, "it contains no text", "expected some"
        elif "\0" in content:
            column, what, expected = text, "it contains a null byte", "expected text"
        elif not label:
            column, what, expected = target, "it contains no label", known
        elif not is_printable(label):
            what = f"{shortened(label)} is not printable"
            column, expected = target, look_alike(label, names) or "expected letters and digits"
        elif label not in number:
            what = f"{shortened(label)} is not a label of the training file"
            column, expected = target, look_alike(label, names) or known
        elif together is not None and not together[row]:
            column, what, expected = group or "", "it contains no group", "expected one"
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
