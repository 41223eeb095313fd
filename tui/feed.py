"""The feed of a run: reads events from a source on the deck's timer, and makes a frozen `RunView` of them.

The deck pulls and the source never pushes. Nothing here touches a widget. Memory is bounded however long the run is. A
source is a session in this process, or a follower of a run directory.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from engine import (
    PAUSE_MODES,
    Checkpoint,
    Command,
    CommandDone,
    Continued,
    Device,
    Epoch,
    Event,
    Finished,
    Log,
    LRChanged,
    MemoryReleased,
    Paused,
    PauseMode,
    Reason,
    RunStarted,
    SetLR,
    Step,
    ViewState,
)
from tui.answers import answer_text
from tui.run_view import SMOOTHINGS, Curve, Level, LogLine, LRChange, RunView
from tui.series import Series, Smoothing

_LOG_LINES = 200
_LR_CHANGES = 64
_PACE_S = 15.0
_PAUSE_COMMANDS = (*PAUSE_MODES, "continue")


class Source(Protocol):
    """What gives the events of a run, and takes its commands."""

    @property
    def stale(self) -> bool: ...

    @property
    def suspended(self) -> bool: ...

    def drain(self) -> list[Event]: ...

    def send(self, command: Command) -> object: ...


@dataclass(slots=True)
class _Progress:
    """The values of a `RunView` that events set directly, under the same names."""

    state: ViewState
    pause_mode: PauseMode | None = None
    reason: Reason | None = None
    message: str = ""
    better_than_baseline: bool | None = None
    started: RunStarted | None = None
    directory: str = ""
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    steps_per_epoch: int = 0
    samples_per_s: float | None = None
    seconds: float | None = None
    monitor: str = "val_loss"
    best: float | None = None
    best_epoch: int | None = None
    best_step: int | None = None
    best_metrics: tuple[tuple[str, float], ...] = ()
    patience_used: int = 0
    patience: int | None = None
    lr_now: float | None = None
    lr_plan: tuple[tuple[int, float], ...] = ()
    memory_total_bytes: int = 0


@dataclass(slots=True)
class _Pace:
    """The time a step takes: an average that forgets with the time constant `_PACE_S`. Pauses do not count."""

    seconds: float = 0.0
    steps: float = 0.0
    last_time: float | None = None
    last_step: int = 0

    def add(self, time: float, step: int) -> None:
        if self.last_time is not None and step > self.last_step and time > self.last_time:
            decay = math.exp(-(time - self.last_time) / _PACE_S)
            self.seconds = self.seconds * decay + time - self.last_time
            self.steps = self.steps * decay + step - self.last_step
        self.last_time, self.last_step = time, step

    def seconds_for(self, steps: int) -> float | None:
        """Estimated seconds for this many steps; None before the first two steps."""
        return steps * self.seconds / self.steps if self.steps > 0 and self.seconds > 0 else None


@dataclass(slots=True)
class _Curves:
    """The series of one run."""

    stride: float = 1.0
    """Steps for one point of a smoothed curve."""
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

    def add_step(self, event: Step) -> None:
        self.train_loss.append(event.step, event.loss)
        for weight, series in self.smoothed.items():
            series.append(event.step, self.averages[weight](event.step, event.loss))
        self.lr.append(event.step, event.lr)
        if event.grad_norm is not None:
            self.grad_norm.append(event.step, event.grad_norm)

    def add_epoch(self, event: Epoch) -> None:
        for name, value in event.metrics.items():
            self.by_epoch.setdefault(name, Series()).append(event.step, value)

    def add_device(self, event: Device) -> None:
        self.memory.append(event.time, event.memory_bytes)
        if event.load is not None:
            self.load.append(event.time, event.load)

    def cut(self, step: int) -> None:
        """Forget this step and later ones."""
        over_steps = (self.train_loss, self.lr, self.grad_norm, *self.by_epoch.values(), *self.smoothed.values())
        for series in over_steps:
            series.cut(step)
        self.averages = {weight: Smoothing(weight, self.stride) for weight in SMOOTHINGS}


class Feed:
    """Reads the events of a source and shows the run as a `RunView`."""

    def __init__(self, source: Source | None) -> None:
        self._source = source
        self._view = RunView(state="none" if source is None else "waiting")
        self._changed = False
        self._stale = self._suspended = False
        self._unanswered: list[Command] = []
        self._log: deque[LogLine] = deque(maxlen=_LOG_LINES)
        self._lr_changes: deque[LRChange] = deque(maxlen=_LR_CHANGES)
        self._reset(_Progress(self._view.state), stride=1.0)

    def _reset(self, progress: _Progress, stride: float) -> None:
        self._progress = progress
        self._curves = _Curves(stride)
        self._pace = _Pace()
        self._paused_at = -1
        """The step of the last pause."""
        self._last_epoch = (0, 0)
        """Epoch and step of the last `epoch` event."""
        self._validation_s = 0.0
        """How long the last validation took."""

    def pull(self) -> bool:
        """Read the events since the last call; returns whether anything changed."""
        events = self._source.drain() if self._source is not None else []
        for event in events:
            self._handle(event)
        stale = self._source is not None and self._source.stale
        suspended = self._source is not None and self._source.suspended
        changed = bool(events) or (stale, suspended) != (self._stale, self._suspended)
        self._stale, self._suspended = stale, suspended
        self._changed = self._changed or changed
        return changed

    def send(self, command: Command) -> None:
        """Send the run a command, which is unanswered until the run reports what it did."""
        if self._source is None:
            return
        self._source.send(command)
        others = [sent for sent in self._unanswered if sent.command != command.command]
        self._unanswered = [*others, command]
        self._changed = True

    @property
    def view(self) -> RunView:
        """The run as of the last `pull`; the same object until something changes."""
        if self._changed:
            self._view = self._snapshot()
            self._changed = False
        return self._view

    def _handle(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._handle_run_started(event)
            case Step():
                self._handle_step(event)
            case Epoch():
                self._handle_epoch(event)
            case Checkpoint():
                when = f"epoch {event.epoch}" if event.step else "before the first step"
                what = "best, saved" if event.kind == "best" and event.step else "checkpoint saved"
                self._add_line(event, f"{when}: {what}")
            case CommandDone():
                self._handle_command(event)
            case Device():
                self._curves.add_device(event)
                self._progress.memory_total_bytes = event.memory_total_bytes
            case Log():
                if self._progress.state == "waiting":
                    self._progress.state = "loading"
                self._add_line(event, event.message, event.level)
            case Finished():
                self._handle_finished(event)

    def _handle_run_started(self, event: RunStarted) -> None:
        """Begin with empty curves, or keep those of the sessions before a resume."""
        steps = event.epochs * event.steps_per_epoch
        if event.resumed_from is None:
            # A point of the smoothed curve is a 256th of the run, or a quarter of an epoch if that is less. So its
            # smoothness depends neither on the machine's speed nor on the rate of events.
            self._reset(_Progress("training"), stride=max(1.0, min(steps / 256, event.steps_per_epoch / 4)))
            self._lr_changes.clear()
        else:
            self._pace = _Pace()
        run = self._progress
        run.state = "training"
        run.reason, run.message, run.seconds, run.better_than_baseline = None, "", None, None
        run.started, run.directory = event, event.directory
        run.epochs, run.steps, run.steps_per_epoch = event.epochs, steps, event.steps_per_epoch
        stopping = event.experiment.get("training", {}).get("early_stopping") or {}
        run.monitor, run.patience = stopping.get("monitor", "val_loss"), stopping.get("patience")
        run.lr_plan = event.lr_plan
        run.lr_now = event.lr_plan[0][1] if event.lr_plan else None
        self._unanswered.clear()

    def _handle_step(self, event: Step) -> None:
        """Add a point to the curves over steps."""
        run, epoch = self._progress, event.epoch
        last_epoch, last_step = self._last_epoch
        if epoch == last_epoch + 1 and event.step <= last_step:
            epoch = last_epoch  # an earlier version wrote the last step of an epoch after the epoch
        elif event.step <= run.step:
            self._forget_from(event.step)
        if run.state == "paused" and event.step > self._paused_at:
            run.state, run.pause_mode = "training", None
        self._curves.add_step(event)
        self._pace.add(event.time, event.step)
        before = run.samples_per_s
        run.samples_per_s = event.samples_per_s if before is None else 0.8 * before + 0.2 * event.samples_per_s
        run.epoch, run.step, run.lr_now = epoch, event.step, event.lr

    def _handle_epoch(self, event: Epoch) -> None:
        """Add a point to the curves over epochs."""
        run = self._progress
        if event.step < run.step or event.step <= self._last_epoch[1]:
            self._forget_from(event.step)
        self._last_epoch = (event.epoch, event.step)
        if event.step == self._pace.last_step and self._pace.last_time is not None:
            self._validation_s = max(0.0, event.time - self._pace.last_time)
        self._curves.add_epoch(event)
        self._pace.add(event.time, event.step)
        if run.samples_per_s is None:
            run.samples_per_s = event.samples_per_s
        run.epoch, run.step = event.epoch, event.step
        run.best, run.best_epoch, run.patience_used = event.best, event.best_epoch, event.patience_used
        if event.best_epoch == event.epoch:
            run.best_step, run.best_metrics = event.step, tuple(event.metrics.items())

    def _forget_from(self, step: int) -> None:
        """Forget this step and later ones, since the run went back to a checkpoint and takes them again."""
        self._curves.cut(step)
        self._lr_changes = deque((change for change in self._lr_changes if change.step < step), _LR_CHANGES)
        self._last_epoch = (0, 0)

    def _handle_command(self, event: CommandDone) -> None:
        """Show what a command did."""
        run = self._progress
        self._unanswered = [sent for sent in self._unanswered if not _answers(event, sent)]
        self._add_line(event, answer_text(event))
        match event.outcome:
            case Paused():
                run.state, run.pause_mode, self._paused_at = "paused", "pause", event.step
            case MemoryReleased():
                run.state, run.pause_mode, self._paused_at = "paused", "release", event.step
            case Continued() if run.state == "paused":
                run.state, run.pause_mode = "training", None
                self._pace.last_time = None
            case LRChanged() if event.value is not None:
                self._lr_changes.append(LRChange(event.step, event.value))
                run.lr_now = event.value

    def _handle_finished(self, event: Finished) -> None:
        """Show why the run ended, or that it moves to another process."""
        run = self._progress
        self._unanswered.clear()
        if event.reason is Reason.DETACHED:
            run.state = "moving"
        else:
            run.state = "finished"
            run.reason, run.message, run.seconds = event.reason, event.message, event.seconds
            run.better_than_baseline = event.better_than_baseline
        if event.step:  # else it ended before its position was known
            run.epoch, run.step = event.epoch, event.step
        if event.best_epoch is not None:
            run.best, run.best_epoch = event.best, event.best_epoch
        self._add_line(event, event.message or event.reason.value, "error" if event.reason is Reason.FAILED else "info")

    def _add_line(self, event: Event, text: str, level: Level = "info") -> None:
        self._log.append(LogLine(event.time, level, text))

    def _snapshot(self) -> RunView:
        curves = self._curves
        values = {name: getattr(self._progress, name) for name in _Progress.__slots__}
        if self._stale and values["state"] != "finished":
            values["state"] = "stale"
        active = values["state"] in ("training", "paused")
        step, steps_per_epoch = self._progress.step, self._progress.steps_per_epoch
        left_in_epoch = -step % steps_per_epoch if steps_per_epoch else 0
        return RunView(
            **values,
            suspended=self._suspended,
            unanswered=tuple(command.command for command in self._unanswered),
            requested_lr=next((command.value for command in self._unanswered if isinstance(command, SetLR)), None),
            seconds_left=self._seconds_left() if active else None,
            epoch_seconds_left=self._pace.seconds_for(left_in_epoch) if active else None,
            validating=active and step > self._last_epoch[1] and left_in_epoch == 0,
            train_loss=Curve.of(curves.train_loss),
            smoothed=tuple((weight, Curve.of(series)) for weight, series in curves.smoothed.items()),
            epoch_curves=tuple((name, Curve.of(series)) for name, series in curves.by_epoch.items()),
            lr=Curve.of(curves.lr),
            lr_changes=tuple(self._lr_changes),
            grad_norm=Curve.of(curves.grad_norm),
            memory=Curve.of(curves.memory),
            load=Curve.of(curves.load),
            log=tuple(self._log),
        )

    def _seconds_left(self) -> float | None:
        """Estimated seconds to the end of the run: its steps, and the validations after them."""
        run = self._progress
        steps = run.steps - run.step
        training = self._pace.seconds_for(steps)
        validations = -(-steps // run.steps_per_epoch) if run.steps_per_epoch else 0
        return None if training is None else training + validations * self._validation_s


def _answers(event: CommandDone, command: Command) -> bool:
    """Whether an event is the answer to a command that was sent."""
    if isinstance(command, SetLR):
        # The answer to an earlier rate leaves the last one unanswered.
        return event.command == "set_lr" and (
            event.value is None or math.isclose(event.value, command.value, rel_tol=1e-6)
        )
    return event.command == command.command or (command.command in _PAUSE_COMMANDS and event.command in _PAUSE_COMMANDS)
