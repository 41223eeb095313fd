"""The order of an epoch's training samples: a pure function of seed and epoch, so that no checkpoint must store it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from engine.data import Dataset
from engine.experiment.document import Data

Order = Callable[[int, int, int], Tensor]
"""(seed, epoch, batch_size) to the indices of the epoch's samples, (M,) int64."""

POOLED_BATCHES = 50
"""Batches whose samples are sorted by length together: enough for little padding, few enough that batches still have
different samples in every epoch."""


def epoch_order(samples: int, seed: int, epoch: int) -> Tensor:
    """Return a random permutation, (samples,) int64."""
    return torch.randperm(samples, generator=_generator(seed, epoch))


def order_of(dataset: Dataset, data: Data) -> Order:
    """Return the order that the document requests, as a function of seed, epoch and batch size."""
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
    """Draw as many samples as there are labels (N,): first a class, then one of its samples, all equally likely.

    Draws are with replacement: a sample of a rare class occurs several times in an epoch, one of a large class perhaps
    never. Returns indices, (N,) int64.
    """
    generator = _generator(seed, epoch)
    by_class = labels.argsort(stable=True)
    counts = labels.bincount()
    present = counts.nonzero().flatten()
    first = counts.cumsum(0) - counts
    chosen = present[torch.randint(len(present), (len(labels),), generator=generator)]
    # In float64, so that every sample can be drawn, up to 2^53 of them.
    within = (torch.rand(len(labels), generator=generator, dtype=torch.float64) * counts[chosen]).long()
    return by_class[first[chosen] + within]


def by_like_length(lengths: Tensor, batch_size: int, seed: int, epoch: int) -> Tensor:
    """Return a permutation with samples of similar length (N,) in a batch, and batches in random order, (N,) int64.

    The last batch stays last: only it may be smaller than the others.
    """
    generator = _generator(seed, epoch)
    order = torch.randperm(len(lengths), generator=generator)
    for begin in range(0, len(order), POOLED_BATCHES * batch_size):
        pool = order[begin : begin + POOLED_BATCHES * batch_size]
        order[begin : begin + POOLED_BATCHES * batch_size] = pool[lengths[pool].argsort(stable=True)]
    whole = len(order) // batch_size
    batches = order[: whole * batch_size].view(whole, batch_size)
    shuffled = batches[torch.randperm(whole, generator=generator)].flatten()
    return torch.cat([shuffled, order[whole * batch_size :]])


def _generator(seed: int, epoch: int) -> torch.Generator:
    return torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**32)
