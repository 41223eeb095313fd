"""Text as numbers: words, the vocabulary that numbers them, and rows of equal length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.data.class_order import NOTHING
from engine.data.description import Token
from engine.data.words import words_in

PADDING, UNKNOWN = 0, 1
MARKS = ("<padding>", "<unknown>")
SPACE = "▁"
"""What stands in a piece for the blank before it, as in SentencePiece."""


def tokens_of(text: str, rules: int = NOTHING.rules) -> list[str]:
    """Words in lower case, numbers, and each punctuation mark.

    >>> tokens_of("Return True, or raise OSError(2).")
    ['return', 'true', ',', 'or', 'raise', 'oserror', '(', '2', ')', '.']
    """
    return list(words_in(text, rules))


def spelled(tokens: Iterable[str], token: Token | None) -> str:
    """Tokens as a text that a person reads."""
    match token:
        case "character":
            return "".join(tokens)
        case "piece":
            return "".join(tokens).replace(SPACE, " ").strip()
    return " ".join(tokens)


def vocabulary(texts: Iterable[Sequence[str]], size: int, min_count: int) -> tuple[str, ...]:
    """The most frequent tokens, at most `size` with the two marks, each seen at least `min_count` times.

    The place of a token is its number; tokens of one frequency stand in alphabetical order.
    """
    counts = Counter(token for text in texts for token in text)
    frequent = sorted(((-n, token) for token, n in counts.items() if n >= min_count))
    return (*MARKS, *(token for _, token in frequent[: size - len(MARKS)]))


def numbered(
    texts: Sequence[Sequence[str]], words: Sequence[str], length: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Texts as rows of numbers, cut after `length` tokens and padded behind.

    Returns:
        (N, length) numbers of tokens, and (N,) how many of each row are not padding.
    """
    number = {word: i for i, word in enumerate(words)}
    rows = np.full((len(texts), length), PADDING, dtype=np.int64)
    lengths = np.empty(len(texts), dtype=np.int64)
    for i, text in enumerate(texts):
        row = [number.get(token, UNKNOWN) for token in text[:length]]
        rows[i, : len(row)] = row
        lengths[i] = len(row)
    return rows, lengths
