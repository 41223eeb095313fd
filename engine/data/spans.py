"""How many samples a share is, and where a series is cut. Plain arithmetic, so that a document can be checked by it."""

from __future__ import annotations

from dataclasses import dataclass


def held_back(samples: int, share: float) -> int:
    """How many of `samples` a share is: rounded to the nearest, at least one where something is asked for."""
    return max(1, int(samples * share + 0.5)) if share > 0 else 0


@dataclass(frozen=True, slots=True)
class Spans:
    """A series of `end` values in time order: training to `train_end`, validation to `validation_end`, then test."""

    train_end: int
    validation_end: int
    end: int

    @classmethod
    def of(cls, length: int, validation: float, test: float) -> Spans:
        """Cut a series of `length` values by the shares that are held back."""
        validation_end = length - held_back(length, test)
        return cls(validation_end - held_back(length, validation), validation_end, length)

    @property
    def shortest(self) -> int:
        """Values in the shortest span that is not left out on purpose."""
        val_length, test_length = self.validation_end - self.train_end, self.end - self.validation_end
        return min([self.train_end, *filter(None, (val_length, test_length))])
