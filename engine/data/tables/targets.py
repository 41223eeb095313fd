"""The column to be predicted: classes or a quantity, found from its values unless the document says which.

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
from engine.data.tables.finding_notation import Found, find
from engine.data.tables.fitting import check_numbers
from engine.data.tables.line_faults import NAMED
from engine.data.tables.rows import Faults, short
from engine.experiment.mistakes import Mistake, Refused

MOST_CLASSES = 20
"""Different whole numbers that are taken for classes; more are a quantity."""
_NO_CLASS = "{value} is no class of the training file"


@dataclass(frozen=True, slots=True)
class Classes:
    """Class numbers (N,) int64, and the names of the classes."""

    labels: NDArray[np.int64]
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Quantity:
    """How far each value is above `base` (N,)."""

    values: Floats
    notes: tuple[str, ...] = ()
    base: int = 0
    form: Form = field(kw_only=True)
    """How they are written."""


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
    """What a column asks for.

    Args:
        own: how many of the first rows are of the file itself, not of the files of the other parts. They decide.
        recorded: classes that come first, in this order.
        typed: whether the file says of all values that they are numbers.

    Raises:
        Refused: there is nothing to be told apart or predicted.
    """
    note = ""
    if of_no_use(column):
        found = f"the column {column.name!r} is of the type {column.dtype}"
        raise Refused(Mistake("data.target", found, "expected classes or numbers", "Name another column."))
    written: Found | None = None
    if column.dtype == pl.String and task != "classification":
        otherwise = 'take them as classes: data.task = "classification"'
        written = find(column.name, texts(column), reading.marks, typed=typed, otherwise=otherwise)
        if written is not None and written.mistake is not None:
            raise Refused(written.mistake)
        if written is not None:
            reading = replace(reading, notation=written.notation)
    if task == "auto" and written is not None and written.notation != reading.marks.default:
        fix = 'data.task = "classification" takes each for a class'
        task, note = "regression", f"{column.name} holds numbers and is a quantity to predict; {fix}."
    elif task == "auto":
        task, note = _task(column.head(own), reading)
    notes = (note,) if note else ()
    if task == "regression":
        gone = missing(column, reading)
        check_numbers(column, gone, reading, faults, 'Mend it, or set data.task = "classification".')
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
        fix = 'data.task = "classification" takes each number for a class'
        return "regression", f"{name} holds fractional numbers and is a quantity to predict; {fix}."
    if different > MOST_CLASSES:
        said = f"{name} holds {different:,} different whole numbers and is a quantity to predict"
        return "regression", f'{said}; data.task = "classification" takes each for a class.'
    said = f"{name} holds {different} different whole numbers and is taken for classes"
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
        raise Refused(Mistake("data.target", found, "expected classes that have several rows each", fix))
    once = [short(label) for label in names if by_name[label] == 1]
    if once:
        shown = ", ".join(once[:10]) + (" …" if len(once) > 10 else "")
        said = f"{len(once)} labels of {name} occur" if len(once) > 1 else f"The label {shown} of {name} occurs"
        listed = f" ({shown})" if len(once) > 1 else ""
        notes += (f"{said} only once{listed}: such a class can be trained on or validated on, not both.",)
    number = dict(zip(names, range(len(names)), strict=True))
    found_numbers = labels.replace_strict(number, default=-1, return_dtype=pl.Int64).to_numpy().astype(np.int64)
    known = f"expected one of {', '.join(map(short, names[:10]))}{' …' if len(names) > 10 else ''}"
    fix = "Have a row of every class in the file that is trained on."
    unknown = found_numbers < 0
    for label in labels.filter(unknown).unique(maintain_order=True).head(NAMED).to_list():
        if why := look_alike(label, names):
            here = (labels == label).to_numpy()
            faults.add(name, here, _NO_CLASS, why, "Write it as in the training file.")
            unknown &= ~here
    faults.add(name, unknown, _NO_CLASS, known, fix)
    return Classes(found_numbers, names, notes)
