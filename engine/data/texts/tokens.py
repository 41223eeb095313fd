"""From texts to numbers: what a token is, and which tokens of the training part have a number.

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

from engine.data.class_order import NOTHING
from engine.data.description import Token
from engine.data.progress import progress
from engine.data.samples import Ragged
from engine.data.text import MARKS, SPACE, UNKNOWN, vocabulary
from engine.data.words import one_form, words_in

Kind = Literal["word", "character", "bpe"]

LONGEST = 64
"""Characters of a token; what is longer is no word, and would lie in every list of them."""
_AT_ONCE = 1000


class Tokens(ABC):
    """Numbers texts by a vocabulary that was learned."""

    token: Token
    vocabulary: tuple[str, ...]

    @abstractmethod
    def numbers(self, texts: Sequence[str], length: int) -> Iterator[Sequence[int]]:
        """The first `length` tokens of each text."""

    @abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """What was learned beside the vocabulary, as JSON holds it."""

    def ragged(self, texts: Sequence[str], length: int) -> tuple[Ragged, np.ndarray[Any, np.dtype[np.int64]]]:
        """All texts in the smallest type that holds V, and the length of each, (N,)."""
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
    kind: Kind, texts: Iterable[str], *, size: int, min_count: int, length: int, rules: int = NOTHING.rules
) -> Tokens:
    """The tokens of a training part.

    Args:
        size: most tokens in the vocabulary, V.
        min_count: times that a token, or two pieces in a row, must occur.
        length: tokens of each text that are looked at.
        rules: version of the rules by which a run cuts texts.
    """
    if kind == "bpe":
        return BytePairs.learned(texts, size, min_count, length, rules)
    units = (list(_units(kind, text, length, rules)) for text in texts)
    return Counted(kind, vocabulary(units, size, min_count), rules)


def _units(token: Literal["word", "character"], text: str, length: int, rules: int) -> Iterator[str]:
    """Words, numbers and marks in lower case, or characters as they stand; no more of a text is looked at."""
    if token == "character":
        return iter(text[:length])
    return (word[:LONGEST] for word in islice(words_in(text, rules), length))


class Counted(Tokens):
    """Words or characters: those that occur often have a number."""

    def __init__(self, token: Literal["word", "character"], vocabulary: tuple[str, ...], rules: int) -> None:
        self.token = self._unit = token
        self._rules = rules
        self.vocabulary = vocabulary
        self._number = {word: number for number, word in enumerate(vocabulary)}
        # A text may hold what looks like a mark: it is none.
        for mark in MARKS:
            del self._number[mark]

    def numbers(self, texts: Sequence[str], length: int) -> Iterator[Sequence[int]]:
        """As `Tokens` says."""
        for text in texts:
            yield [self._number.get(unit, UNKNOWN) for unit in _units(self._unit, text, length, self._rules)]

    def as_dict(self) -> dict[str, Any]:
        """As `Tokens` says."""
        return {"type": self.token}


class BytePairs(Tokens):
    """Pieces of words in lower case, merged from characters, most frequent pair first.

    Sennrich, Haddow, Birch (2016): Neural Machine Translation of Rare Words with Subword Units,
    https://arxiv.org/abs/1508.07909; by https://huggingface.co/docs/tokenizers.
    """

    token = "piece"

    def __init__(
        self, vocabulary: Sequence[str], merges: Sequence[tuple[str, str]], rules: int = NOTHING.rules
    ) -> None:
        from tokenizers import Tokenizer
        from tokenizers.models import BPE

        self.vocabulary = tuple(vocabulary)
        self.merges = tuple(merges)
        self._rules = rules
        numbers = {piece: number for number, piece in enumerate(self.vocabulary)}
        # Without special tokens: a text may hold what looks like a mark, which is none.
        self._tokenizer: Any = Tokenizer(BPE(vocab=numbers, merges=list(self.merges), unk_token=MARKS[UNKNOWN]))
        self._tokenizer.pre_tokenizer = _cut()

    @classmethod
    def learned(
        cls, texts: Iterable[str], size: int, min_count: int, length: int, rules: int = NOTHING.rules
    ) -> BytePairs:
        """The pieces of these texts.

        The alphabet is the characters that occur `min_count` times, at most half of the vocabulary.
        """
        import json

        from tokenizers import Tokenizer
        from tokenizers.models import BPE
        from tokenizers.trainers import BpeTrainer

        _say_that_threads_are_meant()
        heads = [_plain(text, length, rules) for text in texts]
        counts: Counter[str] = Counter()
        for head in heads:
            counts.update(head)
        counts.pop(" ", None)
        frequent = sorted((-n, character) for character, n in counts.items() if n >= min_count)
        alphabet = [SPACE, *(character for _, character in frequent[: max(1, size // 2 - len(MARKS) - 1)])]
        # Characters are chosen here: of several that are equally rare, the library would leave out any.
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
        tokenizer.train_from_iterator(_told("Learning pieces", heads), trainer, length=len(heads))
        model = json.loads(tokenizer.to_str())["model"]
        pieces = sorted(model["vocab"], key=model["vocab"].__getitem__)
        return cls(pieces, [(first, second) for first, second in model["merges"]], rules)

    def numbers(self, texts: Sequence[str], length: int) -> Iterator[Sequence[int]]:
        """As `Tokens` says."""
        _say_that_threads_are_meant()
        for begin in range(0, len(texts), _AT_ONCE):
            some = [_plain(text, length, self._rules) for text in texts[begin : begin + _AT_ONCE]]
            for found in self._tokenizer.encode_batch_fast(some):
                yield found.ids[:length]

    def as_dict(self) -> dict[str, Any]:
        """As `Tokens` says."""
        return {"type": "bpe", "merges": [list(pair) for pair in self.merges]}


def _plain(text: str, length: int, rules: int) -> str:
    """In lower case, with single blanks, and no more of it than `length` tokens can come from."""
    head = text[: 8 * length * LONGEST].lower()  # of which much may be blanks
    return " ".join((head if rules == 1 else one_form(head)).split())[: length * LONGEST]


def _cut() -> Any:
    """Words with the blank before them; marks stand alone."""
    from tokenizers.pre_tokenizers import Metaspace, Punctuation
    from tokenizers.pre_tokenizers import Sequence as InOrder

    return InOrder([Metaspace(replacement=SPACE, prepend_scheme="always"), Punctuation("isolated")])


def _told(what: str, texts: Sequence[str]) -> Iterator[str]:
    for done, text in enumerate(texts):
        if done % _AT_ONCE == 0:
            progress(what, done, len(texts))
        yield text


def _say_that_threads_are_meant() -> None:
    """Otherwise the library writes a warning into the screen when this process starts another one later."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
