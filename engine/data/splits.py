"""Which samples are for training, which for validation, which for testing.

What is drawn is drawn by `numpy.random.default_rng(seed)`: the same seed, sample count and shares give the same parts
on every machine. Time series are never shuffled: their parts follow one another, and no window reaches over a boundary.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.data.spans import Spans, held_back

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Parts:
    """Ascending int64 indices of each part, and what a person should know about them."""

    train: Indices
    validation: Indices
    test: Indices
    notes: tuple[str, ...] = ()


def stratified(labels: NDArray[np.integer], validation: float, test: float, seed: int) -> Parts:
    """Parts in which each class has its share, to the sample that rounding by largest remainder allows.

    Args:
        labels: (N,) class numbers from 0. Each class keeps at least one sample to train on.
    """
    counts = np.bincount(labels)
    test_counts = _apportion(counts, test, room=np.maximum(counts - 1, 0))
    val_counts = _apportion(counts, validation, room=np.maximum(counts - 1 - test_counts, 0))

    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    first = np.cumsum(counts) - counts
    rank = np.arange(len(labels)) - np.repeat(first, counts)  # place of a sample within its shuffled class
    in_test = rank < np.repeat(test_counts, counts)
    in_val = ~in_test & (rank < np.repeat(test_counts + val_counts, counts))
    absent = int(((counts > 0) & (val_counts == 0)).sum()) if val_counts.sum() else 0
    return _parts(
        by_class[~in_test & ~in_val],
        by_class[in_val],
        by_class[in_test],
        validation,
        test,
        (f"{absent} of {len(counts)} classes are too small to have a sample in the validation part.",)
        if absent
        else (),
    )


def shuffled(samples: int, validation: float, test: float, seed: int) -> Parts:
    """Parts drawn without regard to the targets, for regression."""
    test_count = min(held_back(samples, test), samples - 1)
    val_count = min(held_back(samples, validation), samples - 1 - test_count)
    order = np.random.default_rng(seed).permutation(samples)
    return _parts(
        order[test_count + val_count :],
        order[test_count : test_count + val_count],
        order[:test_count],
        validation,
        test,
    )


def in_time(spans: Spans, reach: int, stride: int) -> tuple[Indices, Parts]:
    """Windows of `reach` values (input and target together), `stride` apart, each whole within one span.

    A window that would reach over a boundary is left out, so that no value is seen by two parts.

    Returns:
        The first value of each window, (N,) ascending; and the parts, which index these N windows.
    """
    edges = (0, spans.train_end, spans.validation_end, spans.end)
    starts = [np.arange(begin, max(begin, end - reach + 1), stride, dtype=np.int64) for begin, end in pairwise(edges)]
    first = np.cumsum([0, *map(len, starts)])
    train, validation, test = (np.arange(begin, end, dtype=np.int64) for begin, end in pairwise(first))
    return np.concatenate(starts), Parts(train, validation, test)


def _apportion(counts: Indices, share: float, room: Indices) -> Indices:
    """`share` of each count as whole numbers, none above `room`, that add up to the share of the sum where room allows.

    Largest remainder (Hamilton's method): quotas are rounded down, and the largest fractions get what is left.
    """
    quotas = counts * share
    given = np.minimum(np.floor(quotas).astype(np.int64), room)
    left = min(held_back(int(counts.sum()), share), int(room.sum())) - int(given.sum())
    by_remainder = np.argsort(given - quotas, kind="stable")
    while left > 0:
        takers = by_remainder[(room - given)[by_remainder] > 0][:left]
        given[takers] += 1
        left -= len(takers)
    return given


def _parts(
    train: Indices, validation: Indices, test: Indices, val_share: float, test_share: float, notes: tuple[str, ...] = ()
) -> Parts:
    for name, part, share in (("validation", validation, val_share), ("test", test, test_share)):
        if share > 0 and not len(part):
            notes += (f"The {name} part is empty: there are too few samples to hold any back.",)
    return Parts(np.sort(train), np.sort(validation), np.sort(test), notes)
