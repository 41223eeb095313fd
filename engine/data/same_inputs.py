"""A training part whose inputs are all the same: whatever the network is, it gives one answer."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from engine.data.dataset import Dataset
from engine.data.samples import take
from engine.experiment.mistakes import Mistake

_AT_ONCE = 64


def same_inputs_warnings(dataset: Dataset) -> Iterator[Mistake]:
    """A warning where no input of the training part differs. Most data sets differ within the first samples."""
    train = dataset.train
    if len(train) < 2:
        return
    first = take(dataset.x, train[:1])
    if any(not torch.equal(take(dataset.x, some), first.expand(len(some), *first.shape[1:])) for some in _parts(train)):
        return
    found = f"all {len(train):,} inputs of the training part are the same"
    fix = "Look at them: torchdeck data shows what the network gets."
    yield Mistake("data.source", found, "there is nothing to learn from", fix, severity="warning")


def _parts(train: torch.Tensor) -> Iterator[torch.Tensor]:
    """A few at first: images may have to be decoded for this."""
    yield train[1:3]
    yield from train[3:].split(_AT_ONCE)
