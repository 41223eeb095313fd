"""Load the samples that the section [data] of a document describes."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from engine.data.data_warnings import imbalance_note, same_inputs_warnings, unknown_warnings
from engine.data.dataset import Dataset
from engine.data.description import Description
from engine.data.normalization import with_statistics
from engine.data.parameters import parsed
from engine.data.recorded import NOTHING_RECORDED, RecordedData
from engine.data.sources import Source
from engine.data.spans import Fold
from engine.data.splits import Split
from engine.data.transforming import transform_mistakes, transformed
from engine.experiment.document import Data
from engine.experiment.mistakes import Mistake, Refused, drop
from engine.free_memory import free_host_memory
from engine.user_folders import expanded

LOADER_FIELDS = ("batch_size", "memory_share", "workers")
"""Fields of [data] on how samples reach the device. The samples do not depend on them."""

_lock = threading.Lock()
_last: tuple[tuple[object, ...], Dataset] | None = None


def load_data(data: Data, seed: int, recorded: RecordedData = NOTHING_RECORDED) -> Dataset:
    """Load every sample of the source that `data` names, split by `seed`.

    The last dataset is cached until one of its files changes, so that check, preview and training load it once.

    Args:
        recorded: the orders of classes and categories that a resumed run started with.

    Raises:
        Refused: with every mistake in [data], or in the files that it names.
    """
    global _last
    key = (recorded, *fingerprint(data, seed))
    with _lock:
        if _last is None or _last[0] != key:
            _last = None  # before reading the next one: both may not fit in memory
            _last = (key, _load(data, seed, recorded))
        return _last[1]


def forget() -> None:
    """Clear the cache: the next call loads the data again."""
    global _last
    with _lock:
        _last = None
        _described.cache_clear()


def describe(data: Data, seed: int, recorded: RecordedData = NOTHING_RECORDED) -> Description:
    """Describe the data. The last descriptions are cached, so that editing another section loads nothing.

    Raises:
        Refused: as `load_data`.
    """
    return _described(fingerprint(data, seed), cache_key(data), seed, recorded)


def cache_key(data: Data) -> str:
    """The fields of `data` that decide on the samples, as JSON: equal for documents with the same samples."""
    return data.model_dump_json(exclude=set(LOADER_FIELDS))


@lru_cache(maxsize=8)
def _described(_state: tuple[object, ...], data: str, seed: int, recorded: RecordedData) -> Description:
    asked = Data.model_validate_json(data)
    outline = _outline(asked, seed)
    return load_data(asked, seed, recorded).description if outline is None else outline


def fingerprint(data: Data, seed: int) -> tuple[object, ...]:
    """What the samples depend on: the document's fields, the seed, and the state of the files."""
    source, mistakes = parsed(data)
    files = source.files() if source is not None and not mistakes else ()
    return (cache_key(data), seed, str(Path.cwd()), *map(_state, files))


def _state(path: str) -> tuple[int, int, int]:
    try:
        status = os.stat(expanded(path))
    except (OSError, ValueError):
        return (0, 0, 0)
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def to_download(data: Data) -> str:
    """A sentence that describes the download; empty if nothing is missing."""
    source, mistakes = parsed(data)
    return source.to_download() if source is not None and not mistakes else ""


def fetch(data: Data) -> bool:
    """Download what is missing; returns whether anything was.

    Raises:
        Refused: the download failed.
    """
    source = _source(data)
    if not source.to_download():
        return False
    source.fetch()
    return True


def _source(data: Data) -> Source:
    source, mistakes = parsed(data)
    mistakes = [*mistakes, *transform_mistakes(data)]
    if source is None or mistakes:
        raise Refused(mistakes)
    return source


def _outline(data: Data, seed: int) -> Description | None:
    """What is known of samples that are not downloaded yet; None if they are on disk."""
    source = _source(data)
    if not source.to_download():
        return None
    outline = source.outline(Split.of(data, seed))
    return transformed(outline, data, room=free_host_memory() // 2).description


def _load(data: Data, seed: int, recorded: RecordedData) -> Dataset:
    source = _source(data)
    loaded = source.load(Split.of(data, seed, recorded))
    _refuse_impossible(data, loaded)
    loaded = transformed(loaded, data, room=free_host_memory() // 2)
    preparation = loaded.preparation
    if data.normalize and loaded.description.input_kind == "image" and loaded.description.stored == "uint8":
        preparation = with_statistics(loaded, data)
    notes = (*loaded.description.notes, *(() if data.sampler == "balanced" else imbalance_note(loaded)))
    warnings = loaded.description.warnings
    if loaded.vocabulary:
        at = "data.tokens" if "tokens" in type(source).model_fields else "data.min_count"
        warnings += tuple(unknown_warnings(loaded, at))
    warnings = warnings or tuple(same_inputs_warnings(loaded))
    return replace(
        loaded, preparation=preparation, description=replace(loaded.description, notes=notes, warnings=warnings)
    )


def _refuse_impossible(data: Data, loaded: Dataset) -> None:
    """Refuse parts larger than the dataset, a fold without samples, and balanced draws without classes."""
    given = len(loaded.train) + len(loaded.validation) + len(loaded.test)
    mistakes = [
        Mistake(
            f"data.{part}",
            f"{int(asked):,} samples are requested",
            f"the source has {given:,}",
            "Set fewer samples, or a share below 1.",
        )
        for part, asked in (
            ("validation", 0 if data.fold else data.validation),
            ("test", data.test),
        )
        if asked >= given > 0
    ]
    if data.fold is not None and given and not len(loaded.validation):
        found = f"{Fold.of(data.fold).folds} folds leave no sample for this one"
        mistakes.append(Mistake("data.fold", found, f"the source has {given:,}", "Use fewer folds, such as 1/5."))
    if data.sampler == "balanced" and loaded.description.task != "classification":
        expected = f"the data is for {loaded.description.task}"
        mistakes.append(Mistake("data.sampler", "balanced draws by class", expected, "Remove it.", remedy=drop()))
    if mistakes:
        raise Refused(mistakes)
