"""How many tokens of a part the vocabulary has no number for, and a warning where that is much of what is to be read.

N samples, T time.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from engine.data.dataset import Dataset
from engine.data.samples import Ragged, Windows, take
from engine.data.text import PADDING, UNKNOWN
from engine.experiment.mistakes import Mistake
from engine.sizes import share_text

MUCH = 0.2
"""Share of unknown tokens in a part from which it is worth a warning."""
_AT_ONCE = 4096


def unknown_share(dataset: Dataset, part: Tensor) -> float:
    """The share of the tokens of these samples (N,), padding aside, that the vocabulary has no number for.

    Texts and windows share their memory, and are never cut out for this.
    """
    x = dataset.x
    if isinstance(x, (Ragged, Windows)):
        begin = x.starts[part] if isinstance(x, Windows) else x.offsets[part]
        end = begin + x.length if isinstance(x, Windows) else x.offsets[part + 1]
        before = torch.zeros(len(x.values) + 1, dtype=torch.int32)
        torch.cumsum(x.values == UNKNOWN, 0, dtype=torch.int32, out=before[1:])
        unknown, total = int((before[end] - before[begin]).sum()), int((end - begin).sum())
    else:
        unknown = total = 0
        for some in part.split(_AT_ONCE):
            tokens = take(x, some)
            unknown += int((tokens == UNKNOWN).sum())
            total += int((tokens != PADDING).sum())
    return unknown / total if total else 0.0


def unknown_warnings(dataset: Dataset, at: str) -> Iterator[Mistake]:
    """A warning for the parts in which more than a fifth of the tokens are unknown.

    Args:
        at: the place in the document that says what a token is.
    """
    token = dataset.description.token
    parts = {"training": dataset.train, "validation": dataset.validation, "test": dataset.test}
    shares = {name: unknown_share(dataset, part) for name, part in parts.items() if len(part)}
    much = {name: share for name, share in shares.items() if share > MUCH}
    if not much:
        return
    listed = " and ".join(f"{share_text(share)} of the tokens of the {name} part" for name, share in much.items())
    size = f"the vocabulary has {len(dataset.vocabulary):,} {token}s, learned from the training part"
    if at == "data.tokens" and token == "word":
        fix = 'Set data.tokens = "character" or "bpe", of which rare words are made up; or lower data.min_count.'
    else:
        fix = "Lower data.min_count, or train on more text."
    yield Mistake(at, f"{listed} are unknown", size, fix, severity="warning")
