import itertools
import math

import numpy as np
import pytest

from engine.data.baselines import Trigrams

rng = np.random.default_rng(0)


def by_hand(text: list[int], v: int, weights: np.ndarray, place: int) -> float:
    """The blend as its docstring says it, counted one by one."""
    a, b, c = text[place - 2 : place + 1]
    of_b = sum(1 for x in text if x == b)
    pairs = list(itertools.pairwise(text))
    triples = list(zip(text, text[1:], text[2:], strict=False))
    single = text.count(c) / len(text)
    pair = pairs.count((b, c)) / of_b if of_b else single
    triple = triples.count((a, b, c)) / pairs.count((a, b)) if (a, b) in pairs else pair
    return float(np.dot(weights, [1 / v, single, pair, triple]))


def test_probabilities_are_the_blend_of_counts_that_is_said() -> None:
    text = rng.integers(0, 5, 200)
    model = Trigrams(text, 6)
    places = np.arange(2, 60)
    expected = [by_hand(text.tolist(), 6, model.weights, p) for p in places.tolist()]
    assert model.bits(text, places) == pytest.approx(float(np.mean([-math.log2(p) for p in expected])))


def test_the_probabilities_of_all_tokens_after_a_context_add_up_to_one() -> None:
    text = rng.integers(0, 5, 300)
    model = Trigrams(text, 6)
    for a, b in ((0, 1), (4, 4), (5, 5)):  # the last was never seen
        after = [2 ** -model.bits(np.array([a, b, c]), np.array([2])) for c in range(6)]
        assert sum(after) == pytest.approx(1.0, abs=0.02)


def test_text_without_any_order_takes_about_the_bits_of_its_alphabet() -> None:
    text, fresh = rng.integers(0, 8, 200_000), rng.integers(0, 8, 5_000)
    assert Trigrams(text, 8).bits(fresh, np.arange(2, 5_000)) == pytest.approx(3.0, abs=0.02)


def test_text_that_repeats_takes_hardly_any_bits() -> None:
    text = np.tile([0, 1, 2, 3], 500)
    assert Trigrams(text, 4).bits(text, np.arange(2, 2_000)) < 0.01
