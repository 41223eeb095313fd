import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.spans import Spans
from engine.data.splits import Parts, in_time, shuffled, stratified

labels = st.lists(st.integers(0, 6), min_size=1, max_size=120).map(lambda values: np.array(values))
shares = st.tuples(st.floats(0, 0.49), st.floats(0, 0.49))


def together(parts: Parts) -> list[int]:
    return sorted([*parts.train, *parts.validation, *parts.test])


@given(labels, shares, st.integers(0, 2**63 - 1))
def test_every_sample_is_in_exactly_one_part(labels: np.ndarray, shares: tuple[float, float], seed: int) -> None:
    assert together(stratified(labels, *shares, seed)) == list(range(len(labels)))
    assert together(shuffled(len(labels), *shares, seed)) == list(range(len(labels)))


@given(labels, shares, st.integers(0, 100))
def test_every_class_is_trained_on(labels: np.ndarray, shares: tuple[float, float], seed: int) -> None:
    parts = stratified(labels, *shares, seed)
    assert set(labels[parts.train]) == set(labels)


@given(labels, shares, st.integers(0, 100))
def test_an_empty_validation_part_is_never_passed_over_in_silence(
    labels: np.ndarray, shares: tuple[float, float], seed: int
) -> None:
    for parts in (stratified(labels, *shares, seed), shuffled(len(labels), *shares, seed)):
        said = any("validation part is empty" in note for note in parts.notes)
        assert said == (shares[0] > 0 and len(parts.validation) == 0)


@given(st.lists(st.integers(20, 60), min_size=2, max_size=6), st.floats(0.05, 0.4))
def test_each_class_has_its_share_of_the_validation_part_to_the_sample(sizes: list[int], share: float) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    parts = stratified(labels, share, 0.0, seed=3)
    held = np.bincount(labels[parts.validation], minlength=len(sizes))
    assert np.abs(held - np.array(sizes) * share).max() < 1
    assert held.sum() == int(len(labels) * share + 0.5)


def test_one_seed_gives_the_same_parts_and_another_seed_others() -> None:
    labels = np.arange(200) % 4
    first, again, other = (stratified(labels, 0.2, 0.1, seed) for seed in (5, 5, 6))
    assert np.array_equal(first.validation, again.validation) and np.array_equal(first.test, again.test)
    assert not np.array_equal(first.validation, other.validation)


def test_what_is_held_back_is_not_simply_the_first_of_each_class() -> None:
    labels = np.zeros(1000, dtype=int)
    mean_place = stratified(labels, 0.2, 0.0, seed=0).validation.mean()
    assert mean_place == pytest.approx(500, abs=60)  # 3.3 standard errors of a uniform draw of 200


def test_a_class_too_small_to_validate_on_is_said() -> None:
    parts = stratified(np.array([0] * 50 + [1] * 50 + [2]), 0.2, 0.0, seed=0)
    assert parts.notes == ("1 of 3 classes are too small to have a sample in the validation part.",)


@given(
    st.integers(100, 400),
    st.floats(0, 0.4),
    st.floats(0, 0.4),
    st.integers(1, 12),
    st.integers(1, 5),
    st.integers(1, 7),
)
def test_no_value_of_a_series_is_seen_by_two_parts(
    length: int, validation: float, test: float, window: int, horizon: int, stride: int
) -> None:
    spans = Spans.of(length, validation, test)
    starts, parts = in_time(spans, window + horizon, stride)

    def seen(part: np.ndarray) -> set[int]:
        return {int(starts[i]) + k for i in part for k in range(window + horizon)}

    train, val, held = seen(parts.train), seen(parts.validation), seen(parts.test)
    assert max(train, default=-1) < spans.train_end
    assert all(spans.train_end <= t < spans.validation_end for t in val)
    assert all(spans.validation_end <= t < length for t in held)
    assert together(parts) == list(range(len(starts)))


def test_without_a_stride_the_training_span_gives_every_window_that_fits() -> None:
    starts, parts = in_time(Spans.of(100, 0.2, 0.0), reach=11, stride=1)
    assert starts[parts.train].tolist() == list(range(70))
    assert starts[parts.validation].tolist() == list(range(80, 90))
