"""A run as the screens see it: events are drained on the deck's timer, kept in bounded room, handed out frozen.

The deck pulls; nothing is ever pushed to it, and nothing here touches a widget. A source is anything with `drain()` and
`send()`: a session in this process, or a follower of a run directory.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, Protocol

from engine.protocol.commands import PAUSE_MODES, Command, PauseMode, SetLR
from engine.protocol.events import (
    Checkpoint,
    CommandDone,
    Device,
    Epoch,
    Event,
    Finished,
    Log,
    Reason,
    RunStarted,
    Step,
)
from engine.protocol.outcomes import Continued, LRChanged, MemoryReleased, Paused
from engine.protocol.states import ViewState
from tui.answers import answer_text
from tui.run_status import RESUMABLE
from tui.series import Bucket, Series, Smoothing

SMOOTHINGS = (0.6, 0.9)
"""The weights that the loss can be smoothed with, as on TensorBoard's slider."""

_LOG_LINES = 200
_LR_CHANGES = 64
_RATE_TIME_S = 15.0


class Source(Protocol):
    """What a run is watched and steered through."""

    @property
    def stale(self) -> bool: ...

    @property
    def suspended(self) -> bool: ...

    def drain(self) -> list[Event]: ...

    def send(self, command: Command) -> object: ...


@dataclass(frozen=True, slots=True)
class Curve:
    """A series as it was when the snapshot was taken."""

    buckets: tuple[Bucket, ...] = ()
    last: float | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line for the person who watches."""

    time: float
    level: Literal["info", "warning", "error"]
    text: str


@dataclass(frozen=True, slots=True)
class LRChange:
    """A learning rate that was set by hand."""

    step: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """Everything that a screen shows of a run. Curves are over steps."""

    state: ViewState
    pause_mode: PauseMode | None = None
    """How it is paused, if it is."""
    suspended: bool = False
    """Whether its process was stopped by a signal (SIGSTOP, Ctrl-Z)."""
    asked: tuple[str, ...] = ()
    """Commands that were sent and are not answered yet."""
    asked_lr: float | None = None
    reason: Reason | None = None
    message: str = ""
    better_than_baseline: bool | None = None
    """Whether its best epoch is better than predicting without a network, once it has ended; None: not known."""
    started: RunStarted | None = None
    directory: str = ""
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    steps_per_epoch: int = 0
    samples_per_s: float | None = None
    seconds_left: float | None = None
    epoch_seconds_left: float | None = None
    """The same up to the end of the epoch's training."""
    validating: bool = False
    """Whether the last step of an epoch is taken and the epoch is not over."""
    seconds: float | None = None
    """How long the whole run took, once it has ended."""
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
    """The same with each weight of `SMOOTHINGS`."""
    epochs_seen: tuple[tuple[str, Curve], ...] = ()
    """Losses and metrics, one point an epoch, by their names: train_loss, val_loss, val_accuracy, …"""
    lr: Curve = Curve()
    lr_now: float | None = None
    """The rate that the next step takes, as far as is known: that of the last step, or what was set since."""
    lr_plan: tuple[tuple[int, float], ...] = ()
    lr_changes: tuple[LRChange, ...] = ()
    grad_norm: Curve = Curve()
    memory: Curve = Curve()
    load: Curve = Curve()
    memory_total_bytes: int = 0
    log: tuple[LogLine, ...] = ()

    @property
    def going(self) -> bool:
        """Whether the run takes commands."""
        return self.state in ("training", "paused")

    @property
    def resumable(self) -> bool:
        """Whether the run has come to no end of its own, and can be gone on with."""
        return self.state == "stale" or self.reason in RESUMABLE

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Metrics of the task without train_ or val_, those that were measured, losses not among them."""
        names = (name.removeprefix("train_").removeprefix("val_") for name, _ in self.epochs_seen)
        return tuple(dict.fromkeys(name for name in names if name != "loss"))

    def curve(self, name: str) -> Curve:
        """The curve over epochs of `val_loss`, `train_accuracy`, …; an empty one where nothing was measured."""
        return dict(self.epochs_seen).get(name, Curve())

    def planned_lr(self, step: float) -> float | None:
        """The rate that was planned for a step when the run began."""
        return _between(self.lr_plan, step)


@dataclass(slots=True)
class _Pace:
    """How fast the steps are, forgetting what lies longer back than `_RATE_TIME_S`. Pauses do not count."""

    seconds: float = 0.0
    steps: float = 0.0
    last_time: float | None = None
    last_step: int = 0

    def seen(self, time: float, step: int) -> None:
        if self.last_time is not None and step > self.last_step and time > self.last_time:
            kept = math.exp(-(time - self.last_time) / _RATE_TIME_S)
            self.seconds = self.seconds * kept + time - self.last_time
            self.steps = self.steps * kept + step - self.last_step
        self.last_time, self.last_step = time, step

    def left(self, steps: int) -> float | None:
        """Seconds that this many steps will take; None where nothing is known yet."""
        return steps * self.seconds / self.steps if self.steps > 0 and self.seconds > 0 else None


@dataclass(slots=True)
class _Curves:
    """The series of one run."""

    stride: float = 1.0
    train_loss: Series = field(default_factory=Series)
    lr: Series = field(default_factory=Series)
    grad_norm: Series = field(default_factory=Series)
    memory: Series = field(default_factory=Series)
    load: Series = field(default_factory=Series)
    by_epoch: dict[str, Series] = field(default_factory=dict)
    smoothed: dict[float, Series] = field(default_factory=lambda: {weight: Series() for weight in SMOOTHINGS})
    averages: dict[float, Smoothing] = field(init=False)

    def __post_init__(self) -> None:
        self.averages = {weight: Smoothing(weight, self.stride) for weight in SMOOTHINGS}

    def cut(self, step: int) -> None:
        """Forget the steps from this one on."""
        over_steps = (self.train_loss, self.lr, self.grad_norm, *self.by_epoch.values(), *self.smoothed.values())
        for series in over_steps:
            series.cut(step)
        self.averages = {weight: Smoothing(weight, self.stride) for weight in SMOOTHINGS}


class Feed:
    """Drains a source and holds what came of it."""

    def __init__(self, source: Source | None) -> None:
        self._source = source
        self._view = RunView(state="none" if source is None else "waiting")
        self._log: deque[LogLine] = deque(maxlen=_LOG_LINES)
        self._changes: deque[LRChange] = deque(maxlen=_LR_CHANGES)
        self._asked: list[Command] = []
        self._changed = False
        self._stale = self._suspended = False
        self._begin(1.0)
        self._now: dict[str, Any] = {"state": self._view.state}

    def _begin(self, stride: float) -> None:
        self._curves = _Curves(stride)
        self._pace = _Pace()
        self._samples_per_s: float | None = None
        self._last_end = (0, 0)
        """Epoch and step of the last `epoch` event."""
        self._validation_s = 0.0
        """How long the last validation took."""

    def pull(self) -> bool:
        """Take in what happened since the last call; say whether anything did."""
        events = self._source.drain() if self._source is not None else []
        for event in events:
            self._take(event)
        stale = self._source is not None and self._source.stale
        suspended = self._source is not None and self._source.suspended
        changed = bool(events) or (stale, suspended) != (self._stale, self._suspended)
        self._stale, self._suspended = stale, suspended
        self._changed = self._changed or changed
        return changed

    def send(self, command: Command) -> None:
        """Ask the run for something. It counts as asked until the run answers."""
        if self._source is None:
            return
        self._source.send(command)
        self._asked = [asked for asked in self._asked if asked.command != command.command] + [command]
        self._changed = True

    @property
    def view(self) -> RunView:
        """The run as of the last `pull`; the same object until something changes."""
        if self._changed:
            self._view = self._snapshot()
            self._changed = False
        return self._view

    def _take(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._take_run_started(event)
            case Step():
                self._take_step(event)
            case Epoch():
                self._take_epoch(event)
            case Device():
                self._curves.memory.append(event.time, event.memory_bytes)
                if event.load is not None:
                    self._curves.load.append(event.time, event.load)
                self._now["memory_total_bytes"] = event.memory_total_bytes
            case CommandDone():
                self._take_command(event)
            case Checkpoint():
                when = f"epoch {event.epoch}" if event.step else "before the first step"
                what = "best, saved" if event.kind == "best" and event.step else "checkpoint saved"
                self._log.append(LogLine(event.time, "info", f"{when}: {what}"))
            case Log():
                if self._now["state"] == "waiting":
                    self._now["state"] = "loading"
                self._log.append(LogLine(event.time, event.level, event.message))
            case Finished():
                self._take_finished(event)

    def _take_run_started(self, event: RunStarted) -> None:
        steps = event.epochs * event.steps_per_epoch
        stopping = event.experiment.get("training", {}).get("early_stopping") or {}
        state = {
            "state": "training",
            "started": event,
            "directory": event.directory,
            "epochs": event.epochs,
            "steps": steps,
            "steps_per_epoch": event.steps_per_epoch,
            "monitor": stopping.get("monitor", "val_loss"),
            "patience": stopping.get("patience"),
            "lr_plan": event.lr_plan,
            "lr_now": event.lr_plan[0][1] if event.lr_plan else None,
        }
        if event.resumed_from is None:
            # A point of the smoothed curve stands for a 256th of the run, or a quarter of an epoch where that is less:
            # how smooth it looks then depends neither on the machine's speed nor on how often events come.
            self._begin(max(1.0, min(steps / 256, event.steps_per_epoch / 4)))
            self._changes.clear()
            self._now = state
        else:
            ended = ("reason", "message", "seconds", "better_than_baseline")
            self._now = {key: value for key, value in self._now.items() if key not in ended}
            self._now |= state
            self._pace = _Pace()
        self._asked.clear()

    def _forget_from(self, step: int) -> None:
        """Forget this step and later ones: the run went back to a checkpoint and takes them again."""
        self._curves.cut(step)
        self._changes = deque((change for change in self._changes if change.step < step), _LR_CHANGES)
        self._last_end = (0, 0)

    def _take_step(self, event: Step) -> None:
        curves, epoch = self._curves, event.epoch
        ended_epoch, ended_at = self._last_end
        if epoch == ended_epoch + 1 and event.step <= ended_at:
            epoch = ended_epoch  # from an earlier version, which said an epoch's last step after the epoch
        elif event.step <= self._now.get("step", 0):
            self._forget_from(event.step)
        if event.step > self._now.get("paused_at", -1) and self._now["state"] == "paused":
            self._now |= {"state": "training", "pause_mode": None}
        curves.train_loss.append(event.step, event.loss)
        for weight, series in curves.smoothed.items():
            series.append(event.step, curves.averages[weight](event.step, event.loss))
        curves.lr.append(event.step, event.lr)
        if event.grad_norm is not None:
            curves.grad_norm.append(event.step, event.grad_norm)
        self._pace.seen(event.time, event.step)
        before = self._samples_per_s
        self._samples_per_s = event.samples_per_s if before is None else 0.8 * before + 0.2 * event.samples_per_s
        self._now |= {"epoch": epoch, "step": event.step, "lr_now": event.lr}

    def _take_epoch(self, event: Epoch) -> None:
        if event.step < self._now.get("step", 0) or event.step <= self._last_end[1]:
            self._forget_from(event.step)
        self._last_end = (event.epoch, event.step)
        if event.step == self._pace.last_step and self._pace.last_time is not None:
            self._validation_s = max(0.0, event.time - self._pace.last_time)
        for name, value in event.metrics.items():
            self._curves.by_epoch.setdefault(name, Series()).append(event.step, value)
        self._pace.seen(event.time, event.step)
        if self._samples_per_s is None:
            self._samples_per_s = event.samples_per_s
        self._now |= {
            "epoch": event.epoch,
            "step": event.step,
            "best": event.best,
            "best_epoch": event.best_epoch,
            "patience_used": event.patience_used,
        }
        if event.best_epoch == event.epoch:
            self._now |= {"best_step": event.step, "best_metrics": tuple(event.metrics.items())}

    def _take_command(self, event: CommandDone) -> None:
        self._asked = [asked for asked in self._asked if not _answers(event, asked)]
        self._log.append(LogLine(event.time, "info", answer_text(event)))
        match event.outcome:
            case Paused():
                self._now |= {"state": "paused", "pause_mode": "pause", "paused_at": event.step}
            case MemoryReleased():
                self._now |= {"state": "paused", "pause_mode": "release", "paused_at": event.step}
            case Continued() if self._now["state"] == "paused":
                self._now |= {"state": "training", "pause_mode": None}
                self._pace.last_time = None
            case LRChanged() if event.value is not None:
                self._changes.append(LRChange(event.step, event.value))
                self._now["lr_now"] = event.value

    def _take_finished(self, event: Finished) -> None:
        self._asked.clear()
        if event.reason is Reason.DETACHED:
            self._now["state"] = "moving"
        else:
            ended = {"state": "finished", "reason": event.reason, "message": event.message, "seconds": event.seconds}
            self._now |= ended | {"better_than_baseline": event.better_than_baseline}
        if event.step:  # else it ended before it knew where it stands
            self._now |= {"epoch": event.epoch, "step": event.step}
        if event.best_epoch is not None:
            self._now |= {"best": event.best, "best_epoch": event.best_epoch}
        level: Literal["info", "error"] = "error" if event.reason is Reason.FAILED else "info"
        self._log.append(LogLine(event.time, level, event.message or event.reason.value))

    def _snapshot(self) -> RunView:
        curves, now = self._curves, {key: value for key, value in self._now.items() if key != "paused_at"}
        if self._stale and now["state"] != "finished":
            now["state"] = "stale"
        going = now["state"] in ("training", "paused")
        step, in_epoch = now.get("step", 0), now.get("steps_per_epoch", 0)
        of_epoch = -step % in_epoch if in_epoch else 0
        validating = going and step > self._last_end[1] and of_epoch == 0
        return RunView(
            **now,
            suspended=self._suspended,
            asked=tuple(command.command for command in self._asked),
            asked_lr=next((command.value for command in self._asked if isinstance(command, SetLR)), None),
            samples_per_s=self._samples_per_s,
            seconds_left=self._seconds_left(now.get("steps", 0) - step, in_epoch) if going else None,
            epoch_seconds_left=self._pace.left(of_epoch) if going else None,
            validating=validating,
            train_loss=_curve(curves.train_loss),
            smoothed=tuple((weight, _curve(series)) for weight, series in curves.smoothed.items()),
            epochs_seen=tuple((name, _curve(series)) for name, series in curves.by_epoch.items()),
            lr=_curve(curves.lr),
            lr_changes=tuple(self._changes),
            grad_norm=_curve(curves.grad_norm),
            memory=_curve(curves.memory),
            load=_curve(curves.load),
            log=tuple(self._log),
        )

    def _seconds_left(self, steps: int, steps_per_epoch: int) -> float | None:
        """Seconds up to the end of the run: its steps, and the validations after them."""
        training = self._pace.left(steps)
        validations = -(-steps // steps_per_epoch) if steps_per_epoch else 0
        return None if training is None else training + validations * self._validation_s


def _curve(series: Series) -> Curve:
    return Curve(series.snapshot(), series.last, series.version)


def _answers(event: CommandDone, asked: Command) -> bool:
    if isinstance(asked, SetLR):
        # An answer to an earlier press leaves the last one asked.
        return event.command == "set_lr" and (
            event.value is None or math.isclose(event.value, asked.value, rel_tol=1e-6)
        )
    return event.command == asked.command or (
        asked.command in (*PAUSE_MODES, "continue") and event.command in (*PAUSE_MODES, "continue")
    )


def _between(corners: tuple[tuple[int, float], ...], step: float) -> float | None:
    """The value at `step` of a curve that is straight between its corners; its ends beyond them."""
    if not corners:
        return None
    if step <= corners[0][0]:
        return corners[0][1]
    for (x0, y0), (x1, y1) in pairwise(corners):
        if step <= x1:
            return y1 if x1 <= x0 else y0 + (y1 - y0) * (step - x0) / (x1 - x0)
    return corners[-1][1]
