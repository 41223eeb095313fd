"""Samples of a language model from one long text: windows of characters, and the next character at each position."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.data.dataset import Dataset, dataset
from engine.data.samples import Windows
from engine.data.splits import Split, in_time
from engine.data.text import MARKS, UNKNOWN
from engine.experiment.mistakes import Mistake, Refused


def characters(
    source: str, text: str, split: Split, *, window: int, stride: int, min_count: int, temperature: float, path: str
) -> Dataset:
    """Windows (T=window,) of characters; the target is the same window shifted by one character.

    The text is split in order, and no window crosses a boundary. The vocabulary is learned from the training part.

    Raises:
        Refused: a part of the text is shorter than a window; the mistake names `path`.
    """
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    spans = split.spans(len(codes))
    if spans.shortest < window + 1:
        raise Refused(
            Mistake(
                "data.window",
                f"a window of {window:,} and the character after it span {window + 1:,}",
                f"the shortest part of the text has {max(0, spans.shortest):,} of {len(codes):,} characters",
                "Shorten the window, or use a longer text.",
                subject=path,
            )
        )
    vocabulary, tokens = _numbered(codes, spans.train_end, min_count)
    starts, parts = in_time(spans, window + 1, stride)
    begin, values = torch.from_numpy(starts), torch.from_numpy(tokens)
    held = tokens[spans.train_end :]
    unknown = f"; {np.mean(held == UNKNOWN):.3%} of the other characters are not in it" if len(held) else ""
    return dataset(
        source,
        "language modelling",
        "tokens",
        Windows(values, begin, window),
        Windows(values, begin + 1, window),
        replace(parts, notes=()),
        vocabulary=vocabulary,
        token="character",
        temperature=temperature,
        notes=(
            f"{len(codes):,} characters, the first {spans.train_end:,} to train on; the vocabulary has "
            f"{len(vocabulary):,}, from the training part only{unknown}.",
        ),
    )


def _numbered(codes: NDArray[np.uint32], train_end: int, min_count: int) -> tuple[tuple[str, ...], NDArray[Any]]:
    """The vocabulary (special tokens, then characters by frequency in training), and the number of each character."""
    seen, counts = np.unique(codes[:train_end], return_counts=True)
    enough = counts >= min_count
    seen, counts = seen[enough], counts[enough]
    seen = seen[np.lexsort((seen, -counts))]
    vocabulary = (*MARKS, *map(chr, seen.tolist()))
    dtype: Any = np.uint8 if len(vocabulary) <= 256 else np.int32
    number = np.full(int(codes.max()) + 1, UNKNOWN, dtype=dtype)
    number[seen] = np.arange(len(MARKS), len(vocabulary), dtype=dtype)
    return vocabulary, number[codes]
