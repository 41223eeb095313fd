"""What a loop reports while it trains, and to whom: losses of steps and epochs, speeds, events."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from time import monotonic
from typing import Final, Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from engine.protocol.commands import Command
from engine.protocol.events import Epoch, Event, Reason, Step
from engine.training.learner import Position
from engine.training.stopping import Stopping

RELEASED: Final = "released"
ExitReason = Reason | Literal["released"]
"""Why a loop was left: the run ended, or is paused and releases its device memory, to be continued by another loop."""


GRAD_NORM_S = 1.0
"""Seconds between two measurements of the gradient norm where nothing clips it. It reads every gradient: at every
event it would take some percent of the time of a large network with fast steps (an embedding)."""


class LoopHost(Protocol):
    """Runs a loop: receives its events, and acts on the commands of viewers."""

    inbox: deque[Command]

    def emit(self, event: Event) -> None: ...

    def poll(self) -> ExitReason | None:
        """Act on commands. Returns why to leave the loop, if it is to be left."""

    def epoch_ended(self, *, improved: bool) -> None:
        """Called at the start of the next epoch: a good moment for a checkpoint."""


class Clock:
    """A clock in seconds that stops while the run is paused."""

    def __init__(self) -> None:
        self.paused_s = 0.0

    def now(self) -> float:
        """Return the seconds since some moment, without those of pauses."""
        return monotonic() - self.paused_s


class FetchedLosses(NamedTuple):
    """Losses that came from the device together."""

    total: float
    """Sum of the mean losses, each times its weight."""
    weight: float
    samples: int
    first_nonfinite: int | None
    """The first step whose loss is not finite."""


class EpochLosses:
    """The losses of the current epoch. They wait on the device and are fetched many at a time."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Tensor, Tensor | float, int, int]] = []
        self.total, self.weight, self.samples = 0.0, 0.0, 0

    def add(self, loss: Tensor, weight: Tensor | float, samples: int, step: int) -> None:
        """Add a mean loss, (). `weight` is what it was divided by: 0 where no sample counted."""
        self._waiting.append((loss, weight, samples, step))

    def fetch(self) -> FetchedLosses:
        """Fetch the waiting losses. This is the one place where training waits for the device."""
        total, weight, samples, first_nonfinite = 0.0, 0.0, 0, None
        if self._waiting:
            values = torch.stack([loss for loss, _, _, _ in self._waiting]).tolist()
            weights = _numbers([weight for _, weight, _, _ in self._waiting])
            for value, own, (_, _, size, step) in zip(values, weights, self._waiting, strict=True):
                self.total += value * own
                self.weight += own
                self.samples += size
                total += value * own
                weight += own
                samples += size
                if first_nonfinite is None and not math.isfinite(value):
                    first_nonfinite = step
            self._waiting = []
        return FetchedLosses(total, weight, samples, first_nonfinite)

    @property
    def mean(self) -> float:
        """Mean loss of the epoch so far, as if it were one batch; NaN where no sample counted."""
        return self.total / self.weight if self.weight else math.nan


class StepReporter:
    """Makes `step` events of fetched losses: their mean, and the speed since the last event."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.grad_norm: Tensor | None = None
        """Norm of the gradients where it was last measured, ()."""
        self._reported_at = self._norm_is_due_at = 0.0
        self._total, self._weight, self._samples = 0.0, 0.0, 0
        self._epoch = self._step = 0

    def restart(self) -> None:
        """Start to measure time: training begins, or continues."""
        self._reported_at = self.clock.now()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the last event."""
        return self.clock.now() - self._reported_at

    def norm_is_due(self) -> bool:
        """Return whether to measure the norm of the gradients in the next step; true once every GRAD_NORM_S."""
        if (now := monotonic()) < self._norm_is_due_at:
            return False
        self._norm_is_due_at = now + GRAD_NORM_S
        return True

    def add(self, losses: FetchedLosses, position: Position) -> None:
        """Add losses to the next event; `position` is that of the last of them."""
        if losses.samples:
            self._total += losses.total
            self._weight += losses.weight
            self._samples += losses.samples
            self._epoch, self._step = position.epoch, position.step

    def event(self, lr: float) -> Step | None:
        """Return the event of the steps since the last one; None if there was none."""
        if not self._samples:
            return None
        event = Step(
            epoch=self._epoch,
            step=self._step,
            loss=self._total / self._weight if self._weight else math.nan,
            lr=lr,
            grad_norm=None if self.grad_norm is None else float(self.grad_norm),
            samples_per_s=self._samples / max(self.elapsed_s, 1e-9),
        )
        self._total, self._weight, self._samples = 0.0, 0.0, 0
        self.restart()
        return event


def epoch_event(
    at: Position, measured: Mapping[str, float], stopping: Stopping, *, lr: float, seconds: float, samples_per_s: float
) -> Epoch:
    """Return the event of an epoch that has ended; `measured` are its losses and metrics by name."""
    return Epoch.model_validate(
        {
            "epoch": at.epoch,
            "step": at.step,
            "lr": lr,
            "seconds": seconds,
            "samples_per_s": samples_per_s,
            "best": stopping.best,
            "best_epoch": stopping.best_epoch,
            "patience_used": stopping.patience_used,
            **measured,
        }
    )


def _numbers(weights: list[Tensor | float]) -> list[float]:
    """Return the weights of batches as numbers. They are on the device where they follow from targets."""
    tensors = [weight for weight in weights if isinstance(weight, Tensor)]
    return torch.stack(tensors).tolist() if tensors else [float(weight) for weight in weights]
