"""The learning rate of every step: warm-up, times torch's scheduler, times the changes that viewers made."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from engine.catalog.bind import build_scheduler
from engine.catalog.schedulers import moves_by_step, rate_field, warmup_factor, warmup_steps
from engine.experiment.document import Scheduler

_NOTHING: Mapping[str, float] = MappingProxyType({})


class LearningRate:
    """Sets the learning rate of every parameter group of an optimizer.

    The rate is `scheduled × warm-up × factor`. The scheduler is torch's and sees only the rates that it set itself, so
    it behaves as in a loop written by hand. It waits during the warm-up, which rises linearly from 0 to the full rate
    at the first step after it. `factor` is 1 until a viewer changes the rate.

    Args:
        epochs, steps_per_epoch: length of the run; T_max, total_steps and similar parameters follow from it.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, choice: Scheduler | None, *, epochs: int, steps_per_epoch: int
    ) -> None:
        self.optimizer = optimizer
        self.field = rate_field(choice)
        """The field of the document that sets the rate."""
        self.epochs = epochs
        self.factor = 1.0
        self.warmup_steps = warmup_steps(choice, steps_per_epoch)
        self.steps = 0
        self.moves = 0
        """Number of steps of the scheduler."""
        self.scheduler: Any = None
        self.by_step = False
        self.monitor: str | None = choice.parameters.get("monitor") if choice else None
        if choice is not None and choice.type != "none":
            self.by_step = moves_by_step(choice)
            self.scheduler = build_scheduler(choice, optimizer, epochs=epochs, steps_per_epoch=steps_per_epoch)
        self._scheduled = [group["lr"] for group in optimizer.param_groups]
        self._last: float = self._scheduled[0]
        self._apply()

    @property
    def lr(self) -> float:
        """The rate of the next step."""
        return float(self.optimizer.param_groups[0]["lr"])

    @property
    def last(self) -> float:
        """The rate of the last step."""
        return self._last

    def step_done(self) -> None:
        """Advance after a step of the optimizer."""
        self._last = self.lr
        self.steps += 1
        if self.steps <= self.warmup_steps:
            self._apply()
        elif self.by_step:
            self._advance()

    def epoch_done(self, measured: Mapping[str, float] = _NOTHING) -> None:
        """Advance after an epoch. ReduceLROnPlateau reads its monitored metric from `measured`, values by name."""
        # An epoch that is all warm-up does not count for the scheduler: it would end one step too far.
        if self.scheduler is None or self.by_step or self.steps <= self.warmup_steps:
            return
        if isinstance(self.scheduler, ReduceLROnPlateau):
            validated = any(name.startswith("val_") for name in measured)
            # Without a validation sample that counts there is no val_loss, and the scheduler stays.
            value = measured.get(self.monitor or ("val_loss" if validated else "train_loss"))
            if value is not None:
                self._advance(value)
        else:
            self._advance()

    def set(self, value: float) -> None:
        """Scale the schedule so that the next step has the rate `value`."""
        now = self.lr / self.factor
        self.factor = value / now if now > 0 else self.factor
        self._apply()

    def scale(self, factor: float) -> None:
        """Scale the rest of the schedule."""
        self.factor *= factor
        self._apply()

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs, as JSON values. Tables such as milestones follow from the document."""
        state = _plain(self.scheduler.state_dict()) if self.scheduler else None
        return {
            "epochs": self.epochs,
            "factor": self.factor,
            "steps": self.steps,
            "moves": self.moves,
            "scheduled": list(self._scheduled),
            "last": self._last,
            "scheduler": state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore `state_dict()`. Restore the optimizer's own state first.

        If the run now has another length, a schedule that depends on the length continues as in a run of the new length
        after the same number of scheduler steps.
        """
        self.factor, self.steps, self._last = state["factor"], state["steps"], state["last"]
        if self.scheduler is not None:
            # The steps before were taken in another process; torch would warn that there were none.
            self.optimizer._opt_called = True  # type: ignore[attr-defined]
        planned = self.scheduler is not None and not isinstance(self.scheduler, ReduceLROnPlateau)
        if planned and state["epochs"] != self.epochs:
            for _ in range(state["moves"]):
                self._advance()
        else:
            self._scheduled, self.moves = list(state["scheduled"]), state["moves"]
            if self.scheduler is not None:
                self.scheduler.load_state_dict(state["scheduler"])
        self._apply()

    def _advance(self, *monitored: float) -> None:
        for group, lr in zip(self.optimizer.param_groups, self._scheduled, strict=True):
            group["lr"] = lr
        self.scheduler.step(*monitored)
        self._scheduled = [group["lr"] for group in self.optimizer.param_groups]
        self.moves += 1
        self._apply()

    def _apply(self) -> None:
        warm = warmup_factor(self.steps, self.warmup_steps)
        for group, lr in zip(self.optimizer.param_groups, self._scheduled, strict=True):
            group["lr"] = lr * warm * self.factor


def _plain(value: Any) -> Any:
    """Return a scheduler's state without its tables, whose keys JSON would turn into strings."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items() if _is_plain(item)}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(isinstance(item, dict) or _is_plain(item) for item in value)
    return isinstance(value, (int, float, str, bool, type(None)))
