"""Build a dataset of labelled texts: split, learn the vocabulary of the training part, tokenise every text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.data.dataset import Dataset, dataset
from engine.data.splits import Indices, Parts, Split
from engine.data.texts.labelled import TEST, VALIDATION, Labelled
from engine.data.texts.tokens import Kind, learned


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSettings:
    """How texts are tokenised."""

    tokens: Kind
    vocabulary_size: int
    min_count: int
    max_length: int
    bucket: bool


def data_set(source: str, found: Labelled, settings: TokenSettings, split: Split) -> Dataset:
    """Tokens (T,), where T is the longest text, and class numbers. The vocabulary is learned from the training part."""
    notes = [*found.notes]
    labels = np.asarray(found.labels, dtype=np.int64)
    parts = _parts(found, labels, split, notes)
    to_learn = (found.texts[at] for at in parts.train.tolist())
    length = settings.max_length
    tokens = learned(
        settings.tokens,
        to_learn,
        size=settings.vocabulary_size,
        min_count=settings.min_count,
        length=length,
        rules=split.recorded.rules,
    )
    x, lengths = tokens.ragged(found.texts, length)
    notes.append(
        f"{len(found.texts):,} texts; the vocabulary has {len(tokens.vocabulary):,} {tokens.token}s, from the training "
        "part only."
    )
    cut = int((lengths == length).sum())
    if cut:
        notes.append(f"{cut / len(lengths):.0%} of the texts reach {length:,} {tokens.token}s and are cut there.")
    notes += _duplicates(found.texts, parts)
    return dataset(
        source,
        "classification",
        "tokens",
        x,
        labels,
        parts,
        classes=found.classes,
        lengths=lengths,
        vocabulary=tokens.vocabulary,
        encoders={"tokens": tokens.as_dict()},
        token=tokens.token,
        bucketed=settings.bucket,
        notes=tuple(notes),
    )


def _parts(found: Labelled, labels: Indices, split: Split, notes: list[str]) -> Parts:
    """Use given parts; draw the others from the training texts."""
    for name, part in (("validation", VALIDATION), ("test", TEST)):
        if found.own[part]:
            notes.append(f"The {name} part is {found.own[part]}; data.{name} is not used.")
    own_validation, own_test = (bool(found.own[part]) for part in (VALIDATION, TEST))
    return split.beside(found.ends, validation=own_validation, test=own_test, labels=labels, groups=found.groups)


def _duplicates(texts: list[str], parts: Parts) -> list[str]:
    """A sentence on texts that are in the training part and in another part."""
    seen = {texts[at] for at in parts.train.tolist()}
    twice = sum(texts[at] in seen for part in (parts.validation, parts.test) for at in part.tolist())
    if not twice:
        return []
    return [f"{twice:,} texts of the other parts are also in the training part, character by character."]
