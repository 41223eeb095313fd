"""A preview of a dataset: a few samples, the number of samples of each class, and the ranges of values.

A Preview holds plain Python values, without torch or NumPy.
C channels, H W, T time, F features, K classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.catalog.losses import NUMBERS
from engine.data.data_warnings import unknown_share
from engine.data.dataset import Dataset
from engine.data.description import Description
from engine.data.load import cache_key, fingerprint, load_data
from engine.data.preparation import draws_of
from engine.data.samples import take
from engine.data.text import spelled
from engine.experiment.document import Data

Pixel = int | tuple[int, int, int]
"""Grey from 0 to 255, or red, green and blue."""

SAMPLES = 12
LARGEST_SIDE = 64
"""Largest side of a preview image in pixels; a terminal cannot show more."""
MOST_STEPS = 512
MOST_FEATURES = 8
_AT_ONCE = 4096

Gather = Callable[[Tensor], Tensor]
"""Maps indices (M,) to values (M, …)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Statistics of numbers; std is that of the population."""

    minimum: float
    maximum: float
    mean: float
    std: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One training sample. The kind of the data decides which fields are filled; the others are empty."""

    index: int
    """Its index among all samples of the source."""
    label: str = ""
    """The name of its class."""
    target: tuple[float, ...] = ()
    """The target, if it is numeric."""
    image: tuple[tuple[Pixel, ...], ...] = ()
    """H rows of W pixels, scaled from the range of the data to 0 … 255; large images are reduced."""
    text: str = ""
    """The tokens of the network's input, separated by spaces."""
    series: tuple[tuple[float, ...], ...] = ()
    """The values of the first features over time; long series are thinned evenly."""
    values: tuple[float, ...] = ()
    """The features of a vector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A summary of a dataset. Statistics are those of the training part."""

    description: Description
    samples: tuple[Sample, ...]
    augmented: tuple[tuple[tuple[Pixel, ...], ...], ...] = ()
    """The images of the samples as augmented for an epoch, if there are augmentations."""
    train_counts: tuple[int, ...] = ()
    """Number of samples of each class, in the order of `description.classes`; empty without classes."""
    val_counts: tuple[int, ...] = ()
    inputs: Spread | None = None
    """Statistics of all inputs; None for tokens."""
    targets: Spread | None = None
    """Statistics of numeric targets."""
    target_dtype: str
    features: tuple[Spread, ...] = ()
    """Statistics of each feature of a vector."""
    lengths: Spread | None = None
    """Statistics of the number of tokens or time steps of a sample, without padding."""
    unknown: float | None = None
    """Share of unknown tokens."""


def preview(data: Data, seed: int) -> Preview:
    """Preview the data that a run with this seed trains on; cached until one of its files changes.

    Raises:
        Refused: the data cannot be loaded.
    """
    return _preview(fingerprint(data, seed), cache_key(data), seed)


@lru_cache(maxsize=4)
def _preview(_state: tuple[object, ...], data: str, seed: int) -> Preview:
    return preview_of(load_data(Data.model_validate_json(data), seed))


def preview_of(dataset: Dataset) -> Preview:
    """Preview a loaded dataset."""
    description = dataset.description
    train = dataset.train
    classes = len(description.classes) if description.task == "classification" else 0
    tokens = description.input_kind == "tokens"
    shown = _values(dataset)
    inputs = None if tokens else spread(shown, train)
    chosen = _chosen(dataset)
    return Preview(
        description=description,
        samples=tuple(_sample(dataset, index, inputs) for index in chosen),
        augmented=_augmented(dataset, chosen, inputs),
        train_counts=_counts(dataset, train, classes),
        val_counts=_counts(dataset, dataset.validation, classes),
        inputs=inputs,
        targets=spread(lambda some: take(dataset.y, some), train) if description.task in NUMBERS else None,
        target_dtype=str(dataset.y.dtype).removeprefix("torch."),
        features=spreads(shown, train) if description.input_kind == "vector" else (),
        lengths=None if dataset.lengths is None else spread(dataset.lengths.__getitem__, train),
        unknown=unknown_share(dataset, train) if tokens and dataset.vocabulary else None,
    )


def _values(dataset: Dataset) -> Gather:
    """Samples for display: pixels from 0 to 1, not standardised."""

    def values(indices: Tensor) -> Tensor:
        x = take(dataset.x, indices)
        return x.float() / 255 if x.dtype is torch.uint8 and x.ndim == 4 else x

    return values


def spread(values: Gather, indices: Tensor) -> Spread:
    """Statistics of these samples (M,), in double precision and in batches."""
    (whole,) = spreads(lambda some: values(some).reshape(len(some), 1, -1), indices)
    return whole


def spreads(values: Gather, indices: Tensor) -> tuple[Spread, ...]:
    """Statistics of each of F features, of values (N, F, …)."""
    parts = indices.split(_AT_ONCE)

    def gathered(some: Tensor) -> Tensor:
        found = values(some)
        return found.reshape(len(found), found.shape[1], -1).double()

    count, total = 0, torch.zeros(())
    lowest, highest = torch.tensor(torch.inf), torch.tensor(-torch.inf)
    for part in parts:
        found = gathered(part)
        count += len(found) * found.shape[2]
        total = total + found.sum((0, 2))
        lowest = torch.minimum(lowest, found.amin((0, 2)))
        highest = torch.maximum(highest, found.amax((0, 2)))
    mean = total / max(1, count)
    squares = sum((gathered(part) - mean[:, None]).square().sum((0, 2)) for part in parts)
    std = (torch.as_tensor(squares) / max(1, count)).sqrt()
    figures = zip(lowest.tolist(), highest.tolist(), mean.tolist(), std.tolist(), strict=True)
    return tuple(Spread(minimum=low, maximum=high, mean=mean, std=std) for low, high, mean, std in figures)


def _counts(dataset: Dataset, indices: Tensor, classes: int) -> tuple[int, ...]:
    return tuple(torch.bincount(dataset.y[indices], minlength=classes).tolist()) if classes else ()


def _chosen(dataset: Dataset) -> list[int]:
    """A few training samples: of each class in turn; of a series evenly spread over time; else the first."""
    train = dataset.train.numpy()
    if dataset.description.task in ("forecasting", "language modelling"):
        places = np.linspace(0, len(train) - 1, min(SAMPLES, len(train))).astype(np.int64)
        return [int(index) for index in train[places]]
    if dataset.description.task == "regression":
        return [int(index) for index in train[:SAMPLES]]
    labels = dataset.y[dataset.train].numpy()
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
            shown = {"image": _image(x.float() / 255 if x.dtype is torch.uint8 else x, inputs)}
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
        target=tuple(y.reshape(-1).tolist()) if description.task in NUMBERS else (),
        **shown,
    )


def _augmented(
    dataset: Dataset, indices: list[int], inputs: Spread | None
) -> tuple[tuple[tuple[Pixel, ...], ...], ...]:
    if dataset.description.input_kind != "image" or not dataset.preparation.augmentations or inputs is None:
        return ()
    images = dataset.preparation.augmented(take(dataset.x, torch.tensor(indices)), draws_of(0, 1, 0))
    return tuple(_image(x.float() / 255 if x.dtype is torch.uint8 else x, inputs) for x in images)


def _text(dataset: Dataset, index: int) -> str:
    numbers = dataset.x[index].tolist()
    length = int(dataset.lengths[index]) if dataset.lengths is not None else len(numbers)
    words = dataset.vocabulary
    return spelled((words[n] if n < len(words) else str(n) for n in numbers[:length]), dataset.description.token)


def _image(x: Tensor, inputs: Spread) -> tuple[tuple[Pixel, ...], ...]:
    """An image (C, H, W) as pixels: three channels are RGB; otherwise the first channel is grey."""
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
