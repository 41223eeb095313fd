"""A model of the next token that only counts: what a network that learns text has to beat.

V tokens in the vocabulary, L tokens of text.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.int64]

TUNED_ON = 0.1
"""Share of the training text, its end, on which the weights are chosen."""
_ROUNDS = 20


class Trigrams:
    """P(c | a b): how often c came after a b, blended with how often after b, how often at all, and evenness.

    The blend is Jelinek and Mercer's (1980): its weights are those under which the end of the training text is most
    likely, when the counts are of what stands before it; then everything is counted.
    """

    def __init__(self, text: Tokens, vocabulary: int) -> None:
        """`text` (L,) is what is counted."""
        self.vocabulary = vocabulary
        tuned = max(1, int(len(text) * TUNED_ON))
        self._count(text[:-tuned])
        shares = self._shares(text, np.arange(max(2, len(text) - tuned), len(text)))
        weights = np.full(4, 0.25)
        for _ in range(_ROUNDS):  # expectation maximisation
            responsible = weights * shares
            weights = (responsible / responsible.sum(1, keepdims=True)).mean(0)
        self.weights = weights
        self._count(text)

    def bits(self, text: Tokens, places: Tokens) -> float:
        """Mean of -log₂ P of the tokens at `places` of a text, each after the two that stand before it."""
        total = 0.0
        for some in np.array_split(places, max(1, len(places) // 65_536)):
            total -= float(np.log2(self._shares(text, some) @ self.weights).sum())
        return total / max(1, len(places))

    def _count(self, text: Tokens) -> None:
        v = self.vocabulary
        self._singles = np.bincount(text, minlength=v)
        self._pairs = _Counts(text[:-1] * v + text[1:])
        self._triples = _Counts((text[:-2] * v + text[1:-1]) * v + text[2:])

    def _shares(self, text: Tokens, places: Tokens) -> NDArray[np.float64]:
        """(N, 4): the probabilities of each token that are blended; where there is no context, the next shorter one."""
        v = self.vocabulary
        c, b, a = text[places], text[np.maximum(places - 1, 0)], text[np.maximum(places - 2, 0)]
        even = np.full(len(places), 1 / v)
        single = self._singles[c] / max(1, self._singles.sum())
        of_b, of_ab = self._singles[b], self._pairs.of(a * v + b)
        pair = np.where(of_b > 0, self._pairs.of(b * v + c) / np.maximum(of_b, 1), single)
        triple = np.where(of_ab > 0, self._triples.of((a * v + b) * v + c) / np.maximum(of_ab, 1), pair)
        return np.stack([even, single, pair, triple], 1)


class _Counts:
    """How often each number occurs, of numbers far apart."""

    def __init__(self, numbers: Tokens) -> None:
        self._numbers, self._counts = np.unique(numbers, return_counts=True)

    def of(self, numbers: Tokens) -> Tokens:
        """The count of each of these."""
        if not len(self._numbers):
            return np.zeros(len(numbers), dtype=np.int64)
        place = np.searchsorted(self._numbers, numbers).clip(max=len(self._numbers) - 1)
        return np.where(self._numbers[place] == numbers, self._counts[place], 0)
