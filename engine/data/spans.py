"""Sizes of parts, and where a series is cut in time; used to check a document without loading data."""

from __future__ import annotations

from dataclasses import dataclass

from engine.experiment.document import Data


def held_back(samples: int, share: float) -> int:
    """Number of samples of a part: a share is rounded to the nearest number, at least 1 if it is above 0.

    From 1 on, `share` is the number itself.
    """
    if share >= 1:
        return int(share)
    return max(1, int(samples * share + 0.5)) if share > 0 else 0


@dataclass(frozen=True, slots=True)
class Fold:
    """One of `folds` validation parts, counted from 1."""

    number: int
    folds: int

    @classmethod
    def of(cls, text: str) -> Fold:
        """`2/5` is the second of five."""
        number, _, folds = text.partition("/")
        return cls(int(number), int(folds))

    def __str__(self) -> str:
        return f"{self.number}/{self.folds}"


@dataclass(frozen=True, slots=True)
class Spans:
    """Parts of a series in time order: training up to `train_end`, validation up to `validation_end`, test at the end.

    The test part starts at `test_begin`, where the validation part ends. With folds, each fold is trained on everything
    before its validation part, and what follows that part is not used.
    """

    train_end: int
    validation_end: int
    end: int
    test_begin: int

    @classmethod
    def asked(cls, length: int, data: Data) -> Spans:
        """Cut a series of `length` values by the fields of a document."""
        return cls.of(length, data.validation, data.test, Fold.of(data.fold) if data.fold is not None else None)

    @classmethod
    def of(cls, length: int, validation: float, test: float, fold: Fold | None = None) -> Spans:
        """Cut a series of `length` values by the sizes of its parts."""
        test_begin = length - held_back(length, test)
        if fold is not None:
            edges = [test_begin * i // (fold.folds + 1) for i in range(fold.folds + 2)]
            return cls(edges[fold.number], edges[fold.number + 1], length, test_begin)
        return cls(test_begin - held_back(length, validation), test_begin, length, test_begin)

    @property
    def shortest(self) -> int:
        """Values in the shortest part that is used."""
        val_length, test_length = self.validation_end - self.train_end, self.end - self.test_begin
        return min([self.train_end, *filter(None, (val_length, test_length))])
