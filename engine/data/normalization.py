"""Mean and standard deviation of each channel of the training images; cached if they are slow to measure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor

from engine.data.cache import read_cached, save_cached
from engine.data.dataset import Dataset
from engine.data.parallel_map import parallel_map
from engine.data.preparation import Preparation
from engine.data.progress import progress
from engine.data.samples import take
from engine.experiment.document import Data

NAME = "pixel-statistics"
IN_MEMORY, FROM_FILES = 1024, 64
"""Images measured in one batch."""


def with_statistics(dataset: Dataset, data: Data) -> Preparation:
    """The preparation of a dataset of uint8 images, with mean and std of its training part.

    For images that are decoded from files, the result is cached for each training part.
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
    save_cached(NAME, key, found.as_dict())
    return found


def _images(dataset: Dataset, at_once: int) -> Iterator[Tensor]:
    """The training images in batches."""
    x, done = dataset.x, 0
    each = parallel_map if dataset.identity else map
    for batch in each(lambda some: take(x, some), dataset.train.split(at_once)):
        yield batch
        done += len(batch)
        progress("Measuring pixels", done, len(dataset.train))
