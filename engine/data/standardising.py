"""Mean and deviation of each channel of the images to train on; kept where it takes long to measure them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor

from engine.data.cache import keep_cached, read_cached
from engine.data.dataset import Dataset
from engine.data.preparation import Preparation
from engine.data.progress import progress
from engine.data.samples import take
from engine.data.side_by_side import side_by_side
from engine.experiment.document import Data

NAME = "pixel-statistics"
IN_MEMORY, FROM_FILES = 1024, 64
"""Images that are looked at together."""


def standardised(dataset: Dataset, data: Data) -> Preparation:
    """The preparation of a data set of images of uint8, standardising by its training part.

    Images that have to be decoded for it are measured once for each training part.
    """
    if not dataset.identity:
        return dataset.preparation.with_statistics(_images(dataset, IN_MEMORY), dataset.description.input_shape[0])
    key = {
        "identity": dataset.identity,
        "transforms": [choice.model_dump(mode="json") for choice in data.transforms],
        "train": hashlib.sha256(dataset.train.numpy().tobytes()).hexdigest(),
    }
    kept = read_cached(NAME, key)
    if kept is not None:
        return replace(dataset.preparation, mean=tuple(kept["mean"]), std=tuple(kept["std"]))
    found = dataset.preparation.with_statistics(_images(dataset, FROM_FILES), dataset.description.input_shape[0])
    keep_cached(NAME, key, found.as_dict())
    return found


def _images(dataset: Dataset, at_once: int) -> Iterator[Tensor]:
    """The images to train on, a few at a time."""
    x, done = dataset.x, 0
    each = side_by_side if dataset.identity else map
    for batch in each(lambda some: take(x, some), dataset.train.split(at_once)):
        yield batch
        done += len(batch)
        progress("Measuring pixels", done, len(dataset.train))
