"""From a data set on the device to batches: gathered there by index, no loader in between.

N batch, C channels, H W, T time, F features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.data import Dataset


@dataclass(frozen=True, slots=True)
class Batch:
    """`inputs` is what the network is called with: (x,) or (x, lengths). `target` is (N,) or (N, outputs)."""

    inputs: tuple[Tensor, ...]
    target: Tensor
    size: int

    def loss(self, criterion: Callable[[Tensor, Tensor], Tensor], output: Tensor) -> Tensor:
        """The loss of the network's output for this batch."""
        return criterion(output, self.target)


def epoch_order(samples: int, seed: int, epoch: int) -> Tensor:
    """The order of an epoch's training samples: a pure function of seed and epoch, so that there is none to restore."""
    return torch.randperm(samples, generator=torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**32))


class Batches:
    """One data set on the device, and the batches of its parts.

    Images may be kept with their channels last (N, H, W, C) in memory; a batch then has the shape (N, C, H, W) that
    torch expects and the strides that its convolutions are fastest on, without a copy.
    """

    def __init__(self, dataset: Dataset, device: str, *, channels_last: bool = False) -> None:
        self.dataset = dataset
        self.device = device
        self.channels_last = channels_last and dataset.x.ndim == 4
        x = dataset.x.permute(0, 2, 3, 1) if self.channels_last else dataset.x
        self._x = x.contiguous().to(device)
        self._y = dataset.y.to(device)
        self._lengths = None if dataset.lengths is None else dataset.lengths.to(device)

    def training(self, batch_size: int, seed: int, epoch: int, *, skip: int = 0) -> Iterator[Batch]:
        """The batches of one epoch in their order, without the first `skip`."""
        order = self.dataset.train[epoch_order(len(self.dataset.train), seed, epoch)]
        return self._batches(order, batch_size, skip)

    def validation(self, batch_size: int) -> Iterator[Batch]:
        """The batches of the validation part, in the data's own order."""
        return self._batches(self.dataset.validation, batch_size, 0)

    def _batches(self, order: Tensor, batch_size: int, skip: int) -> Iterator[Batch]:
        longest = self._longest(order, batch_size)
        order = order.to(self.device)
        for i in range(skip, -(-len(order) // batch_size)):
            indices = order[i * batch_size : (i + 1) * batch_size]
            yield self._gather(indices, longest[i] if longest else None)

    def _longest(self, order: Tensor, batch_size: int) -> list[int] | None:
        """Length of each batch's longest sequence, to cut what is only padding; known on the host: nothing syncs."""
        if self.dataset.lengths is None:
            return None
        return [int(part.max()) for part in self.dataset.lengths[order].split(batch_size)]

    def _gather(self, indices: Tensor, longest: int | None) -> Batch:
        x = self._x if longest is None else self._x[:, :longest]
        x = x.index_select(0, indices)
        if self.channels_last:
            x = x.permute(0, 3, 1, 2)
        target = self._y.index_select(0, indices)
        if self._lengths is None:
            return Batch((x,), target, len(indices))
        return Batch((x, self._lengths.index_select(0, indices)), target, len(indices))
