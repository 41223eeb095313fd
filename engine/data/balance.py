"""Classes of unequal size: said, with what can be done."""

from __future__ import annotations

import torch

from engine.data.dataset import Dataset

UNEQUAL = 3
"""A class this many times as large as another is worth a word."""


def imbalance_note(dataset: Dataset) -> tuple[str, ...]:
    """A sentence on the largest and the smallest class of the training part, where they are far apart."""
    if dataset.description.task != "classification":
        return ()
    counts = torch.bincount(dataset.y[dataset.train], minlength=dataset.description.outputs)
    most, least = int(counts.argmax()), int(counts.argmin())
    if counts[most] < UNEQUAL * counts[least] or most == least:
        return ()
    large, small = (f"{dataset.description.classes[i]} ({int(counts[i]):,} samples)" for i in (most, least))
    return (
        f"Classes are unequal: {large} is the largest, {small} the smallest. "
        'loss.weight = "balanced" weighs them alike, data.sampler = "balanced" draws them alike.',
    )
