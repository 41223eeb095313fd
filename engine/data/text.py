"""Text as numbers: tokens, a vocabulary that numbers them, and padded rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.data.description import Token
from engine.data.recorded import NOTHING_RECORDED
from engine.data.words import words_in

PADDING, UNKNOWN = 0, 1
MARKS = ("<padding>", "<unknown>")
SPACE = "▁"
"""Stands for a space before a piece, as in SentencePiece."""


def tokens_of(text: str, rules: int = NOTHING_RECORDED.rules) -> list[str]:
    """Split a text into words in lower case, numbers and single punctuation marks.

    >>> tokens_of("Return True, or raise OSError(2).")
    ['return', 'true', ',', 'or', 'raise', 'oserror', '(', '2', ')', '.']
    """
    return list(words_in(text, rules))


def spelled(tokens: Iterable[str], token: Token | None) -> str:
    """Join tokens into readable text."""
    match token:
        case "character":
            return "".join(tokens)
        case "piece":
            return "".join(tokens).replace(SPACE, " ").strip()
    return " ".join(tokens)


def vocabulary(texts: Iterable[Sequence[str]], size: int, min_count: int) -> tuple[str, ...]:
    """The most frequent tokens that occur at least `min_count` times; at most `size`, including two special tokens.

    The index of a token is its number; equally frequent tokens are in alphabetical order.
    """
    counts = Counter(token for text in texts for token in text)
    frequent = sorted(((-n, token) for token, n in counts.items() if n >= min_count))
    return (*MARKS, *(token for _, token in frequent[: size - len(MARKS)]))


def numbered(
    texts: Sequence[Sequence[str]], words: Sequence[str], length: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Convert texts to rows of token numbers, truncated to `length` tokens and padded at the end.

    Returns:
        (N, length) token numbers, and (N,) the number of tokens of each row without padding.
    """
    number = {word: i for i, word in enumerate(words)}
    rows = np.full((len(texts), length), PADDING, dtype=np.int64)
    lengths = np.empty(len(texts), dtype=np.int64)
    for i, text in enumerate(texts):
        row = [number.get(token, UNKNOWN) for token in text[:length]]
        rows[i, : len(row)] = row
        lengths[i] = len(row)
    return rows, lengths
