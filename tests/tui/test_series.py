from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.series import CAPACITY, Series, Smoothing


def test_a_series_stays_bounded_however_long_a_run_is() -> None:
    series = Series()
    for step in range(1, 100_001):
        series.append(step, 1 / step)
    buckets = series.snapshot()
    assert len(buckets) <= CAPACITY
    assert buckets[0].first_x == 1
    assert buckets[-1].last_x == 100_000
    assert sum(bucket.points for bucket in buckets) == 100_000


def test_a_spike_stays_visible_after_any_number_of_merges() -> None:
    series = Series()
    for step in range(1, 50_001):
        series.append(step, 77.0 if step == 31_234 else 1.0)
    spiked = [bucket for bucket in series.snapshot() if bucket.high == 77.0]
    assert len(spiked) == 1
    assert spiked[0].first_x <= 31_234 <= spiked[0].last_x
    assert spiked[0].low == 1.0


def test_the_mean_of_all_buckets_is_the_mean_of_all_points() -> None:
    series = Series()
    values = [math.sin(step / 7) + step / 1000 for step in range(5000)]
    for step, value in enumerate(values):
        series.append(step, value)
    mean = sum(bucket.mean * bucket.points for bucket in series.snapshot()) / len(values)
    assert mean == pytest.approx(sum(values) / len(values))


def test_a_value_that_is_not_finite_is_marked_and_not_averaged() -> None:
    series = Series(capacity=4)
    for step, value in enumerate([1.0, math.nan, 3.0, math.inf, 5.0, 7.0]):
        series.append(step, value)
    buckets = series.snapshot()
    assert [bucket.broken_x for bucket in buckets if bucket.broken_x is not None] == [1, 3]
    assert all(math.isfinite(bucket.mean) for bucket in buckets if bucket.points)
    assert sum(bucket.points for bucket in buckets) == 4


@given(st.lists(st.floats(), min_size=1, max_size=60))
def test_a_bucket_has_the_minimum_and_maximum_of_its_finite_points(values: list[float]) -> None:
    series = Series(capacity=4)
    for step, value in enumerate(values):
        series.append(step, value)
    for bucket in series.snapshot():
        inside = [value for value in values[int(bucket.first_x) : int(bucket.last_x) + 1] if math.isfinite(value)]
        assert bucket.points == len(inside)
        if inside:
            assert (bucket.low, bucket.high) == (min(inside), max(inside))
            assert bucket.broken_x is None or not math.isfinite(values[int(bucket.broken_x)])


def test_repeated_steps_replace_the_earlier_ones() -> None:
    series = Series()
    for step in range(1, 101):
        series.append(step, 1.0)
    series.append(41, 2.0)
    buckets = series.snapshot()
    assert buckets[-1].first_x == 41
    assert buckets[-2].last_x <= 40
    assert series.last == 2.0


def test_a_snapshot_does_not_change_when_the_series_grows() -> None:
    series = Series()
    series.append(1, 1.0)
    before = series.snapshot()
    series.append(2, 2.0)
    assert len(before) == 1
    assert before is not series.snapshot()
    assert series.snapshot() is series.snapshot()


def test_smoothing_equals_tensorboards_for_points_one_stride_apart() -> None:
    values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0]
    smoothing = Smoothing(0.6)
    averages = [smoothing(step, value) for step, value in enumerate(values)]
    # TensorBoard: last = last * w + (1 - w) * y, divided by 1 - w ** n.
    last, expected = 0.0, []
    for count, value in enumerate(values, 1):
        last = last * 0.6 + 0.4 * value
        expected.append(last / (1 - 0.6**count))
    assert averages == pytest.approx(expected)


def test_smoothing_depends_on_steps_and_not_on_the_rate_of_events() -> None:
    dense, sparse = Smoothing(0.9), Smoothing(0.9)
    for step in range(1, 1001):
        value = 1.0 if step <= 500 else 0.0
        a = dense(step, value)
        if step % 10 == 0:
            b = sparse(step, value)
            if step > 100:
                assert a == pytest.approx(b, abs=0.05)


def test_smoothing_ignores_values_that_are_not_finite() -> None:
    smoothing = Smoothing(0.9)
    smoothing(1, 2.0)
    assert math.isnan(smoothing(2, math.nan))
    assert smoothing(3, 2.0) == pytest.approx(2.0)
