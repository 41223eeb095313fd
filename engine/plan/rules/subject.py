"""What the checks look at, and the register that they stand in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.data.description import Description
from engine.experiment.document import Choice, Experiment
from engine.experiment.mistakes import Mistake
from engine.model.signal import Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A document and what is known of it without training."""

    experiment: Experiment
    """With its loss resolved, if the data is known."""
    description: Description | None
    signals: Mapping[str, Signal | None]
    """What each layer hands on, by its path; None where a mistake leaves it open."""
    steps_per_epoch: int
    """Steps of the optimizer; 0 where the data is not known."""
    trained: int | None
    """Parameters that are trained; None where a mistake leaves that open."""
    needs_two: frozenset[str]
    """Paths of layers with norms inside that cannot be trained on a batch of one sample."""

    @property
    def epochs(self) -> int:
        """Length of the run."""
        return self.experiment.training.epochs


Check = Callable[[Subject], Iterator[Mistake]]
_CHECKS: list[Check] = []


def check(function: Check) -> Check:
    """Put a check in the register."""
    _CHECKS.append(function)
    return function


def every_mistake(subject: Subject) -> list[Mistake]:
    """What all checks have to say, in the order in which they are registered."""
    return [mistake for each in _CHECKS for mistake in each(subject)]


def number(choice: Choice, name: str, default: float | None = None) -> float | None:
    """A parameter of a choice where it is a finite number; values of another type are told of elsewhere."""
    value: Any = choice.parameters.get(name, default)
    usable = isinstance(value, int | float) and not isinstance(value, bool)
    # A whole number of TOML may be larger than any float.
    return value if usable and abs(value) < 1e300 and math.isfinite(value) else None


def epochs_text(epochs: float) -> str:
    """`1 epoch`, `12 epochs`."""
    return f"{epochs:g} epoch{'' if epochs == 1 else 's'}"


def registered() -> tuple[str, ...]:
    """The names of all checks."""
    return tuple(each.__name__ for each in _CHECKS)
