"""Tokenisers: they learn a vocabulary from the training part and convert texts to numbers.

V tokens in the vocabulary, padding and unknown first.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Literal

import numpy as np
import torch

from engine.data.description import Token
from engine.data.progress import progress
from engine.data.recorded import NOTHING_RECORDED
from engine.data.samples import Ragged
from engine.data.text import MARKS, SPACE, UNKNOWN, vocabulary
from engine.data.words import one_form, words_in

Kind = Literal["word", "character", "bpe"]

LONGEST = 64
"""Maximum length of a token in characters; longer ones are no words and would waste memory."""
_AT_ONCE = 1000


class Tokens(ABC):
    """Converts texts to token numbers by a learned vocabulary."""

    token: Token
    vocabulary: tuple[str, ...]

    @abstractmethod
    def numbers(self, texts: Sequence[str], length: int) -> Iterator[Sequence[int]]:
        """The first `length` tokens of each text."""

    @abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """Everything learned in addition to the vocabulary, as JSON values."""

    def ragged(self, texts: Sequence[str], length: int) -> tuple[Ragged, np.ndarray[Any, np.dtype[np.int64]]]:
        """All texts in the smallest dtype for V, and their lengths (N,)."""
        values, lengths = array("i"), np.empty(len(texts), dtype=np.int64)
        for at, found in enumerate(self.numbers(texts, length)):
            values.extend(found)
            lengths[at] = len(found)
            if at % _AT_ONCE == 0:
                progress("Numbering tokens", at, len(texts))
        largest = len(self.vocabulary) - 1
        dtype = next(t for t in (np.uint8, np.int16, np.int32) if largest <= np.iinfo(t).max)
        numbers = torch.from_numpy(np.frombuffer(values, dtype=np.int32).astype(dtype))
        offsets = torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)]))
        return Ragged(numbers, offsets, int(lengths.max())), lengths


def learned(
    kind: Kind, texts: Iterable[str], *, size: int, min_count: int, length: int, rules: int = NOTHING_RECORDED.rules
) -> Tokens:
    """Learn the tokens of a training part.

    Args:
        size: maximum number of tokens in the vocabulary.
        min_count: minimum count of a token, or of a pair of pieces.
        length: number of tokens of each text that are used.
        rules: version of the rules for splitting texts.
    """
    if kind == "bpe":
        return BytePairs.learned(texts, size, min_count, length, rules)
    units = (list(_units(kind, text, length, rules)) for text in texts)
    return Counted(kind, vocabulary(units, size, min_count), rules)


def _units(token: Literal["word", "character"], text: str, length: int, rules: int) -> Iterator[str]:
    """The first `length` words, numbers and signs in lower case, or unchanged characters."""
    if token == "character":
        return iter(text[:length])
    return (word[:LONGEST] for word in islice(words_in(text, rules), length))


class Counted(Tokens):
    """Words or characters with a minimum count."""

    def __init__(self, token: Literal["word", "character"], vocabulary: tuple[str, ...], rules: int) -> None:
        self.token = self._unit = token
        self._rules = rules
        self.vocabulary = vocabulary
        self._number = {word: number for number, word in enumerate(vocabulary)}
        # A text may contain the name of a special token, which is ordinary text.
        for mark in MARKS:
            del self._number[mark]

    def numbers(self, texts: Sequence[str], length: int) -> Iterator[Sequence[int]]:
        """See `Tokens`."""
        for text in texts:
            yield [self._number.get(unit, UNKNOWN) for unit in _units(self._unit, text, length, self._rules)]

    def as_dict(self) -> dict[str, Any]:
        """See `Tokens`."""
        return {"type": self.token}


class BytePairs(Tokens):
    """Pieces of words in lower case, merged from characters, most frequent pair first.

    Sennrich, Haddow, Birch (2016): Neural Machine Translation of Rare Words with Subword Units,
    https://arxiv.org/abs/1508.07909; implemented by https://huggingface.co/docs/tokenizers.
    """

    token = "piece"

    def __init__(
        self, vocabulary: Sequence[str], merges: Sequence[tuple[str, str]], rules: int = NOTHING_RECORDED.rules
    ) -> None:
        from tokenizers import Tokenizer
        from tokenizers.models import BPE

        self.vocabulary = tuple(vocabulary)
        self.merges = tuple(merges)
        self._rules = rules
        numbers = {piece: number for number, piece in enumerate(self.vocabulary)}
        # No special tokens: a text may contain their names as ordinary text.
        self._tokenizer: Any = Tokenizer(BPE(vocab=numbers, merges=list(self.merges), unk_token=MARKS[UNKNOWN]))
        self._tokenizer.pre_tokenizer = _cut()

    @classmethod
    def learned(
        cls, texts: Iterable[str], size: int, min_count: int, length: int, rules: int = NOTHING_RECORDED.rules
    ) -> BytePairs:
        """Learn the pieces of texts.

        The alphabet is the characters that occur at least `min_count` times, at most half of the vocabulary.
        """
        import json

        from tokenizers import Tokenizer
        from tokenizers.models import BPE
        from tokenizers.trainers import BpeTrainer

        _allow_threads()
        heads = [_plain(text, length, rules) for text in texts]
        counts: Counter[str] = Counter()
        for head in heads:
            counts.update(head)
        counts.pop(" ", None)
        frequent = sorted((-n, character) for character, n in counts.items() if n >= min_count)
        alphabet = [SPACE, *(character for _, character in frequent[: max(1, size // 2 - len(MARKS) - 1)])]
        # The alphabet is chosen here, since the library drops equally rare characters in no fixed order.
        trainer = BpeTrainer(
            vocab_size=size,
            min_frequency=min_count,
            special_tokens=list(MARKS),
            initial_alphabet=alphabet,
            limit_alphabet=len(set(alphabet)),
            max_token_length=LONGEST,
            show_progress=False,
        )
        tokenizer: Any = Tokenizer(BPE(unk_token=MARKS[UNKNOWN]))
        tokenizer.pre_tokenizer = _cut()
        tokenizer.train_from_iterator(_with_progress("Learning pieces", heads), trainer, length=len(heads))
        model = json.loads(tokenizer.to_str())["model"]
        pieces = sorted(model["vocab"], key=model["vocab"].__getitem__)
        return cls(pieces, [(first, second) for first, second in model["merges"]], rules)

    def numbers(self, texts: Sequence[str], length: int) -> Iterator[Sequence[int]]:
        """See `Tokens`."""
        _allow_threads()
        for begin in range(0, len(texts), _AT_ONCE):
            some = [_plain(text, length, self._rules) for text in texts[begin : begin + _AT_ONCE]]
            for found in self._tokenizer.encode_batch_fast(some):
                yield found.ids[:length]

    def as_dict(self) -> dict[str, Any]:
        """See `Tokens`."""
        return {"type": "bpe", "merges": [list(pair) for pair in self.merges]}


def _plain(text: str, length: int, rules: int) -> str:
    """Lower case with single spaces, cut to the characters that `length` tokens can have."""
    head = text[: 8 * length * LONGEST].lower()  # much of it may be spaces
    return " ".join((head if rules == 1 else one_form(head)).split())[: length * LONGEST]


def _cut() -> Any:
    """Split into words with the space before them, and single punctuation marks."""
    from tokenizers.pre_tokenizers import Metaspace, Punctuation
    from tokenizers.pre_tokenizers import Sequence as InOrder

    return InOrder([Metaspace(replacement=SPACE, prepend_scheme="always"), Punctuation("isolated")])


def _with_progress(what: str, texts: Sequence[str]) -> Iterator[str]:
    for done, text in enumerate(texts):
        if done % _AT_ONCE == 0:
            progress(what, done, len(texts))
        yield text


def _allow_threads() -> None:
    """Without this, the library prints a warning into the screen when this process forks later."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
