"""Read texts of datasets of the Hugging Face Hub, by name or from a folder of `save_to_disk` or Parquet files.

https://huggingface.co/docs/datasets. No code of a dataset is run.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import polars as pl

from engine.data.progress import progress
from engine.data.tables.files import refuse_too_large
from engine.data.tables.reading import Table
from engine.data.texts.labelled import BYTES_PER_BYTE, Labelled
from engine.data.texts.tables import Columns, from_tables
from engine.experiment.mistakes import Mistake, Refused, unknown_name
from engine.user_folders import expanded

_SAVED = ("dataset_dict.json", "state.json")
"""Files in a folder that `save_to_disk` wrote."""


def from_hub(path: str, config: str | None, splits: tuple[str, str | None, str | None], columns: Columns) -> Labelled:
    """Read every text, and record those that cannot be used.

    Args:
        splits: the training split, and the validation and test splits or None.

    Raises:
        Refused: the package is not installed, or the dataset cannot be loaded or lacks the columns.
    """
    found = _opened(path, config, splits[0])
    fields = ("train_split", "validation_split", "test_split")
    mistakes = [
        unknown_name(f"data.{field}", split, list(found), f"a split of {path}")
        for field, split in zip(fields, splits, strict=True)
        if split is not None and split not in found
    ]
    mistakes = mistakes or columns.mistakes(found[splits[0]].column_names, path)
    if mistakes:
        raise Refused(mistakes)
    tables = [None if split is None else _table(path, split, found[split], columns) for split in splits]
    return from_tables((tables[0], tables[1], tables[2]), columns)


def _opened(path: str, config: str | None, train_split: str) -> Mapping[str, Any]:
    """Load the splits of the dataset by name."""
    try:
        import datasets
        from huggingface_hub.utils import logging as hub_logging
    except ImportError:
        fix = "Install it: pip install torchdeck[huggingface]."
        raise Refused(Mistake("data.source", "the package datasets is not installed", "", fix)) from None
    # Its output would appear in the middle of a screen.
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    hub_logging.set_verbosity(logging.CRITICAL)
    folder = expanded(path)
    progress(f"Loading {path}", 0)
    try:
        if any((folder / name).is_file() for name in _SAVED):
            loaded = datasets.load_from_disk(str(folder))
        else:
            loaded = datasets.load_dataset(str(folder) if folder.is_dir() else path, config)
    except Exception as error:  # readers of damaged files may raise any exception
        raise Refused(_mistake(path, error)) from None
    return loaded if isinstance(loaded, Mapping) else {train_split: loaded}


def _mistake(path: str, error: Exception) -> Mistake:
    said = " ".join(str(error).split()).rstrip(".")[:300]
    if isinstance(error, ConnectionError):
        fix = "Load it once with a network, or name a folder that save_to_disk wrote."
        found = "it is not in the cache, and huggingface.co cannot be reached"
        return Mistake("data.path", found, "", fix, subject=path)
    if isinstance(error, FileNotFoundError):
        fix = "Check the name on huggingface.co/datasets; a private set needs `hf auth login`."
        return Mistake("data.path", "there is no such dataset", f"{said}" if said else "", fix, subject=path)
    if "onfig" in said and isinstance(error, ValueError):
        return Mistake("data.config", said, "", "Set data.config to one of them.", subject=path)
    if "script" in said:
        found = "it is a script that creates the data; scripts are not run"
        fix = "Use a dataset that is stored as Parquet, CSV or JSON."
        return Mistake("data.path", found, "", fix, subject=path)
    found = f"it cannot be read ({type(error).__name__}: {said})"
    return Mistake(
        "data.path", found, "expected a dataset that the package datasets can load", "Check it.", subject=path
    )


def _table(path: str, split: str, rows: Any, columns: Columns) -> Table:
    """A split as a table; label numbers are replaced by their names."""
    name = f"{path}/{split}"
    there = rows.select_columns([column for column in columns.names if column in rows.column_names])
    refuse_too_large("data.path", name, there.data.nbytes * BYTES_PER_BYTE)
    frame = pl.from_arrow(there.with_format("arrow")[:])
    assert isinstance(frame, pl.DataFrame)
    names = getattr(there.features.get(columns.target), "names", None)
    if names is not None:
        number = pl.col(columns.target)
        named = number.replace_strict(dict(enumerate(names)), default=None, return_dtype=pl.String)
        frame = frame.with_columns(named)
    return Table("data.path", name, frame, None)
