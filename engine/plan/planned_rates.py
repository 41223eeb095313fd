"""The learning rate of every step of a run, before the run."""

from __future__ import annotations

import warnings
from bisect import bisect_right
from collections.abc import Callable, Sequence
from math import prod
from typing import Any, overload

import torch

from engine.catalog.bind import build_scheduler, moves_of, parts_of, scheduler_of_moves, stretches
from engine.catalog.schedulers import COMPOSITES, moves_by_step, warmup_factor, warmup_steps
from engine.experiment.document import Choice, Experiment, Scheduler

DRIVEN = 20_000
"""Number of scheduler steps up to which all of them are simulated, which takes 0.2 s. Above it, the closed form of
torch gives the rate of each step, equal except for rounding."""

SCANNED = 100_000
"""Number of steps up to which each one is checked for a bend of the curve."""


class PlannedRates(Sequence[float]):
    """The learning rate of each step of a run, as `engine.training.schedule.LearningRate` sets it.

    The rates after each step of the scheduler are computed once; the rate of a step is looked up in them.
    ReduceLROnPlateau depends on a metric of the run and is planned as if it never acted. Two objects are equal if they
    have the same schedule.
    """

    def __init__(self, experiment: Experiment, steps_per_epoch: int) -> None:
        self._epochs, self._steps_per_epoch = experiment.training.epochs, steps_per_epoch
        self._lr = float(experiment.optimizer.parameters.get("lr", 1e-3))
        choice = experiment.scheduler
        self._choice = choice
        self._warmup_steps = warmup_steps(choice, steps_per_epoch)
        self._by_step = choice is not None and moves_by_step(choice)
        self._scheduled = self._schedule(choice)

    def _schedule(self, choice: Scheduler | None) -> Callable[[int], float]:
        if choice is None or choice.type in ("none", "ReduceLROnPlateau"):
            return lambda _: self._lr
        moves = moves_of(choice, epochs=self._epochs, steps_per_epoch=self._steps_per_epoch)
        if moves > DRIVEN:
            return _closed_form(choice, self._lr, moves, self._epochs)
        optimizer = _ScheduledOnly(self._lr)
        scheduler = build_scheduler(choice, optimizer, epochs=self._epochs, steps_per_epoch=self._steps_per_epoch)
        optimizer.step()
        rates = [optimizer.rate]
        for _ in range(1, moves):
            scheduler.step()
            rates.append(optimizer.rate)
        return rates.__getitem__

    def __len__(self) -> int:
        return self._epochs * self._steps_per_epoch

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[float, ...]: ...
    def __getitem__(self, index: int | slice) -> float | tuple[float, ...]:
        """The rate of a step, counted from 0; or of several."""
        if isinstance(index, slice):
            return tuple(self._rate(step) for step in range(*index.indices(len(self))))
        return self._rate(range(len(self))[index])

    def _rate(self, step: int) -> float:
        warmup = self._warmup_steps
        if self._by_step:
            moved = max(0, step - warmup)
        else:
            moved = max(0, step // self._steps_per_epoch - warmup // self._steps_per_epoch)
        return self._scheduled(moved) * warmup_factor(step, warmup)

    @property
    def highest(self) -> float:
        """The highest rate of the run; with many scheduler steps, the highest of two thousand of them."""
        width = 1 if self._by_step else self._steps_per_epoch
        # A warm-up only rises, so between two scheduler steps the last rate is the highest.
        last = range(width - 1, len(self), width)
        return max(
            self._rate(step) for step in (*last[:: max(1, len(last) // 2000)], min(self._warmup_steps, last[-1]))
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PlannedRates) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[Any, ...]:
        choice = self._choice.model_dump_json() if self._choice is not None else None
        return self._epochs, self._steps_per_epoch, self._lr, choice


def with_rate_of_group(experiment: Experiment, lr: float | None, *, of_first: float | None) -> Experiment:
    """The experiment with the rate `lr` of a parameter group; rates of the scheduler, which are those of the first
    group, change in proportion."""
    if lr is None:
        return experiment
    optimizer = experiment.optimizer
    update: dict[str, Any] = {
        "optimizer": type(optimizer).model_validate({**optimizer.model_dump(), "groups": (), "lr": lr})
    }
    if experiment.scheduler is not None and of_first:
        scaled = _scaled(experiment.scheduler.model_dump(), lr / of_first)
        update["scheduler"] = Scheduler.model_validate(scaled)
    return experiment.model_copy(update=update)


def _scaled(choice: Any, factor: float) -> Any:
    """A scheduler and its parts with their rates multiplied."""
    if isinstance(choice, (list, tuple)):
        return [_scaled(part, factor) for part in choice]
    if not isinstance(choice, dict):
        return choice
    return {
        name: value * factor if name in ("base_lr", "max_lr") and value is not None else _scaled(value, factor)
        for name, value in choice.items()
    }


def _closed_form(choice: Choice, lr: float, moves: int, epochs: int) -> Callable[[int], float]:
    """A function from the number of scheduler steps to the rate, without simulating them."""
    if choice.type == "ChainedScheduler":
        factors = [_closed_form(part, lr, own, epochs) for part, own in parts_of(choice, moves)]
        return lambda moved: lr * prod(factor(moved) / lr for factor in factors) if lr else 0.0
    if choice.type in COMPOSITES:
        parts = [_closed_form(part, lr, own, epochs) for part, own in parts_of(choice, moves)]
        begins = [0, *stretches(choice, moves)]

        def of_its_part(moved: int) -> float:
            index = bisect_right(begins, moved) - 1
            return parts[index](moved - begins[index])

        return of_its_part
    optimizer = _ScheduledOnly(lr)
    scheduler = scheduler_of_moves(choice, optimizer, moves, two_epochs=max(1, 2 * moves // epochs))
    optimizer.step()

    def after(moved: int) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch deprecates setting the step of a scheduler
            scheduler.step(moved)
        return optimizer.rate

    return after


class _ScheduledOnly(torch.optim.Optimizer):
    """An optimizer whose steps change no weights, for its learning rate.

    The first step of others imports torch's compiler, which takes two seconds.
    """

    def __init__(self, lr: float) -> None:
        super().__init__([torch.nn.Parameter(torch.zeros(()))], {"lr": lr, "momentum": 0.0})

    @property
    def rate(self) -> float:
        """The current learning rate."""
        return float(self.param_groups[0]["lr"])

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Do nothing; schedulers expect a step of the optimizer before theirs."""


def corners(rates: Sequence[float], most: int = 256) -> tuple[tuple[int, float], ...]:
    """The curve of a rate as at most `most` points (step, rate) with straight lines between them.

    Steps count from 1. If the curve has more bends, or the run is very long, every n-th step is taken.
    """
    ends = {0, len(rates) - 1} - {-1}
    if len(rates) <= SCANNED:
        values = tuple(rates)
        bends = {
            i
            for i in range(1, len(values) - 1)
            if abs((values[i] - values[i - 1]) - (values[i + 1] - values[i])) > 1e-6 * abs(values[i])
        }
    if len(rates) > SCANNED or len(bends) + 2 > most:
        bends = set(range(0, len(rates), -(-len(rates) // (most - 1))))
    return tuple((i + 1, rates[i]) for i in sorted(bends | ends))
