"""Split samples into training, validation and test parts.

Random draws use `numpy.random.default_rng(seed)`: the same seed, number of samples and shares give the same parts on
every machine. Time series are not shuffled: their parts follow one another, and no window crosses a boundary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.data.recorded import NOTHING_RECORDED, RecordedData
from engine.data.spans import Fold, Spans, held_back
from engine.experiment.document import Data

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Parts:
    """Ascending int64 indices of each part, and notes for the user."""

    train: Indices
    validation: Indices
    test: Indices
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The fields of [data] on parts, by which a source splits its samples."""

    validation: float = 0.0
    test: float = 0.0
    """Shares below 1, or numbers of samples from 1 on."""
    seed: int = 0
    fold: Fold | None = None
    """The fold that is the validation part; `validation` is not used then."""
    stratify: bool = True
    recorded: RecordedData = NOTHING_RECORDED
    """The orders of classes and categories that a resumed run started with."""

    @classmethod
    def of(cls, data: Data, seed: int, recorded: RecordedData = NOTHING_RECORDED) -> Split:
        """The split that a document describes."""
        fold = Fold.of(data.fold) if data.fold is not None else None
        return cls(
            validation=data.validation,
            test=data.test,
            seed=seed,
            fold=fold,
            stratify=data.stratify,
            recorded=recorded,
        )

    def by_class(self, labels: NDArray[np.integer], groups: NDArray[np.integer] | None = None) -> Parts:
        """Parts with each class's share; without `stratify`, or with groups, classes are ignored."""
        if groups is not None:
            return self.by_group(groups)
        if not self.stratify:
            return self.at_random(len(labels))
        if self.fold is None:
            return stratified(labels, self.validation, self.test, self.seed)
        return folded(labels, self.test, self.seed, self.fold)

    def at_random(self, samples: int, groups: NDArray[np.integer] | None = None) -> Parts:
        """Random parts that ignore the targets; groups stay together."""
        if groups is not None:
            return self.by_group(groups)
        if self.fold is None:
            return shuffled(samples, self.validation, self.test, self.seed)
        return folded(np.zeros(samples, dtype=np.int64), self.test, self.seed, self.fold)

    def by_group(self, groups: NDArray[np.integer]) -> Parts:
        """Parts of whole groups: no group is in two parts."""
        return grouped(groups, self.validation, self.test, self.seed, self.fold)

    def beside(
        self,
        ends: Sequence[int],
        *,
        validation: bool,
        test: bool,
        labels: NDArray[np.integer] | None = None,
        groups: NDArray[np.integer] | None = None,
    ) -> Parts:
        """Parts if some are given: samples are in the order train, validation, test, which end at `ends`.

        Args:
            validation: whether the validation part is given; if not, it is drawn from the training part.
            test: the same for the test part.
            labels: (N,) class numbers, to stratify what is drawn; None without classes.
            groups: (N,) group numbers; groups stay together in what is drawn.
        """
        train_end, validation_end, end = ends
        draw = replace(self, validation=0.0, fold=None) if validation else self
        draw = replace(draw, test=0.0) if test else draw
        groups = None if groups is None else groups[:train_end]
        drawn = draw.at_random(train_end, groups) if labels is None else draw.by_class(labels[:train_end], groups)
        return Parts(
            drawn.train,
            np.arange(train_end, validation_end, dtype=np.int64) if validation else drawn.validation,
            np.arange(validation_end, end, dtype=np.int64) if test else drawn.test,
            drawn.notes,
        )

    def spans(self, length: int) -> Spans:
        """Cut a series of `length` values in time."""
        return Spans.of(length, self.validation, self.test, self.fold)


def folded(labels: NDArray[np.integer], test: float, seed: int, fold: Fold) -> Parts:
    """The test part as in `stratified`, and one of `folds` stratified parts of the rest for validation.

    The validation parts of all folds contain each sample of the rest once.
    """
    apart = stratified(labels, 0.0, test, seed)
    rest = apart.train
    shuffled = np.random.default_rng(seed).permutation(len(rest))
    by_class = shuffled[np.argsort(labels[rest][shuffled], kind="stable")]
    # Samples are dealt to the folds in turn, class after class, so that sizes differ by one at most.
    held = np.arange(len(rest)) % fold.folds == fold.number - 1
    return Parts(np.sort(rest[by_class[~held]]), np.sort(rest[by_class[held]]), apart.test)


def grouped(groups: NDArray[np.integer], validation: float, test: float, seed: int, fold: Fold | None = None) -> Parts:
    """Assign whole groups in random order: to the test part, then to validation, until each has its share of samples.

    Args:
        groups: (N,) number of the group of each sample, from 0.
    """
    sizes = np.bincount(groups)
    present = np.flatnonzero(sizes)
    order = np.random.default_rng(seed).permutation(present)
    in_test, order = _first_groups(order, sizes, held_back(len(groups), test))
    if fold is None:
        in_val, order = _first_groups(order, sizes, held_back(len(groups), validation))
    else:
        in_val = order[np.arange(len(order)) % fold.folds == fold.number - 1]
        order = np.setdiff1d(order, in_val)
    train, val, tests = (np.flatnonzero(np.isin(groups, some)) for some in (order, in_val, in_test))
    notes = (
        f"{len(present):,} groups stay together: {len(order):,} for training, {len(in_val):,} for validation"
        + (f", {len(in_test):,} for test." if len(in_test) else "."),
    )
    return _parts(train, val, tests, 1.0 if fold else validation, test, notes)


def _first_groups(order: Indices, sizes: Indices, samples: int) -> tuple[Indices, Indices]:
    """The first groups that have `samples` samples together, leaving at least one group; and the others."""
    count = int(np.searchsorted(np.cumsum(sizes[order]), samples)) + 1 if samples else 0
    count = min(count, len(order) - 1)
    return order[:count], order[count:]


def stratified(labels: NDArray[np.integer], validation: float, test: float, seed: int) -> Parts:
    """Stratified parts: each class has its share of every part, rounded by largest remainder.

    Args:
        labels: (N,) class numbers from 0. Each class keeps at least one training sample.
    """
    counts = np.bincount(labels)
    test_counts = _apportion(counts, test, room=np.maximum(counts - 1, 0))
    val_counts = _apportion(counts, validation, room=np.maximum(counts - 1 - test_counts, 0))

    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    first = np.cumsum(counts) - counts
    rank = np.arange(len(labels)) - np.repeat(first, counts)  # rank of a sample within its shuffled class
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
    """Random parts that ignore the targets, for regression."""
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
    """Windows of `reach` values (input and target together), `stride` apart, each within one span.

    Windows that cross a boundary are left out, so that no value is in two parts.

    Returns:
        The start of each window, (N,) ascending; and the parts as indices into these N windows.
    """
    edges = ((0, spans.train_end), (spans.train_end, spans.validation_end), (spans.test_begin, spans.end))
    starts = [np.arange(begin, max(begin, end - reach + 1), stride, dtype=np.int64) for begin, end in edges]
    first = np.cumsum([0, *map(len, starts)])
    train, validation, test = (np.arange(begin, end, dtype=np.int64) for begin, end in pairwise(first))
    return np.concatenate(starts), Parts(train, validation, test)


def _apportion(counts: Indices, share: float, room: Indices) -> Indices:
    """`share` of each count as whole numbers, none above `room`, that add up to the share of the sum where room allows.

    Largest remainder (Hamilton's method): quotas are rounded down, and the largest fractions get the remaining samples.
    """
    quotas = counts * (share if share < 1 else min(1.0, share / counts.sum()))
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
            notes += (f"The {name} part is empty: there are too few samples.",)
    return Parts(np.sort(train), np.sort(validation), np.sort(test), notes)
