"""From [data] to samples."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from engine.data.balance import imbalance_note
from engine.data.class_order import NOTHING, Recorded
from engine.data.dataset import Dataset
from engine.data.description import Description
from engine.data.parameters import parsed
from engine.data.same_inputs import same_inputs_warnings
from engine.data.sources import Source
from engine.data.spans import Fold
from engine.data.splits import Split
from engine.data.standardising import standardised
from engine.data.transforming import transform_mistakes, transformed
from engine.data.unknown_tokens import unknown_warnings
from engine.experiment.document import Data
from engine.experiment.mistakes import Mistake, Refused, drop
from engine.free_memory import free_host_memory
from engine.user_folders import expanded

ON_THE_WAY = ("batch_size", "memory_share", "workers")
"""What [data] says on how samples get to the device; neither they nor what is said of them depends on it."""

_lock = threading.Lock()
_last: tuple[tuple[object, ...], Dataset] | None = None


def load_data(data: Data, seed: int, recorded: Recorded = NOTHING) -> Dataset:
    """Every sample of the source that `data` names, parted by `seed`, and what is done to each batch.

    The last one is remembered until a file behind it changes: checking, looking at and training on it load it once.

    Args:
        recorded: the orders of classes and categories that a resumed run began with.

    Raises:
        Refused: with every mistake in [data], or with what is wrong with the files that it names.
    """
    global _last
    key = (recorded, *fingerprint(data, seed))
    with _lock:
        if _last is None or _last[0] != key:
            _last = None  # before the next one is read: two may be more than fit
            _last = (key, _load(data, seed, recorded))
        return _last[1]


def forget() -> None:
    """Load anew the next time, whatever the files say."""
    global _last
    with _lock:
        _last = None
        _described.cache_clear()


def describe(data: Data, seed: int, recorded: Recorded = NOTHING) -> Description:
    """What the data is. The last few answers are remembered, so that checking after an edit elsewhere loads nothing.

    Raises:
        Refused: as `load_data`.
    """
    return _described(fingerprint(data, seed), the_same(data), seed, recorded)


def the_same(data: Data) -> str:
    """What `data` says on which samples there are, as JSON: the same for all documents that agree on that."""
    return data.model_dump_json(exclude=set(ON_THE_WAY))


@lru_cache(maxsize=8)
def _described(_state: tuple[object, ...], data: str, seed: int, recorded: Recorded) -> Description:
    asked = Data.model_validate_json(data)
    outline = _outline(asked, seed)
    return load_data(asked, seed, recorded).description if outline is None else outline


def fingerprint(data: Data, seed: int) -> tuple[object, ...]:
    """What decides on the samples: the document's words, the seed, and the state of the files that are named."""
    source, mistakes = parsed(data)
    files = source.files() if source is not None and not mistakes else ()
    return (the_same(data), seed, str(Path.cwd()), *map(_state, files))


def _state(path: str) -> tuple[int, int, int]:
    try:
        status = os.stat(expanded(path))
    except (OSError, ValueError):
        return (0, 0, 0)
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def to_download(data: Data) -> str:
    """A sentence on what is downloaded before the first step; empty where all is here."""
    source, mistakes = parsed(data)
    return source.to_download() if source is not None and not mistakes else ""


def fetch(data: Data) -> bool:
    """Download what is missing; whether anything was.

    Raises:
        Refused: it cannot be had.
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
    """What is known of samples that are still to be downloaded; None where they are here."""
    source = _source(data)
    if not source.to_download():
        return None
    outline = source.outline(Split.of(data, seed))
    return transformed(outline, data, room=free_host_memory() // 2).description


def _load(data: Data, seed: int, recorded: Recorded) -> Dataset:
    source = _source(data)
    loaded = source.load(Split.of(data, seed, recorded))
    _refuse_what_does_not_suit(data, loaded)
    loaded = transformed(loaded, data, room=free_host_memory() // 2)
    preparation = loaded.preparation
    if data.normalize and loaded.description.input_kind == "image" and loaded.description.stored == "uint8":
        preparation = standardised(loaded, data)
    notes = (*loaded.description.notes, *(() if data.sampler == "balanced" else imbalance_note(loaded)))
    warnings = loaded.description.warnings
    if loaded.vocabulary:
        at = "data.tokens" if "tokens" in type(source).model_fields else "data.min_count"
        warnings += tuple(unknown_warnings(loaded, at))
    warnings = warnings or tuple(same_inputs_warnings(loaded))
    return replace(
        loaded, preparation=preparation, description=replace(loaded.description, notes=notes, warnings=warnings)
    )


def _refuse_what_does_not_suit(data: Data, loaded: Dataset) -> None:
    """Refuse numbers of samples that are not there, a fold without any, and draws by class where there are none."""
    given = len(loaded.train) + len(loaded.validation) + len(loaded.test)
    mistakes = [
        Mistake(
            f"data.{part}",
            f"{int(asked):,} samples are to be held back",
            f"the source has {given:,}",
            "Hold back fewer, or a share below 1.",
        )
        for part, asked in (
            ("validation", 0 if data.fold else data.validation),
            ("test", data.test),
        )
        if asked >= given > 0
    ]
    if data.fold is not None and given and not len(loaded.validation):
        found = f"{Fold.of(data.fold).folds} parts leave no sample for this one"
        mistakes.append(Mistake("data.fold", found, f"the source has {given:,}", "Take fewer parts: 1/5, say."))
    if data.sampler == "balanced" and loaded.description.task != "classification":
        expected = f"the data is for {loaded.description.task}"
        mistakes.append(Mistake("data.sampler", "balanced draws by class", expected, "Remove it.", remedy=drop()))
    if mistakes:
        raise Refused(mistakes)
