"""The picture of a run that the screens show: a frozen snapshot, made by `tui.feed.Feed`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from engine import PauseMode, Reason, RunStarted, ViewState
from tui.run_status import RESUMABLE
from tui.series import Bucket, Series

SMOOTHINGS = (0.6, 0.9)
"""The weights by which the loss can be smoothed, as on TensorBoard's slider."""

Level = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Curve:
    """A series at the time of the snapshot."""

    buckets: tuple[Bucket, ...] = ()
    last: float | None = None
    version: int = 0

    @classmethod
    def of(cls, series: Series) -> Curve:
        """A snapshot of a series."""
        return cls(series.snapshot(), series.last, series.version)


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of the log."""

    time: float
    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class LRChange:
    """A learning rate that a person set."""

    step: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """Everything that a screen shows of a run. Curves are over steps."""

    state: ViewState
    pause_mode: PauseMode | None = None
    """How the run is paused; None while it is not."""
    suspended: bool = False
    """Whether its process was stopped by a signal (SIGSTOP, Ctrl-Z)."""
    unanswered: tuple[str, ...] = ()
    """Commands that were sent, and have no answer yet."""
    requested_lr: float | None = None
    """The learning rate of such a command."""
    reason: Reason | None = None
    """Why the run ended."""
    message: str = ""
    """The same as a sentence."""
    better_than_baseline: bool | None = None
    """Whether the best epoch of an ended run is better than a prediction without a network; None where unknown."""
    started: RunStarted | None = None
    directory: str = ""
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    steps_per_epoch: int = 0
    samples_per_s: float | None = None
    seconds_left: float | None = None
    """Estimated seconds to the end of the run, with its validations."""
    epoch_seconds_left: float | None = None
    """Estimated seconds to the last step of the epoch."""
    validating: bool = False
    """Whether the last step of an epoch is done, and its validation is not."""
    seconds: float | None = None
    """How long the whole run took, after its end."""
    monitor: str = "val_loss"
    best: float | None = None
    best_epoch: int | None = None
    best_step: int | None = None
    best_metrics: tuple[tuple[str, float], ...] = ()
    patience_used: int = 0
    patience: int | None = None
    train_loss: Curve = Curve()
    """One point a `step` event."""
    smoothed: tuple[tuple[float, Curve], ...] = ()
    """The same, smoothed by each weight of `SMOOTHINGS`."""
    epoch_curves: tuple[tuple[str, Curve], ...] = ()
    """Losses and metrics, one point an epoch, by their names: train_loss, val_loss, val_accuracy, …"""
    lr: Curve = Curve()
    lr_now: float | None = None
    """The rate of the next step: that of the last step, or the one that was set since."""
    lr_plan: tuple[tuple[int, float], ...] = ()
    lr_changes: tuple[LRChange, ...] = ()
    grad_norm: Curve = Curve()
    memory: Curve = Curve()
    load: Curve = Curve()
    memory_total_bytes: int = 0
    log: tuple[LogLine, ...] = ()

    @property
    def active(self) -> bool:
        """Whether the run accepts commands."""
        return self.state in ("training", "paused")

    @property
    def resumable(self) -> bool:
        """Whether the run ended early, and can be resumed."""
        return self.state == "stale" or self.reason in RESUMABLE

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The measured metrics without train_ or val_, and without the loss."""
        names = (name.removeprefix("train_").removeprefix("val_") for name, _ in self.epoch_curves)
        return tuple(dict.fromkeys(name for name in names if name != "loss"))

    def curve(self, name: str) -> Curve:
        """The curve over epochs of `val_loss`, `train_accuracy`, …; empty where nothing was measured."""
        return dict(self.epoch_curves).get(name, Curve())

    def planned_lr(self, step: float) -> float | None:
        """The learning rate that was planned for a step when the run started."""
        return _between(self.lr_plan, step)


def _between(corners: tuple[tuple[int, float], ...], step: float) -> float | None:
    """The value at `step` of a curve with straight lines between its corners, and constant beyond them."""
    if not corners:
        return None
    if step <= corners[0][0]:
        return corners[0][1]
    for (x0, y0), (x1, y1) in pairwise(corners):
        if step <= x1:
            return y1 if x1 <= x0 else y0 + (y1 - y0) * (step - x0) / (x1 - x0)
    return corners[-1][1]
