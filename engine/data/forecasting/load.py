"""Load windows and the values that follow them from a file of rows in time order.

L rows, F features (targets first), T = window.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import torch

from engine.data.dataset import Dataset, Units, dataset
from engine.data.forecasting.settings import SeriesSettings
from engine.data.forecasting.times import Times, checked
from engine.data.samples import Windows
from engine.data.spans import Spans
from engine.data.splits import Split, in_time
from engine.data.tables.column_forms import Form, form_mistakes, number_form, read_as
from engine.data.tables.columns import Bools, Floats, Reading, missing, numbers, of_no_use
from engine.data.tables.encoders import written
from engine.data.tables.files import NAMED
from engine.data.tables.fitting import check_numbers
from engine.data.tables.missing import counted, texts_read_as_missing, values_advice
from engine.data.tables.reading import Table, read, unknown_columns
from engine.data.tables.rows import Faults, Rows
from engine.experiment.mistakes import Mistake, Refused, collected


def load_series(source: SeriesSettings, split: Split) -> Dataset:
    """Load the dataset of a `series` source.

    Raises:
        Refused: with every mistake that was found.
    """
    table = read("data.path", source.path, source.delimiter)
    targets = _names(source, table)
    columns = [*targets, *source.features]
    time = [source.time] if source.time is not None else []
    rows = Rows.of([table], [*columns, *time])
    reading = Reading(
        missing_values=source.missing_values,
        marks=source.marks(first_rules=split.recorded.rules < 2),
        date_format=source.date_format,
    )
    notes = list(table.notes)

    faults = Faults(rows)
    typed, times = rows.typed, Times()
    mistakes: list[Mistake] = []
    if source.time is not None:
        with collected(mistakes):
            times = checked(rows.frame[source.time], reading, faults, typed=source.time in typed)
    forms: dict[str, Form] | None = None
    with collected(mistakes):
        forms = _forms(rows, columns, reading)
    with collected(mistakes):
        if forms is None:
            faults.refuse()
        else:
            values = _values(rows, forms, source.missing, faults, notes)
    if mistakes or forms is None:
        raise Refused(dict.fromkeys(mistakes))
    if source.time is not None and times.form is not None:
        forms[source.time] = times.form
    notes += [*read_as(forms), *times.notes]
    if source.time is None:
        notes.append("Rows are used in the order of the file. Set data.time to check a column of times.")

    spans = split.spans(len(rows))
    _refuse_too_short(source, spans, len(rows))
    fitted = values[: spans.train_end]
    differs = fitted.min(0) < fitted.max(0)
    _refuse_constant(targets, differs, fitted)
    notes += [
        f"{name} is {fitted[0, place]:g} in all of the training part and is left out."
        for place, name in enumerate(columns)
        if not differs[place]
    ]
    columns = [name for name, some in zip(columns, differs, strict=True) if some]
    values, fitted = values[:, differs], fitted[:, differs]
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = fitted.mean(0), fitted.std(0)
    if not np.isfinite(std).all():
        name = columns[int(np.isfinite(std).argmin())]
        found = f"the numbers of {name!r} reach {np.abs(values).max():.3g}"
        raise Refused(Mistake("data.target", found, "expected numbers whose squares can be summed", "Scale them."))

    starts, parts = in_time(spans, source.window + source.horizon, source.stride)
    known = torch.from_numpy(((values - mean) / std).astype(np.float32))
    begin = torch.from_numpy(starts)
    season = times.season if source.season == "auto" else source.season
    notes.append(
        f"Standardised by the first {spans.train_end:,} of {len(rows):,} rows; no window crosses the boundary of "
        "a part. Metrics are in the units of the file." + (f" A season has {season} steps." if season > 1 else "")
    )
    ahead = source.horizon
    return dataset(
        "series",
        "forecasting",
        "sequence",
        Windows(known, begin, source.window),
        Windows(known[:, : len(targets)].contiguous(), begin + source.window, ahead, flat=True),
        parts,
        features=tuple(columns),
        targets=tuple(targets),
        encoders={"columns": _learned(columns, mean, std, forms, reading)} | _times(source.time, times, reading),
        units=Units(
            scale=tuple(map(float, std[: len(targets)])) * ahead, offset=tuple(map(float, mean[: len(targets)])) * ahead
        ),
        season=season,
        notes=tuple(notes),
    )


def _learned(
    columns: list[str], mean: Floats, std: Floats, forms: dict[str, Form], reading: Reading
) -> list[dict[str, Any]]:
    figures = zip(columns, mean.tolist(), std.tolist(), strict=True)
    return [
        {"column": name, "mean": middle, "std": deviation}
        | ({} if reading.marks.first_rules else written(forms[name].notation))
        for name, middle, deviation in figures
    ]


def _times(name: str | None, times: Times, reading: Reading) -> dict[str, Any]:
    """The format of the times; empty for the first rules, which did not record it."""
    dates = times.form.dates if times.form is not None else None
    if name is None or dates is None or reading.marks.first_rules:
        return {}
    return {"time": {"column": name, "format": dates.format}}


def _forms(rows: Rows, columns: list[str], reading: Reading) -> dict[str, Form]:
    """How the numbers of each column are read, by name.

    Raises:
        Refused: a column contains no numbers, or numbers that can be read in several ways.
    """
    forms: dict[str, Form] = {}
    mistakes = []
    for name in columns:
        column = rows.frame[name]
        if of_no_use(column) or column.dtype.is_temporal():
            found = f"the column {name!r} is of the type {column.dtype}"
            mistakes.append(Mistake("data.target", found, "expected numbers", "Name another column."))
            continue
        forms[name] = number_form(column, missing(column, reading), reading, typed=name in rows.typed)
    if mistakes := mistakes + form_mistakes(forms):
        raise Refused(mistakes)
    return forms


def _names(source: SeriesSettings, table: Table) -> list[str]:
    """The target columns. Every name in the document is checked against the file."""
    columns = table.frame.columns
    targets = [source.target] if isinstance(source.target, str) else list(source.target)
    given = {"target": targets, "features": source.features, "time": [source.time] if source.time is not None else []}
    mistakes = unknown_columns(given, columns, table.path)
    if not targets:
        shown = ", ".join(columns[:NAMED]) + (" …" if len(columns) > NAMED else "")
        found, fix = f"expected one or several of the columns {shown}", "Name the column to forecast."
        mistakes.insert(0, Mistake("data.target", "it is not set", found, fix, subject=table.path))
    if mistakes:
        raise Refused(mistakes)
    return targets


def _values(rows: Rows, forms: dict[str, Form], rule: str, faults: Faults, notes: list[str]) -> Floats:
    """(L, F) finite numbers; with the rule `previous`, a missing one is the value before it."""
    mistakes: list[Mistake] = []
    first, absent = len(rows), dict[str, tuple[pl.Series, Bools]]()
    values = np.empty((len(rows), len(forms)))
    for place, (name, form) in enumerate(forms.items()):
        column, reading = rows.frame[name], form.reading
        gone = missing(column, reading)
        check_numbers(column, gone, reading, faults, "Fix it, or name another column.")
        values[:, place] = numbers(column, reading)
        if gone.any():
            absent[name] = (column, gone)
            first = min(first, int(gone.argmax()))
            if rule == "previous":
                faults.add(
                    name, _before_the_first(gone), "the value is missing, and so is every value before it", *NO_PREVIOUS
                )
                last = np.maximum.accumulate(np.where(gone, 0, np.arange(len(rows))))
                values[:, place] = values[last, place]
    if absent:
        table, at = rows.place(first)
        advice = values_advice(texts_read_as_missing(absent.values()))
        if rule == "refuse":
            found = f"values are missing ({counted(absent)}), the first of them in {at} of {table.path}"
            fix = 'Fill them, or set data.missing = "previous" to repeat the value before.' + advice
            mistakes.append(Mistake("data.missing", found, "expected a number in every row", fix))
        else:
            notes.append(f"Missing values ({counted(absent)}) are replaced by the value before them.{advice}")
    with collected(mistakes):
        faults.refuse()
    if mistakes:
        raise Refused(mistakes)
    return values


NO_PREVIOUS = ("expected one in the first row", "Remove the rows before the first value.")


def _before_the_first(gone: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.logical_and.accumulate(gone)


def _refuse_too_short(source: SeriesSettings, spans: Spans, length: int) -> None:
    reach, shortest = source.window + source.horizon, max(spans.shortest, 0)
    if shortest >= reach:
        return
    raise Refused(
        Mistake(
            "data.window",
            f"a window of {source.window:,} and the {source.horizon:,} to forecast span {reach:,} rows",
            f"the shortest part of the series has {shortest:,} of {length:,}",
            "Shorten window or horizon, or change the sizes of the parts.",
        )
    )


def _refuse_constant(targets: list[str], differs: np.ndarray[tuple[int], np.dtype[np.bool_]], fitted: Floats) -> None:
    mistakes = [
        Mistake(
            "data.target",
            f"every {name} of the training part is {fitted[0, place]:g}",
            "expected numbers that differ",
            "Name another column.",
        )
        for place, name in enumerate(targets)
        if not differs[place]
    ]
    if mistakes:
        raise Refused(mistakes)
