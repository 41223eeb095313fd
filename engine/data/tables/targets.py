"""The column to predict: classes or a number, decided from its values unless the document sets the task.

N rows, all of which have a target.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.data.class_order import in_order
from engine.data.spellings import look_alike, united_column, united_note
from engine.data.tables.column_forms import Form
from engine.data.tables.columns import (
    Floats,
    Reading,
    above,
    base_of,
    integers,
    is_category,
    missing,
    numbers,
    of_no_use,
    texts,
    whole,
)
from engine.data.tables.files import NAMED
from engine.data.tables.finding_notation import Found, find
from engine.data.tables.fitting import check_numbers
from engine.data.tables.rows import Faults, short
from engine.experiment.mistakes import Mistake, Refused

MOST_CLASSES = 20
"""Maximum number of different whole numbers that are read as classes."""
_NO_CLASS = "{value} is not a class of the training file"


@dataclass(frozen=True, slots=True)
class Classes:
    """Class numbers (N,) int64, and the names of the classes."""

    labels: NDArray[np.int64]
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Quantity:
    """Numbers to predict: each value minus `base` (N,)."""

    values: Floats
    notes: tuple[str, ...] = ()
    base: int = 0
    form: Form = field(kw_only=True)
    """How the numbers are read."""


def target(
    column: pl.Series,
    own: int,
    task: Literal["auto", "classification", "regression"],
    reading: Reading,
    faults: Faults,
    recorded: tuple[str, ...] = (),
    *,
    typed: bool = False,
) -> Classes | Quantity:
    """Read the target column.

    Args:
        own: number of rows of the training file, which come first. They decide.
        recorded: classes that come first, in this order.
        typed: whether the file marks all values as numbers.

    Raises:
        Refused: there is only one class, or the values cannot be read.
    """
    note = ""
    if of_no_use(column):
        found = f"the column {column.name!r} is of the type {column.dtype}"
        raise Refused(Mistake("data.target", found, "expected classes or numbers", "Name another column."))
    written: Found | None = None
    if column.dtype == pl.String and task != "classification":
        otherwise = 'read them as classes: data.task = "classification"'
        written = find(column.name, texts(column), reading.marks, typed=typed, otherwise=otherwise)
        if written is not None and written.mistake is not None:
            raise Refused(written.mistake)
        if written is not None:
            reading = replace(reading, notation=written.notation)
    if task == "auto" and written is not None and written.notation != reading.marks.default:
        fix = 'data.task = "classification" reads each as a class'
        task, note = "regression", f"{column.name} contains numbers and is read as a number to predict; {fix}."
    elif task == "auto":
        task, note = _task(column.head(own), reading)
    notes = (note,) if note else ()
    if task == "regression":
        gone = missing(column, reading)
        check_numbers(column, gone, reading, faults, 'Fix it, or set data.task = "classification".')
        base = base_of(column, reading)
        form = Form(kind="number", reading=reading, note=written.note if written else "", found=written)
        return Quantity(above(column, base, reading), notes, base, form=form)
    return _classes(column, own, faults, notes, recorded)


def _task(column: pl.Series, reading: Reading) -> tuple[Literal["classification", "regression"], str]:
    name = column.name
    if is_category(column):
        return "classification", ""
    values = numbers(column, reading)
    is_truth = column.dtype == pl.Boolean or (
        column.dtype == pl.String and bool(texts(column).str.to_lowercase().is_in(["true", "false"]).all())
    )
    if is_truth or np.isnan(values).mean() >= 0.5:
        return "classification", ""
    different = integers(column).n_unique()
    if not whole(column):
        fix = 'data.task = "classification" reads each number as a class'
        return "regression", f"{name} contains fractional numbers and is read as a number to predict; {fix}."
    if different > MOST_CLASSES:
        said = f"{name} contains {different:,} different whole numbers and is read as a number to predict"
        return "regression", f'{said}; data.task = "classification" reads each as a class.'
    said = f"{name} contains {different} different whole numbers and is read as classes"
    return "classification", f'{said}; data.task = "regression" predicts the number.'


def _classes(column: pl.Series, own: int, faults: Faults, notes: tuple[str, ...], recorded: tuple[str, ...]) -> Classes:
    name = column.name
    labels, changed = united_column(texts(column), recorded)
    notes += tuple(filter(None, [united_note(f"Labels of {name}", changed)]))
    counts = labels.head(own).value_counts(name="count")
    by_name = dict(zip(*(counts[c].to_list() for c in counts.columns), strict=True))
    names = in_order(by_name, recorded)
    if len(names) == 1:
        found = f"every {name} is {short(names[0])}"
        raise Refused(Mistake("data.target", found, "expected at least two classes", "Add rows of another class."))
    if len(names) > max(2, own // 2):
        found = f"{name} has {len(names):,} different values in {own:,} rows"
        fix = 'Name another column, or, if these are numbers, set data.task = "regression".'
        raise Refused(Mistake("data.target", found, "expected classes with several rows each", fix))
    once = [short(label) for label in names if by_name[label] == 1]
    if once:
        shown = ", ".join(once[:10]) + (" …" if len(once) > 10 else "")
        said = f"{len(once)} labels of {name} occur" if len(once) > 1 else f"The label {shown} of {name} occurs"
        listed = f" ({shown})" if len(once) > 1 else ""
        notes += (f"{said} only once{listed}: such a class can only be in one part.",)
    number = dict(zip(names, range(len(names)), strict=True))
    found_numbers = labels.replace_strict(number, default=-1, return_dtype=pl.Int64).to_numpy().astype(np.int64)
    known = f"expected one of {', '.join(map(short, names[:10]))}{' …' if len(names) > 10 else ''}"
    fix = "Add a row of every class to the training file."
    unknown = found_numbers < 0
    for label in labels.filter(unknown).unique(maintain_order=True).head(NAMED).to_list():
        if why := look_alike(label, names):
            here = (labels == label).to_numpy()
            faults.add(name, here, _NO_CLASS, why, "Spell it as in the training file.")
            unknown &= ~here
    faults.add(name, unknown, _NO_CLASS, known, fix)
    return Classes(found_numbers, names, notes)
