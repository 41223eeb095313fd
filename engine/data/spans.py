"""How many samples a share is, and where a series is cut. Plain arithmetic, so that a document can be checked by it."""

from __future__ import annotations

from dataclasses import dataclass

from engine.experiment.document import Data


def held_back(samples: int, share: float) -> int:
    """How many of `samples` a share is: rounded to the nearest, at least one where something is asked for.

    From 1 on it is no share but the number itself.
    """
    if share >= 1:
        return int(share)
    return max(1, int(samples * share + 0.5)) if share > 0 else 0


@dataclass(frozen=True, slots=True)
class Fold:
    """One of `folds` ways to take a part for validation, counted from 1."""

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
    """A series in time order: training to `train_end`, validation to `validation_end`, then nothing, then test.

    The test part begins at `test_begin`, which is where the validation part ends, unless there are folds: each of them
    is trained on all that lies before the part that it is validated on, and what lies behind that is left out.
    """

    train_end: int
    validation_end: int
    end: int
    test_begin: int

    @classmethod
    def asked(cls, length: int, data: Data) -> Spans:
        """Cut as a document says it."""
        return cls.of(length, data.validation, data.test, Fold.of(data.fold) if data.fold is not None else None)

    @classmethod
    def of(cls, length: int, validation: float, test: float, fold: Fold | None = None) -> Spans:
        """Cut a series of `length` values by the shares that are held back."""
        test_begin = length - held_back(length, test)
        if fold is not None:
            edges = [test_begin * i // (fold.folds + 1) for i in range(fold.folds + 2)]
            return cls(edges[fold.number], edges[fold.number + 1], length, test_begin)
        return cls(test_begin - held_back(length, validation), test_begin, length, test_begin)

    @property
    def shortest(self) -> int:
        """Values in the shortest span that is not left out on purpose."""
        val_length, test_length = self.validation_end - self.train_end, self.end - self.test_begin
        return min([self.train_end, *filter(None, (val_length, test_length))])
