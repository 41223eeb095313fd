"""From files of rows to a data set: parts first, then what is learned of the training part, then every row encoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.data.dataset import Dataset, dataset
from engine.data.progress import progress
from engine.data.spellings import united_column
from engine.data.splits import Indices, Parts, Split
from engine.data.tables.column_forms import doubts, read_as
from engine.data.tables.columns import Bools, Reading, missing, texts
from engine.data.tables.encoders import Encoder, written
from engine.data.tables.fitting import Asked, Fitted, Kind, fitted
from engine.data.tables.reading import NAMED, Table, read, unknown_columns
from engine.data.tables.rows import Faults, Rows
from engine.data.tables.targets import Classes, Quantity, target
from engine.data.units import Units
from engine.experiment.mistakes import Mistake, Refused, put
from engine.free_memory import free_host_memory

if TYPE_CHECKING:
    from engine.data.sources.table import Table as Source

_SAID_FROM = 1 << 26
"""Bytes of features from which it takes long enough to say how far it is."""


def load_table(source: Source, split: Split) -> Dataset:
    """The data set that the parameters of a `table` source ask for.

    Raises:
        Refused: with every mistake that can be found at once.
    """
    paths = {
        "data.path": source.path,
        "data.validation_path": source.validation_path,
        "data.test_path": source.test_path,
    }
    tables = {where: read(where, path, source.delimiter) for where, path in paths.items() if path is not None}
    main = tables["data.path"]
    features = _features(source, main)
    assert source.target is not None
    group = [source.group] if source.group is not None else []
    rows = Rows.of(tables.values(), list(dict.fromkeys([*features, source.target, *group])))
    of_file = np.repeat([list(paths).index(where) for where in tables], [len(t.frame) for t in tables.values()])
    reading = Reading(
        missing_values=source.missing_values,
        marks=source.marks(first_rules=split.recorded.rules < 2),
        date_format=source.date_format,
    )

    notes = [note for table in tables.values() for note in table.notes]
    gone = {name: missing(rows.frame[name], reading) for name in rows.frame.columns}
    rows, of_file, gone = _with_target(rows, of_file, gone, source, notes)
    faults = Faults(rows)
    own = int((of_file == 0).sum())
    typed = rows.typed
    y = target(
        rows.frame[source.target],
        own,
        source.task,
        reading,
        faults,
        split.recorded.classes,
        typed=source.target in typed,
    )
    faults.refuse()
    notes += y.notes

    parts = _parts(source, rows, of_file, y, split, notes)
    complete = _complete({name: gone[name] for name in features}, rows, source, notes)
    train = parts.train[complete[parts.train]]
    if not len(train):
        raise Refused(
            Mistake("data.missing", "no row of the training part is complete", "", 'Set data.missing = "mean".')
        )
    asked = Asked(
        reading=reading,
        kinds=_kinds(source),
        categories=source.categories,
        most_categories=source.most_categories,
        flag_missing=source.missing == "mean+flag",
        recorded=split.recorded.categories,
        typed=typed,
    )
    found = [fitted(rows.frame[name], train, asked, faults) for name in features]
    forms = {name: fit.form for name, fit in zip(features, found, strict=True) if fit.form is not None}
    if isinstance(y, Quantity):
        forms[source.target] = y.form
    encoders = _encoders(found, doubts(forms), faults, notes)
    notes += read_as(forms)
    kept = np.flatnonzero(complete)
    x = _encoded(encoders, rows, gone, kept, reading)
    parts = _within(parts, complete)
    notes += _said(encoders, len(train))
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
    values, units = _standardised(y.values, train, source.target, notes)
    return dataset(
        "table",
        "regression",
        "vector",
        x,
        values[kept],
        parts,
        features=names,
        targets=(source.target,),
        encoders=learned,
        units=units,
        notes=tuple(notes),
    )


def _features(source: Source, main: Table) -> list[str]:
    """The columns that go in. Every name of the document is looked up in the file first."""
    columns = main.frame.columns
    if source.target is None:
        raise Refused(
            Mistake(
                "data.target",
                "it is not set",
                f"expected one of the columns {', '.join(columns[:NAMED])}{' …' if len(columns) > NAMED else ''}",
                "Name the column to be predicted.",
                subject=main.path,
            )
        )
    given = {
        "target": (source.target,),
        "group": (source.group,) if source.group is not None else (),
        "features": source.features,
        "exclude": source.exclude,
        "numeric": source.numeric,
        "categorical": source.categorical,
        "dates": source.dates,
    }
    if mistakes := unknown_columns(given, columns, main.path):
        raise Refused(mistakes)
    apart = {source.target, source.group, *source.exclude}
    unnamed = {f"column {number}" for number in range(1, len(columns) + 1)}
    features = list(source.features) or [name for name in columns if name not in apart and name not in unnamed]
    if not features:
        fix = "Have another column in the file, or exclude fewer."
        raise Refused(Mistake("data.features", "no column is left to go in", "expected at least one", fix))
    return features


def _kinds(source: Source) -> dict[str, Kind]:
    kinds: dict[str, Kind] = dict.fromkeys(source.numeric, "number")
    return kinds | dict.fromkeys(source.categorical, "category") | dict.fromkeys(source.dates, "date")


def _with_target(
    rows: Rows, of_file: Indices, gone: dict[str, Bools], source: Source, notes: list[str]
) -> tuple[Rows, Indices, dict[str, Bools]]:
    """The rows that have a target and, where rows have groups, a group."""
    for field, name in (("target", source.target), ("group", source.group)):
        if name is None or not gone[name].any():
            continue
        count, first = int(gone[name].sum()), int(gone[name].argmax())
        table, place = rows.place(first)
        if source.missing == "refuse" or gone[name].all():
            found = f"{count:,} of {len(rows):,} rows have no {name}, the first of them in {place} of {table.path}"
            fix = "Fill them, or set data.missing, by any rule of which such rows are left out."
            raise Refused(Mistake(f"data.{field}", found, f"expected a {field} in every row", fix))
        said = f"{count:,} rows without {name} are" if count > 1 else f"1 row without {name} is"
        notes.append(f"{said} left out, {'the first of them ' if count > 1 else ''}in {place}.")
        rows, of_file, gone = rows.keep(~gone[name]), of_file[~gone[name]], {n: g[~gone[name]] for n, g in gone.items()}
    return rows, of_file, gone


def _parts(
    source: Source, rows: Rows, of_file: Indices, y: Classes | Quantity, split: Split, notes: list[str]
) -> Parts:
    """The files of parts as they are; what has no file is drawn from the first one."""
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
                f"{len(shared):,} values of {source.group} are in {source.path} and in the file of a part too."
            )
    return split.beside(
        np.searchsorted(of_file, range(3), side="right").tolist(),
        validation=source.validation_path is not None,
        test=source.test_path is not None,
        labels=y.labels if isinstance(y, Classes) else None,
        groups=groups,
    )


def _complete(gone: dict[str, Bools], rows: Rows, source: Source, notes: list[str]) -> Bools:
    """(N,) the rows that are used. Where a value is missing the rule decides."""
    incomplete = np.zeros(len(rows), dtype=bool)
    for missing_here in gone.values():
        incomplete |= missing_here
    count = int(incomplete.sum())
    if not count:
        return ~incomplete
    by_column = {name: int(there.sum()) for name, there in gone.items() if there.any()}
    most = sorted(by_column, key=lambda name: -by_column[name])
    counted = ", ".join(f"{name} {by_column[name]:,}" for name in most[:NAMED])
    counted += f" and {len(most) - NAMED} more columns" if len(most) > NAMED else ""
    if source.missing == "refuse":
        table, place = rows.place(int(incomplete.argmax()))
        raise Refused(
            Mistake(
                "data.missing",
                f"{count:,} of {len(rows):,} rows have missing values ({counted}), the first of them in {place} of "
                f"{table.path}",
                "expected a value in every row",
                f'Set data.missing to "mean", "mean+flag" or "drop", which leaves {len(rows) - count:,} rows; or leave '
                f"columns out: data.exclude = [{most[0]!r}].",
                remedy=put("mean"),
            )
        )
    if source.missing == "drop":
        notes.append(f"{count:,} of {len(rows):,} rows have missing values and are left out ({counted}).")
        return ~incomplete
    filled = "the mean of the training part for numbers and dates, 0 in every place for categories"
    flagged = ", and a feature that says so" if source.missing == "mean+flag" else ""
    notes.append(f"Missing values ({counted}) become {filled}{flagged}.")
    return np.ones(len(rows), dtype=bool)


def _learned(encoders: list[Encoder], y: Classes | Quantity, name: str, reading: Reading) -> dict[str, Any]:
    """What a run keeps of its columns, so that other files are read as these were."""
    columns = [encoder.as_dict() for encoder in encoders]
    if reading.marks.first_rules:  # such a run has nothing on notations to compare with
        return {"columns": [{key: value for key, value in c.items() if key != "notation"} for c in columns]}
    target = written(y.form.notation) if isinstance(y, Quantity) else {}
    return {"columns": columns} | ({"target": {"column": name} | target} if target else {})


def _encoders(found: list[Fitted], more: list[Mistake], faults: Faults, notes: list[str]) -> list[Encoder]:
    notes += [fit.note for fit in found if fit.note]
    mistakes = [fit.mistake for fit in found if fit.mistake is not None] + more
    try:
        faults.refuse()
    except Refused as refused:
        mistakes += refused.mistakes
    if mistakes:
        raise Refused(mistakes)
    encoders = [fit.encoder for fit in found if fit.encoder is not None]
    if not encoders:
        said = " ".join(fit.note for fit in found)
        raise Refused(Mistake("data.features", "no column differs from row to row", said.rstrip("."), "Add one."))
    return encoders


def _encoded(
    encoders: list[Encoder], rows: Rows, gone: dict[str, Bools], kept: Indices, reading: Reading
) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """(N, F), column after column, so that no second table of the size of the first is made."""
    widths = [len(encoder.features) for encoder in encoders]
    # The widest column is there twice more while it is put into its place.
    size, free = len(kept) * (sum(widths) + 2 * max(widths)) * 4, free_host_memory()
    if size > free:
        found = f"{len(kept):,} rows of {sum(widths):,} features take {size / 2**30:.1f} GiB"
        fix = 'Exclude columns of many categories, or set data.categories = "ordinal".'
        raise Refused(Mistake("data.features", found, f"{free / 2**30:.1f} GiB are free", fix))
    x = np.empty((len(kept), sum(widths)), dtype=np.float32)
    begin = 0
    for done, (encoder, width) in enumerate(zip(encoders, widths, strict=True)):
        if size > _SAID_FROM:
            progress("Encoding columns", done, len(encoders))
        name = encoder.column
        x[:, begin : begin + width] = encoder.encode(rows.frame[name].gather(kept), gone[name][kept], reading)
        begin += width
    return x


def _within(parts: Parts, complete: Bools) -> Parts:
    """The same parts of the rows that are used, which are numbered anew."""
    number = np.cumsum(complete) - 1
    train, validation, test = (
        number[some[complete[some]]].astype(np.int64) for some in (parts.train, parts.validation, parts.test)
    )
    return Parts(train, validation, test, parts.notes)


def _standardised(
    values: np.ndarray[tuple[int], np.dtype[np.float64]], train: Indices, name: str, notes: list[str]
) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.float32]], Units]:
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = float(values[train].mean()), float(values[train].std())
    if values[train].min() == values[train].max() or not np.isfinite(std):
        found = f"every {name} of the training part is {mean:g}" if np.isfinite(std) else f"{name} reaches {mean:g}"
        raise Refused(Mistake("data.target", found, "expected numbers that differ", "Name another column."))
    notes.append(f"The target {name} is standardised too: 1 is {std:.4g}, 0 is {mean:.4g}; metrics are in its units.")
    scaled = ((values - mean) / std).astype(np.float32)[:, None]
    return scaled, Units(scale=(std,), offset=(mean,))


def _said(encoders: list[Encoder], samples: int) -> list[str]:
    """What was done to the columns, kind by kind."""
    of_kind: dict[str, list[str]] = {}
    for encoder in encoders:
        of_kind.setdefault(encoder.kind, []).append(encoder.column)
    how = {
        "number": "standardised",
        "one-hot": "one-hot, all 0 for a category that the training part has not",
        "ordinal": "numbered in natural order and standardised",
        "date": "as seconds, standardised, and as places on the circles of the year, the week and, with times, the day",
    }
    said = [f"{_listed(of_kind[kind])} {how[kind]}" for kind in how if kind in of_kind]
    return [f"Columns: {'; '.join(said)}; learned from the {samples:,} samples to train on."]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
