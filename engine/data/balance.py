"""Classes of unequal size: said, with what can be done."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.data.dataset import Dataset
from engine.data.samples import take

UNEQUAL = 3
"""A class this many times as large as another is worth a word."""


def imbalance_note(dataset: Dataset) -> tuple[str, ...]:
    """A sentence on the largest and the smallest class of the training part, where they are far apart."""
    if dataset.description.task != "classification":
        return ()
    counts = class_counts(dataset, dataset.train)
    most, least = int(counts.argmax()), int(counts.argmin())
    if counts[most] < UNEQUAL * counts[least] or most == least:
        return ()
    large, small = (f"{dataset.description.classes[i]} ({int(counts[i]):,} samples)" for i in (most, least))
    return (
        f"Classes are unequal: {large} is the largest, {small} the smallest. "
        'loss.weight = "balanced" weighs them alike, data.sampler = "balanced" draws them alike.',
    )


def class_counts(dataset: Dataset, indices: Tensor) -> Tensor:
    """(K,) how many of these samples each class has; each token that is to be predicted, in a language model."""
    classes = dataset.description.outputs
    counts = torch.zeros(classes, dtype=torch.int64)
    for some in indices.split(4096):
        counts += take(dataset.y, some).flatten().long().bincount(minlength=classes)
    return counts
