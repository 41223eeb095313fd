"""Load a dataset from files of rows: split, learn encoders from the training part, encode every row."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.data.dataset import Dataset, Units, dataset
from engine.data.description import DataRefused, Task
from engine.data.progress import progress
from engine.data.spellings import united_column
from engine.data.splits import Indices, Parts, Split
from engine.data.tables.column_forms import form_mistakes, read_as
from engine.data.tables.columns import Bools, Reading, missing, of_no_use, texts
from engine.data.tables.encoders import Encoder, written
from engine.data.tables.files_and_columns import PATHS, feature_columns, kinds_of, read_tables, with_known_names
from engine.data.tables.fitting import Asked, Fitted, fitted
from engine.data.tables.missing import (
    feature_mistakes,
    feature_note,
    incomplete_rows,
    target_mistakes,
    target_notes,
)
from engine.data.tables.rows import Faults, Rows
from engine.data.tables.settings import TableSettings
from engine.data.tables.targets import Classes, Quantity, target
from engine.experiment.mistakes import Mistake, Refused, collected
from engine.free_memory import free_host_memory

_PROGRESS_FROM = 1 << 26
"""Bytes of features from which progress is reported."""


def load_table(source: TableSettings, split: Split) -> Dataset:
    """Load the dataset of a `table` source.

    Raises:
        Refused: with every mistake that was found.
    """
    first_rules = split.recorded.rules < 2
    tables = read_tables(source)
    main = tables["data.path"]
    notes = [note for table in tables.values() for note in table.notes]
    source, mistakes = with_known_names(source, main)
    features = feature_columns(source, main, notes, leave_out=not first_rules)
    assert source.target is not None
    apart = {"target": source.target} | ({"group": source.group} if source.group is not None else {})
    rows = Rows.of(tables.values(), list(dict.fromkeys([*features, *apart.values()])))
    of_file = np.repeat([list(PATHS).index(where) for where in tables], [len(t.frame) for t in tables.values()])
    reading = Reading(
        missing_values=source.missing_values,
        marks=source.marks(first_rules=first_rules),
        date_format=source.date_format,
    )

    if source.group is not None and of_no_use(rows.frame[source.group]):
        what = f"the column {source.group!r} is of the type {rows.frame[source.group].dtype}"
        raise Refused(Mistake("data.group", what, "expected a name or a number in each row", "Name another column."))
    gone = {name: missing(rows.frame[name], reading) for name in rows.frame.columns}
    without_target = target_mistakes(rows, gone, apart, refuse=source.missing == "refuse")
    mistakes += without_target
    if not without_target:
        notes += target_notes(rows, gone, apart.values())
    there = ~incomplete_rows(len(rows), {name: gone[name] for name in apart.values()})
    if there.any():
        rows, of_file, gone = rows.keep(there), of_file[there], {name: g[there] for name, g in gone.items()}
    faults = Faults(rows)
    y: Classes | Quantity | None = None
    if there.any():
        with collected(mistakes):
            own = int((of_file == 0).sum())
            y = target(
                rows.frame[source.target],
                own,
                source.task,
                reading,
                faults,
                split.recorded.classes,
                typed=source.target in rows.typed,
            )
            notes += y.notes
    usable = y is not None and not faults.mistakes
    parts = _parts(source, rows, of_file, y, split, notes) if y is not None and usable else _all(of_file)
    of_features = {name: gone[name] for name in features}
    complete = np.ones(len(rows), dtype=bool)
    if source.missing == "refuse":
        mistakes += feature_mistakes(rows, of_features)
    else:
        notes += filter(None, [feature_note(rows, of_features, source.missing)])
        if source.missing == "drop":
            complete = ~incomplete_rows(len(rows), of_features)
    train = parts.train[complete[parts.train]]
    if not len(train):
        fix = 'Set data.missing = "mean".'
        raise Refused([*mistakes, Mistake("data.missing", "no row of the training part is complete", "", fix)])
    scale = None
    if isinstance(y, Quantity) and usable:
        with collected(mistakes):
            scale = _scale(y, train, source.target, notes)
    asked = Asked(
        reading=reading,
        kinds=kinds_of(source),
        categories=source.categories,
        most_categories=source.most_categories,
        flag_missing=source.missing == "mean+flag",
        recorded=split.recorded.categories,
        typed=rows.typed,
    )
    found = [fitted(rows.frame[name], train, asked, faults) for name in features]
    forms = {name: fit.form for name, fit in zip(features, found, strict=True) if fit.form is not None}
    if isinstance(y, Quantity):
        forms[source.target] = y.form
    mistakes += [*(fit.mistake for fit in found if fit.mistake is not None), *form_mistakes(forms)]
    with collected(mistakes):
        faults.refuse()
    if mistakes:
        raise DataRefused(mistakes, *_known(y if usable else None))
    assert y is not None
    encoders = _encoders(found, notes)
    notes += read_as(forms)
    kept = np.flatnonzero(complete)
    x = _encoded(encoders, rows, gone, kept, reading)
    parts = _within(parts, complete)
    notes += _encoding_notes(encoders, len(train))
    learned = _learned(encoders, y, source.target, reading)
    names = tuple(name for encoder in encoders for name in encoder.features)
    if isinstance(y, Classes):
        return dataset(
            "table",
            "classification",
            "vector",
            x,
            y.labels[kept],
            parts,
            classes=y.names,
            features=names,
            targets=(source.target,),
            encoders=learned,
            notes=tuple(notes),
        )
    assert scale is not None
    mean, std = scale
    return dataset(
        "table",
        "regression",
        "vector",
        x,
        ((y.values[kept] - mean) / std).astype(np.float32)[:, None],
        parts,
        features=names,
        targets=(source.target,),
        encoders=learned,
        units=Units(scale=(std,), offset=(mean + y.base,)),
        notes=tuple(notes),
    )


def _all(of_file: Indices) -> Parts:
    """All rows of the first file for training, if the target is unusable for splitting."""
    nothing = np.empty(0, dtype=np.int64)
    return Parts(np.flatnonzero(of_file == 0).astype(np.int64), nothing, nothing)


def _known(y: Classes | Quantity | None) -> tuple[Task | None, int | None]:
    """The task and the number of classes, as far as the target decides them."""
    if isinstance(y, Classes):
        return "classification", len(y.names)
    return (None if y is None else "regression"), None


def _parts(
    source: TableSettings, rows: Rows, of_file: Indices, y: Classes | Quantity, split: Split, notes: list[str]
) -> Parts:
    """Use the files of parts; draw the other parts from the first file."""
    own = int((of_file == 0).sum())
    if source.validation_path is not None:
        notes.append(f"The validation part is {source.validation_path}; data.validation is not used.")
    if source.test_path is not None:
        notes.append(f"The test part is {source.test_path}; data.test is not used.")
    groups = None
    if source.group is not None:
        labels = united_column(texts(rows.frame[source.group]))[0].to_numpy()
        groups = np.unique(labels, return_inverse=True)[1].astype(np.int64)
        shared = np.intersect1d(groups[:own], groups[own:])
        if len(shared):
            notes.append(
                f"{len(shared):,} values of {source.group} are both in {source.path} and in the file of another part."
            )
    return split.beside(
        np.searchsorted(of_file, range(3), side="right").tolist(),
        validation=source.validation_path is not None,
        test=source.test_path is not None,
        labels=y.labels if isinstance(y, Classes) else None,
        groups=groups,
    )


def _learned(encoders: list[Encoder], y: Classes | Quantity, name: str, reading: Reading) -> dict[str, Any]:
    """What a run saves about its columns, so that other files are read in the same way."""
    columns = [encoder.as_dict() for encoder in encoders]
    if reading.marks.first_rules:  # such a run recorded no notation
        return {"columns": [{key: value for key, value in c.items() if key != "notation"} for c in columns]}
    target = written(y.form.notation) if isinstance(y, Quantity) else {}
    return {"columns": columns} | ({"target": {"column": name} | target} if target else {})


def _encoders(found: list[Fitted], notes: list[str]) -> list[Encoder]:
    notes += [fit.note for fit in found if fit.note]
    encoders = [fit.encoder for fit in found if fit.encoder is not None]
    if not encoders:
        said = " ".join(fit.note for fit in found)
        raise Refused(Mistake("data.features", "no column differs from row to row", said.rstrip("."), "Add one."))
    return encoders


def _encoded(
    encoders: list[Encoder], rows: Rows, gone: dict[str, Bools], kept: Indices, reading: Reading
) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Encode the rows as (N, F), column by column, to avoid a second table of that size."""
    widths = [len(encoder.features) for encoder in encoders]
    # The widest column has two copies while it is encoded.
    size, free = len(kept) * (sum(widths) + 2 * max(widths)) * 4, free_host_memory()
    if size > free:
        found = f"{len(kept):,} rows of {sum(widths):,} features take {size / 2**30:.1f} GiB"
        fix = 'Exclude columns with many categories, or set data.categories = "ordinal".'
        raise Refused(Mistake("data.features", found, f"{free / 2**30:.1f} GiB are free", fix))
    x = np.empty((len(kept), sum(widths)), dtype=np.float32)
    begin = 0
    for done, (encoder, width) in enumerate(zip(encoders, widths, strict=True)):
        if size > _PROGRESS_FROM:
            progress("Encoding columns", done, len(encoders))
        name = encoder.column
        x[:, begin : begin + width] = encoder.encode(rows.frame[name].gather(kept), gone[name][kept], reading)
        begin += width
    return x


def _within(parts: Parts, complete: Bools) -> Parts:
    """The parts without incomplete rows, renumbered."""
    number = np.cumsum(complete) - 1
    train, validation, test = (
        number[some[complete[some]]].astype(np.int64) for some in (parts.train, parts.validation, parts.test)
    )
    return Parts(train, validation, test, parts.notes)


def _scale(y: Quantity, train: Indices, name: str, notes: list[str]) -> tuple[float, float]:
    """Mean above the base, and standard deviation, of the target in the training part."""
    values = y.values[train]
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = float(values.mean()), float(values.std())
    middle = mean + y.base
    if values.min() == values.max() or not np.isfinite(std):
        found = f"every {name} of the training part is {middle:g}" if np.isfinite(std) else f"{name} reaches {middle:g}"
        raise Refused(Mistake("data.target", found, "expected numbers that differ", "Name another column."))
    notes.append(f"The target {name} is standardised too: 1 is {std:.4g}, 0 is {middle:.4g}; metrics are in its units.")
    return mean, std


def _encoding_notes(encoders: list[Encoder], samples: int) -> list[str]:
    """Sentences on how columns are encoded, by kind."""
    of_kind: dict[str, list[str]] = {}
    for encoder in encoders:
        of_kind.setdefault(encoder.kind, []).append(encoder.column)
    how = {
        "number": "standardised",
        "one-hot": "one-hot, all 0 for categories that are not in the training part",
        "ordinal": "numbered in natural order and standardised",
        "date": "as standardised seconds, and as sine and cosine of the month, the weekday and, with times, the hour",
    }
    said = [f"{_listed(of_kind[kind])} {how[kind]}" for kind in how if kind in of_kind]
    return [f"Columns: {'; '.join(said)}; learned from the {samples:,} training samples."]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
