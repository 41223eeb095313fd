"""The order of an epoch's training samples: a pure function of seed and epoch, so that there is none to restore."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from engine.data import Dataset
from engine.experiment.document import Data

Order = Callable[[int, int, int], Tensor]
"""(seed, epoch, batch_size) to the indices of an epoch's samples, (M,) int64."""

NEIGHBOURS = 50
"""Batches among whose samples those of like length are put together: enough for little padding, and few enough that
which samples meet in a batch still changes from epoch to epoch."""


def epoch_order(samples: int, seed: int, epoch: int) -> Tensor:
    """A permutation of `samples` numbers, (samples,) int64."""
    return torch.randperm(samples, generator=_generator(seed, epoch))


def order_of(dataset: Dataset, data: Data) -> Order:
    """The order that the document asks for, as a function of seed, epoch and batch size."""
    train = dataset.train
    if data.sampler == "balanced" and dataset.description.task == "classification":
        labels = dataset.y[train]

        def balanced(seed: int, epoch: int, batch_size: int) -> Tensor:
            return train[drawn_by_class(labels, seed, epoch)]

        return balanced
    if dataset.bucketed and dataset.lengths is not None:
        lengths = dataset.lengths[train]

        def bucketed(seed: int, epoch: int, batch_size: int) -> Tensor:
            return train[by_like_length(lengths, batch_size, seed, epoch)]

        return bucketed
    return lambda seed, epoch, batch_size: train[epoch_order(len(train), seed, epoch)]


def drawn_by_class(labels: Tensor, seed: int, epoch: int) -> Tensor:
    """As many draws as there are labels (N,): first a class, then one of its samples, each with equal chances.

    With replacement: a sample of a rare class comes several times in an epoch, one of a large class perhaps not at all.
    """
    generator = _generator(seed, epoch)
    by_class = labels.argsort(stable=True)
    counts = labels.bincount()
    present = counts.nonzero().flatten()
    first = counts.cumsum(0) - counts
    chosen = present[torch.randint(len(present), (len(labels),), generator=generator)]
    # In double precision: below 2^53 samples every place can be reached.
    within = (torch.rand(len(labels), generator=generator, dtype=torch.float64) * counts[chosen]).long()
    return by_class[first[chosen] + within]


def by_like_length(lengths: Tensor, batch_size: int, seed: int, epoch: int) -> Tensor:
    """A permutation in which the samples of a batch are of like length, and batches come in random order.

    The last batch of all stays the last one: only it may be smaller than the others.
    """
    generator = _generator(seed, epoch)
    order = torch.randperm(len(lengths), generator=generator)
    for begin in range(0, len(order), NEIGHBOURS * batch_size):
        pool = order[begin : begin + NEIGHBOURS * batch_size]
        order[begin : begin + NEIGHBOURS * batch_size] = pool[lengths[pool].argsort(stable=True)]
    whole = len(order) // batch_size
    batches = order[: whole * batch_size].view(whole, batch_size)
    shuffled = batches[torch.randperm(whole, generator=generator)].flatten()
    return torch.cat([shuffled, order[whole * batch_size :]])


def _generator(seed: int, epoch: int) -> torch.Generator:
    return torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**32)
