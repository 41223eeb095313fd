"""Curves over steps in bounded memory: after an hour a curve takes no more than after a minute."""

from __future__ import annotations

import math
from typing import NamedTuple

CAPACITY = 320


class Bucket(NamedTuple):
    """A summary of neighbouring points of a curve. `low`, `high` and `mean` are NaN if no value was finite."""

    first_x: float
    last_x: float
    low: float
    high: float
    mean: float
    points: int
    """The number of finite points."""
    broken_x: float | None = None
    """The position of the first value that was not finite."""
    broken_value: float = math.nan
    """That value: NaN or an infinity."""

    @property
    def x(self) -> float:
        return (self.first_x + self.last_x) / 2


class Series:
    """A curve that grows at its right end, in at most `CAPACITY` buckets.

    When all are full, neighbours are merged in pairs, so that every bucket has twice as many points. Minimum and
    maximum are kept, so that a spike stays visible however long the run is.
    """

    __slots__ = ("_buckets", "_capacity", "_in_last", "_per_bucket", "_snapshot", "last", "version")

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity - capacity % 2
        self._buckets: list[Bucket] = []
        self._per_bucket = 1
        self._in_last = 0
        self._snapshot: tuple[Bucket, ...] | None = ()
        self.version = 0
        """Grows with every change."""
        self.last: float | None = None
        """The newest value, finite or not."""

    def append(self, x: float, value: float) -> None:
        """Add a point at the right end. Earlier points at and right of `x` are removed."""
        if self._buckets and x <= self._buckets[-1].last_x:
            self.cut(x)
        point = _point(x, value)
        if self._buckets and self._in_last < self._per_bucket:
            self._buckets[-1] = merge(self._buckets[-1], point)
            self._in_last += 1
        else:
            if len(self._buckets) == self._capacity:
                pairs = zip(self._buckets[::2], self._buckets[1::2], strict=True)
                self._buckets = [merge(left, right) for left, right in pairs]
                self._per_bucket *= 2
            self._buckets.append(point)
            self._in_last = 1
        self.last = value
        self.version += 1
        self._snapshot = None

    def cut(self, x: float) -> None:
        """Remove the points at and right of `x`: a resumed run takes these steps again."""
        while self._buckets and self._buckets[-1].first_x >= x:
            self._buckets.pop()
        if self._buckets and self._buckets[-1].last_x >= x:
            self._buckets[-1] = self._buckets[-1]._replace(
                last_x=max(self._buckets[-1].first_x, math.nextafter(x, -math.inf))
            )
        self._in_last = self._per_bucket
        self.last = self._buckets[-1].mean if self._buckets else None
        self.version += 1
        self._snapshot = None

    def snapshot(self) -> tuple[Bucket, ...]:
        """The curve as it is now, which will not change."""
        if self._snapshot is None:
            self._snapshot = tuple(self._buckets)
        return self._snapshot

    def __len__(self) -> int:
        return len(self._buckets)


class Smoothing:
    """TensorBoard's exponential moving average with bias correction, for points at uneven distances.

    `weight` is that of TensorBoard's slider: the share of the old average that remains after a point, for points that
    are `stride` steps apart. https://github.com/tensorflow/tensorboard (line-chart smoothing)
    """

    __slots__ = ("_average", "_last_x", "_share", "_stride", "_weight")

    def __init__(self, weight: float, stride: float = 1.0) -> None:
        self._weight = weight
        self._stride = stride
        self._average = 0.0
        self._share = 0.0
        self._last_x: float | None = None

    def __call__(self, x: float, value: float) -> float:
        """The average at `x`; a value that is not finite is returned unchanged, and not averaged."""
        if not math.isfinite(value):
            return value
        distance = self._stride if self._last_x is None else max(x - self._last_x, 0.0)
        self._last_x = x
        kept = self._weight ** (distance / self._stride) if self._weight > 0 else 0.0
        self._average = self._average * kept + value * (1 - kept)
        self._share = self._share * kept + (1 - kept)
        return self._average / self._share if self._share > 0 else value


def merge(left: Bucket, right: Bucket) -> Bucket:
    """Merge two neighbours."""
    broken = left if left.broken_x is not None else right
    points = left.points + right.points
    if not left.points or not right.points:
        only = left if left.points else right
        low, high, mean = only.low, only.high, only.mean
    else:
        low, high = min(left.low, right.low), max(left.high, right.high)
        # Weighted before the addition, since the sum of two large numbers may overflow.
        mean = left.mean * (left.points / points) + right.mean * (right.points / points)
    return Bucket(left.first_x, right.last_x, low, high, mean, points, broken.broken_x, broken.broken_value)


def _point(x: float, value: float) -> Bucket:
    if math.isfinite(value):
        return Bucket(x, x, value, value, value, 1)
    return Bucket(x, x, math.nan, math.nan, math.nan, 0, x, value)
