"""Which encoder a column needs, learned from its values in the training part and from nothing else.

M rows of the training part that have a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import polars as pl

from engine.data.class_order import in_order
from engine.data.spellings import united_column, united_note
from engine.data.splits import Indices
from engine.data.tables.columns import Bools, Reading, date_formats, is_date, missing, numbers, seconds, texts
from engine.data.tables.encoders import Date, Encoder, Number, OneHot, Ordinal, places
from engine.data.tables.rows import Faults, short
from engine.experiment.mistakes import Mistake

Kind = Literal["number", "category", "date"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the document says on columns."""

    reading: Reading
    kinds: dict[str, Kind]
    """Of the columns whose kind is not to be found out."""
    categories: Literal["one-hot", "ordinal"]
    most_categories: int
    flag_missing: bool
    recorded: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Categories that come first, in this order, by the name of their column."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """An encoder, or why there is none: a sentence for the column that is left out, or a mistake."""

    encoder: Encoder | None = None
    note: str = ""
    mistake: Mistake | None = None


def fitted(column: pl.Series, train: Indices, asked: Asked, faults: Faults) -> Fitted:
    """The encoder of a column. Values of any part that it cannot take go to `faults`."""
    name, reading = column.name, asked.reading
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object, pl.Time, pl.Duration):
        found = f"the column {name!r} is of the type {column.dtype}"
        fix = f"Leave it out: data.exclude = [{name!r}]."
        return Fitted(mistake=Mistake("data.features", found, "expected numbers, texts or dates", fix))
    gone = missing(column, reading)
    there = column.gather(train[~gone[train]])
    if not len(there):
        return Fitted(note=f"{name} has no value in the training part and is left out.")
    flag = asked.flag_missing and bool(gone[train].any())
    kind = asked.kinds.get(name) or _kind(there, reading)
    match kind:
        case "number":
            return _number(column, there, gone, flag, asked, faults)
        case "date":
            return _date(column, there, gone, flag, asked, faults)
        case "category":
            return _category(name, there, flag, asked)


def _kind(there: pl.Series, reading: Reading) -> Kind:
    """A column is of what more than half of its values are; those that are not are faults."""
    if is_date(there) or _is_written_as_a_date(there, reading):
        return "date"
    if there.dtype.is_numeric() or there.dtype == pl.Boolean:
        return "number"
    if there.dtype != pl.String:
        return "category"
    if (~np.isnan(numbers(there, reading))).mean() > 0.5:
        return "number"
    return "date" if reading.date_format is None and date_formats(there, reading) else "category"


def _is_written_as_a_date(there: pl.Series, reading: Reading) -> bool:
    """Whether it is as the document says that dates are written; a number may be, too: 20240131 by %Y%m%d."""
    return reading.date_format is not None and bool(np.isfinite(seconds(there, reading.date_format)).mean() > 0.5)


def _number(column: pl.Series, there: pl.Series, gone: Bools, flag: bool, asked: Asked, faults: Faults) -> Fitted:
    name, reading = column.name, asked.reading
    check_numbers(column, gone, reading, faults, f"Mend it, or put {name!r} into data.categorical.")
    values = numbers(there, reading)
    values = values[np.isfinite(values)]
    if not len(values):
        return Fitted()  # each of them is a fault
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = values.mean(), values.std()
    if not np.isfinite(std):
        found = f"the numbers of {name!r} reach {np.abs(values).max():.3g}"
        fix = f"Scale them, or leave them out: data.exclude = [{name!r}]."
        return Fitted(mistake=Mistake("data.features", found, "expected numbers whose squares can be summed", fix))
    if values.min() == values.max():
        return Fitted(note=f"{name} is {values[0]:g} in all of the training part and is left out.")
    return Fitted(Number(column=name, flag=flag, mean=float(mean), std=float(std)))


def check_numbers(column: pl.Series, gone: Bools, reading: Reading, faults: Faults, fix: str) -> None:
    """Find the values that are there and are no finite numbers."""
    name, values = column.name, numbers(column, reading)
    no_number = np.isnan(values) & ~gone
    if no_number.sum() > 1 and not (~np.isnan(values)).any():
        # One sentence for the column, which says of its first value what holds for all of them.
        no_number = np.arange(len(column)) == no_number.argmax()
        expected, others = "expected numbers", ", as all others"
    else:
        expected, others = "expected a number as in most other rows", ""
    if column.dtype == pl.String and reading.decimal == ".":
        commas = column.str.strip_chars().str.contains(r"^[+-]?\d+,\d+$").fill_null(False).to_numpy()
        faults.add(name, no_number & commas, f"{{value}} has a decimal comma{others}", "expected a number", DECIMAL_FIX)
        no_number &= ~commas
    faults.add(name, no_number, f"{{value}} is no number{others}", expected, fix)
    faults.add(name, np.isinf(values), "{value} is not finite", "expected a finite number", "Mend it.")


DECIMAL_FIX = 'Set data.decimal = ",".'


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


def _date(column: pl.Series, there: pl.Series, gone: Bools, flag: bool, asked: Asked, faults: Faults) -> Fitted:
    name, format = column.name, None
    if not is_date(column):
        formats = date_formats(texts(there), asked.reading)
        if len(formats) != 1:
            return Fitted(mistake=date_mistake(name, there[0], formats))
        (format,) = formats
        column, there = texts(column), texts(there)
    bad = np.isnan(seconds(column, format)) & ~gone
    fix = f"Mend it, or put {name!r} into data.categorical."
    faults.add(name, bad, "{value} is no date", f"expected one like {format}", fix)
    at = seconds(there, format)
    at = at[np.isfinite(at)]
    if not len(at):
        return Fitted()
    if at.min() == at.max():
        return Fitted(note=f"{name} is the same date in all of the training part and is left out.")
    hours = bool((at % 86_400 != 0).any())
    return Fitted(Date(column=name, flag=flag, format=format, mean=float(at.mean()), std=float(at.std()), hours=hours))


def date_mistake(name: str, example: object, formats: object) -> Mistake:
    """Dates that no format fits, or that several fit alike."""
    if formats:
        found = f"the dates of {name!r}, such as {short(example)}, can be read as {' and as '.join(formats)}"  # type: ignore[arg-type]
        return Mistake("data.date_format", found, "expected one way to read them", "Set data.date_format to one.")
    found = f"the column {name!r} holds {short(example)}"
    return Mistake("data.date_format", found, "expected dates", 'Say how they are written, such as "%d.%m.%y".')
