"""What the data looks like: a few samples, how many there are of each class, the range of their numbers.

Plain Python values, for whoever shows them: nothing of torch or NumPy is in a Preview.
C channels, H W, T time, F features, K classes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.data.dataset import Dataset
from engine.data.description import Description
from engine.data.load import load_data
from engine.data.text import PADDING, UNKNOWN
from engine.experiment.document import Data

Pixel = int | tuple[int, int, int]
"""Grey from 0 to 255, or red, green and blue."""

SAMPLES = 12
LARGEST_SIDE = 64
"""Pixels of an image that are kept: no terminal shows more of them side by side."""
MOST_STEPS = 512
MOST_FEATURES = 8
_AT_ONCE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """What numbers are like, taken together. The deviation is that of all of them, not an estimate from a few."""

    minimum: float
    maximum: float
    mean: float
    std: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One sample to train on. What it is shown as depends on the kind of the data; the other fields are empty."""

    index: int
    """Its place among all samples of the source."""
    label: str = ""
    """The name of its class."""
    target: tuple[float, ...] = ()
    """What is to be predicted, where that is numbers."""
    image: tuple[tuple[Pixel, ...], ...] = ()
    """H rows of W pixels; scaled from the range of the data to 0 … 255, and made smaller where it is large."""
    text: str = ""
    """The tokens as the network gets them, with blanks between."""
    series: tuple[tuple[float, ...], ...] = ()
    """Each feature's values over time; the first features, and evenly fewer steps where there are very many."""
    values: tuple[float, ...] = ()
    """The features of a vector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A data set at a glance. Figures are those of the training part."""

    description: Description
    samples: tuple[Sample, ...]
    train_counts: tuple[int, ...] = ()
    """Samples of each class, in the order of `description.classes`; empty where there are none."""
    val_counts: tuple[int, ...] = ()
    inputs: Spread | None = None
    """Of every number that goes in; None for tokens, whose numbers mean nothing."""
    targets: Spread | None = None
    """Of what is to be predicted, where that is numbers."""
    target_dtype: str
    features: tuple[Spread, ...] = ()
    """Of each feature of a vector."""
    lengths: Spread | None = None
    """Tokens, or time steps, of a sample before its padding."""
    unknown: float | None = None
    """Share of the tokens that the vocabulary has no number for."""


def preview(data: Data, seed: int) -> Preview:
    """The data that a run with this seed trains on, remembered until a file behind it changes.

    Raises:
        Refused: the data cannot be had.
    """
    path = data.parameters.get("path")
    changed = os.stat(path).st_mtime_ns if isinstance(path, str) and os.path.exists(path) else 0
    same_for_any_batch = data.model_copy(update={"batch_size": 1})
    return _preview(same_for_any_batch.model_dump_json(), seed, changed)


@lru_cache(maxsize=4)
def _preview(data: str, seed: int, _changed: int) -> Preview:
    return preview_of(load_data(Data.model_validate_json(data), seed))


def preview_of(dataset: Dataset) -> Preview:
    """A data set that is loaded, at a glance."""
    description = dataset.description
    x, y, train = dataset.x.numpy(), dataset.y.numpy(), dataset.train.numpy()
    classes = len(description.classes) if description.task == "classification" else 0
    tokens = description.input_kind == "tokens"
    inputs = None if tokens else spread(x, train)
    return Preview(
        description=description,
        samples=tuple(_sample(dataset, index, inputs) for index in _chosen(dataset)),
        train_counts=_counts(y, train, classes),
        val_counts=_counts(y, dataset.validation.numpy(), classes),
        inputs=inputs,
        targets=None if classes else spread(y, train),
        target_dtype=str(y.dtype),
        features=spreads(x, train) if description.input_kind == "vector" else (),
        lengths=None if dataset.lengths is None else spread(dataset.lengths.numpy(), train),
        unknown=_unknown(x, train, dataset.vocabulary) if tokens else None,
    )


def spread(values: NDArray[Any], indices: NDArray[np.int64]) -> Spread:
    """What the numbers of these samples are like, in double precision and without a copy of them all."""
    (whole,) = spreads(values.reshape(len(values), 1, -1), indices)
    return whole


def spreads(values: NDArray[Any], indices: NDArray[np.int64]) -> tuple[Spread, ...]:
    """What each of F features is like, of values (N, F, …)."""
    values = values.reshape(len(values), values.shape[1], -1)
    parts = [indices[at : at + _AT_ONCE] for at in range(0, len(indices), _AT_ONCE)]
    count = max(1, len(indices) * values.shape[2])
    over = (0, 2)
    mean = sum(values[part].sum(axis=over, dtype=np.float64) for part in parts) / count
    column = np.reshape(mean, (1, -1, 1))
    squares = (np.square(np.subtract(values[part], column, dtype=np.float64)).sum(axis=over) for part in parts)
    std = np.sqrt(sum(squares) / count)
    lowest = np.min([values[part].min(axis=over) for part in parts], axis=0)
    highest = np.max([values[part].max(axis=over) for part in parts], axis=0)
    figures = zip(lowest.tolist(), highest.tolist(), np.atleast_1d(mean).tolist(), std.tolist(), strict=True)
    return tuple(
        Spread(minimum=float(low), maximum=float(high), mean=mean, std=std) for low, high, mean, std in figures
    )


def _counts(y: NDArray[Any], indices: NDArray[np.int64], classes: int) -> tuple[int, ...]:
    return tuple(np.bincount(y[indices], minlength=classes).tolist()) if classes else ()


def _unknown(x: NDArray[Any], train: NDArray[np.int64], vocabulary: Sequence[str]) -> float | None:
    if not vocabulary:
        return None
    seen = x[train]
    return float((seen == UNKNOWN).sum() / max(1, (seen != PADDING).sum()))


def _chosen(dataset: Dataset) -> list[int]:
    """A few samples to train on: of each class in turn; of a series evenly spread over time; else the first ones."""
    train = dataset.train.numpy()
    if dataset.description.task == "forecasting":
        places = np.linspace(0, len(train) - 1, min(SAMPLES, len(train))).astype(np.int64)
        return [int(index) for index in train[places]]
    if dataset.description.task == "regression":
        return [int(index) for index in train[:SAMPLES]]
    labels = dataset.y.numpy()[train]
    rank = np.empty(len(train), dtype=np.int64)
    order = np.argsort(labels, kind="stable")
    counts = np.bincount(labels)
    rank[order] = np.arange(len(train)) - np.repeat(np.cumsum(counts) - counts, counts)
    by_rank_then_class = np.lexsort((labels, rank))
    return [int(index) for index in train[by_rank_then_class[:SAMPLES]]]


def _sample(dataset: Dataset, index: int, inputs: Spread | None) -> Sample:
    description, x, y = dataset.description, dataset.x[index], dataset.y[index]
    classes = description.task == "classification"
    shown: dict[str, Any] = {}
    match description.input_kind:
        case "image":
            assert inputs is not None
            shown = {"image": _image(x, inputs)}
        case "tokens":
            shown = {"text": _text(dataset, index)}
        case "sequence":
            steps = x if dataset.lengths is None else x[: max(1, int(dataset.lengths[index]))]
            apart = -(-len(steps) // MOST_STEPS)
            shown = {"series": tuple(map(tuple, steps[::apart, :MOST_FEATURES].T.tolist()))}
        case "vector":
            shown = {"values": tuple(x.tolist())}
    return Sample(
        index=index,
        label=description.classes[int(y)] if classes else "",
        target=() if classes else tuple(y.reshape(-1).tolist()),
        **shown,
    )


def _text(dataset: Dataset, index: int) -> str:
    numbers = dataset.x[index].tolist()
    length = int(dataset.lengths[index]) if dataset.lengths is not None else len(numbers)
    words = dataset.vocabulary
    return " ".join(words[n] if n < len(words) else str(n) for n in numbers[:length])


def _image(x: Tensor, inputs: Spread) -> tuple[tuple[Pixel, ...], ...]:
    """(C, H, W) as pixels: three channels are red, green and blue, of any other number the first one is grey."""
    low, high = inputs.minimum, inputs.maximum
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    colours = x if len(x) == 3 else x[:1]
    height, width = colours.shape[-2:]
    smaller = max(height, width) / LARGEST_SIDE
    if smaller > 1:
        size = (max(1, round(height / smaller)), max(1, round(width / smaller)))
        colours = torch.nn.functional.adaptive_avg_pool2d(colours, size)
    scaled = ((colours - low) / max(high - low, 1e-12) * 255).round().clamp(0, 255).int()
    rows = scaled.permute(1, 2, 0).tolist()
    if len(colours) == 3:
        return tuple(tuple((r, g, b) for r, g, b in row) for row in rows)
    return tuple(tuple(grey for (grey,) in row) for row in rows)
