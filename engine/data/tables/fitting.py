"""Learn the encoder of a column, only from its values in the training part.

M rows of the training part that have a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import polars as pl

from engine.data.class_order import in_order
from engine.data.spellings import united_column, united_note
from engine.data.splits import Indices
from engine.data.tables.column_forms import Form, Kind, form_of
from engine.data.tables.columns import (
    Bools,
    Floats,
    Reading,
    above,
    base_of,
    missing,
    numbers,
    of_no_use,
    seconds,
    texts,
)
from engine.data.tables.encoders import Date, Encoder, Number, OneHot, Ordinal, places
from engine.data.tables.finding_dates import Dates, find
from engine.data.tables.notation import PLAIN
from engine.data.tables.rows import Faults, short
from engine.experiment.mistakes import Mistake


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The settings of the document on columns."""

    reading: Reading
    kinds: dict[str, Kind]
    """Kinds that the document sets."""
    categories: Literal["one-hot", "ordinal"]
    most_categories: int
    flag_missing: bool
    recorded: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Categories that come first, in this order, by the name of their column."""
    typed: frozenset[str] = frozenset()
    """Columns of texts that the file marks as numbers."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """An encoder, or why there is none: a note on a column that is left out, or a mistake."""

    encoder: Encoder | None = None
    note: str = ""
    mistake: Mistake | None = None
    form: Form | None = None
    """How the column is read, if that was decided."""


def fitted(column: pl.Series, train: Indices, asked: Asked, faults: Faults) -> Fitted:
    """Fit the encoder of a column. Invalid values of any part are added to `faults`."""
    name, reading = column.name, asked.reading
    if of_no_use(column):
        found = f"the column {name!r} is of the type {column.dtype}"
        fix = f"Leave it out: data.exclude = [{name!r}]."
        return Fitted(mistake=Mistake("data.features", found, "expected numbers, texts or dates", fix))
    gone = missing(column, reading)
    there = column.gather(train[~gone[train]])
    if not len(there):
        return Fitted(note=f"{name} has no value in the training part and is left out.")
    flag = asked.flag_missing and bool(gone[train].any())
    otherwise = f"read them as categories: data.categorical = [{name!r}]"
    form = form_of(column, gone, train, reading, asked.kinds.get(name), otherwise, typed=name in asked.typed)
    if form.mistake is not None:
        return Fitted(form=form)
    match form.kind:
        case "number":
            return replace(_number(column, there, gone, flag, form.reading, faults), form=form)
        case "date":
            return replace(_date(column, there, gone, flag, form, faults), form=form)
        case "category":
            return _category(name, there, flag, asked)


def _number(column: pl.Series, there: pl.Series, gone: Bools, flag: bool, reading: Reading, faults: Faults) -> Fitted:
    name = column.name
    check_numbers(column, gone, reading, faults, f"Fix it, or add {name!r} to data.categorical.")
    base = base_of(there, reading)
    values = above(there, base, reading)
    values = values[np.isfinite(values)]
    if not len(values):
        return Fitted()  # each value is a fault
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = values.mean(), values.std()
    if not np.isfinite(std):
        found = f"the numbers of {name!r} reach {np.abs(values + base).max():.3g}"
        fix = f"Scale them, or leave them out: data.exclude = [{name!r}]."
        return Fitted(mistake=Mistake("data.features", found, "expected numbers whose squares can be summed", fix))
    if values.min() == values.max():
        return Fitted(note=f"{name} is {values[0] + base:.15g} in all of the training part and is left out.")
    notation = reading.notation or reading.marks.default
    return Fitted(Number(column=name, flag=flag, mean=float(mean), std=float(std), base=base, notation=notation))


def check_numbers(column: pl.Series, gone: Bools, reading: Reading, faults: Faults, fix: str) -> None:
    """Add values that are not finite numbers to `faults`."""
    name, values = column.name, numbers(column, reading)
    no_number = np.isnan(values) & ~gone
    if no_number.sum() > 1 and not (~np.isnan(values)).any():
        # One mistake for the column, which names the first value.
        no_number = np.arange(len(column)) == no_number.argmax()
        expected, others = "expected numbers", ", like all others"
    else:
        expected, others = "expected a number, as in most other rows", ""
    if column.dtype == pl.String and (reading.notation or reading.marks.default) == PLAIN:
        commas = column.str.strip_chars().str.contains(r"^[+-]?\d+,\d+$").fill_null(False).to_numpy()
        wrong = f"{{value}} has a decimal comma{others}"
        faults.add(name, no_number & commas, wrong, "expected a decimal point", COMMAS_FIX if others else "Fix it.")
        no_number &= ~commas
    faults.add(name, no_number, f"{{value}} is not a number{others}", expected, fix, NO_VALUE_FIX)
    faults.add(name, np.isinf(values), "{value} is not finite", "expected a finite number", "Fix it.")


COMMAS_FIX = 'Set data.decimal = "auto".'
NO_VALUE_FIX = "If {value} means a missing value, add it to data.missing_values."


def _category(name: str, there: pl.Series, flag: bool, asked: Asked) -> Fitted:
    begun = asked.recorded.get(name, ())
    found, changed = united_column(texts(there), begun)
    note = united_note(f"Categories of {name}", changed)
    categories = in_order(found.unique().to_list(), begun)
    if len(categories) == 1:
        return Fitted(note=f"{name} is {short(categories[0])} in all of the training part and is left out.")
    if len(categories) > asked.most_categories:
        return Fitted(
            mistake=Mistake(
                "data.features",
                f"the column {name!r} has {len(categories):,} different texts in {len(there):,} rows of the training "
                "part",
                f"expected at most {asked.most_categories:,}",
                f"Leave it out (data.exclude = [{name!r}]), or raise data.most_categories.",
            )
        )
    if asked.categories == "one-hot":
        return Fitted(OneHot(column=name, flag=flag, categories=categories), note)
    order = places(found, categories)
    mean, std = float(order.mean()), float(order.std())
    return Fitted(Ordinal(column=name, flag=flag, categories=categories, mean=mean, std=std), note)


def _date(column: pl.Series, there: pl.Series, gone: Bools, flag: bool, form: Form, faults: Faults) -> Fitted:
    name, dates = column.name, form.dates
    check_dates(column, gone, dates, faults, f"Fix it, or add {name!r} to data.categorical.")
    at = seconds(there, dates)
    at = at[np.isfinite(at)]
    if not len(at):
        return Fitted()
    if at.min() == at.max():
        return Fitted(note=f"{name} is the same date in all of the training part and is left out.")
    hours = bool((at % 86_400 != 0).any())
    return Fitted(Date(column=name, flag=flag, dates=dates, mean=float(at.mean()), std=float(at.std()), hours=hours))


def check_dates(column: pl.Series, gone: Bools, dates: Dates | None, faults: Faults, fix: str) -> Floats:
    """(N,) seconds since 1970. Values that are not dates are added to `faults`."""
    name, at = column.name, seconds(column, dates)
    bad = np.isnan(at) & ~gone
    if dates is None or not bad.any():
        return at
    expected = f"expected one like {dates.like}"
    if bad.sum() > 1 and np.isnan(at).all():
        # One mistake for the column, which names the first value.
        others = find(name, texts(column.filter(pl.Series(bad))))
        bad = np.arange(len(column)) == bad.argmax()
        expected += "; no other value is one either"
        fix = f'Set data.date_format = "{others.like}".' if others and others.like else fix
    faults.add(name, bad, "{value} is not a date", expected, fix)
    return at
