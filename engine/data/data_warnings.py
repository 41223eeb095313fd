"""Notes and warnings on loaded data: imbalanced classes, equal inputs, unknown tokens.

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

UNEQUAL = 3
"""A note is added if one class is this many times as large as another."""


def imbalance_note(dataset: Dataset) -> tuple[str, ...]:
    """A note on the largest and the smallest class of the training part, if their sizes differ much."""
    if dataset.description.task != "classification":
        return ()
    counts = class_counts(dataset, dataset.train)
    most, least = int(counts.argmax()), int(counts.argmin())
    if counts[most] < UNEQUAL * counts[least] or most == least:
        return ()
    large, small = (f"{dataset.description.classes[i]} ({int(counts[i]):,} samples)" for i in (most, least))
    return (
        f"Classes are imbalanced: {large} is the largest, {small} the smallest. "
        'loss.weight = "balanced" weights them equally; data.sampler = "balanced" draws them equally often.',
    )


def class_counts(dataset: Dataset, indices: Tensor) -> Tensor:
    """(K,) number of these samples in each class; for a language model, of each token to predict."""
    classes = dataset.description.outputs
    counts = torch.zeros(classes, dtype=torch.int64)
    for some in indices.split(4096):
        counts += take(dataset.y, some).flatten().long().bincount(minlength=classes)
    return counts


_AT_ONCE = 64


def same_inputs_warnings(dataset: Dataset) -> Iterator[Mistake]:
    """Warn if all inputs of the training part are equal. In most datasets the first samples differ."""
    train = dataset.train
    if len(train) < 2:
        return
    first = take(dataset.x, train[:1])
    if any(not torch.equal(take(dataset.x, some), first.expand(len(some), *first.shape[1:])) for some in _parts(train)):
        return
    found = f"all {len(train):,} inputs of the training part are equal"
    fix = "Inspect them: `torchdeck data` shows the network's inputs."
    yield Mistake("data.source", found, "a network learns nothing from them", fix, severity="warning")


def _parts(train: torch.Tensor) -> Iterator[torch.Tensor]:
    """Few at first, since images may have to be decoded."""
    yield train[1:3]
    yield from train[3:].split(_AT_ONCE)


MUCH = 0.2
"""Share of unknown tokens in a part above which a warning is given."""
_AT_ONCE = 4096


def unknown_share(dataset: Dataset, part: Tensor) -> float:
    """Share of unknown tokens among the tokens of these samples (N,), without padding.

    Ragged texts and windows are counted in place, without copies.
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
    """Warn about parts in which more than a fifth of the tokens are unknown.

    Args:
        at: the field of the document that defines tokens.
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
        fix = 'Set data.tokens = "character" or "bpe", which compose rare words; or lower data.min_count.'
    else:
        fix = "Lower data.min_count, or train on more text."
    yield Mistake(at, f"{listed} are unknown", size, fix, severity="warning")
