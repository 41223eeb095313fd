"""The state of a run, read from the first and the last of its events only, so that a long list is shown immediately."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, FiniteFloat

from engine.private_files import open_descriptor, open_file
from engine.protocol.commands import PAUSE_MODES
from engine.protocol.events import (
    Checkpoint,
    CommandDone,
    Epoch,
    Event,
    Finished,
    Reason,
    RunStarted,
    Step,
    event_from_json,
)
from engine.runs.differences import Setting, settings_of
from engine.runs.paths import EVENTS
from engine.runs.resumes import Resume, read_resumes

_Kind = TypeVar("_Kind", bound=BaseModel)

_HEAD_BYTES = 16 << 10
_HEAD_MAX_BYTES = 1 << 20
_TAIL_BYTES = 8 << 10
_TAIL_MAX_BYTES = 4 << 20

_PAUSE_COMMANDS = (*PAUSE_MODES, "continue")


class RunState(BaseModel):
    """The state of a run by its events. It holds until there is another event."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    started: FiniteFloat | None = None
    """When its first session began to train, in seconds since the epoch; None before that."""
    experiment_name: str = ""
    monitor: str = "val_loss"
    epochs: int = 0
    """The number of epochs, as of the last resume."""
    epoch: int = 0
    best: float | None = None
    best_epoch: int | None = None
    metrics: dict[str, float] = {}
    """The metrics of the best epoch, or of the last one where none is best; empty where they are not known."""
    settings: dict[str, Setting] = {}
    """The settings by their paths in the document, see differences."""
    paused: bool = False
    """Whether it got a command to pause, and took no step since."""
    reason: Reason | None = None
    """Why it ended; None when it has no end, or was resumed since."""
    ended: FiniteFloat | None = None
    message: str = ""
    better_than_baseline: bool | None = None
    """Whether its best epoch is better than a prediction without a network, once it has ended."""
    seconds: FiniteFloat | None = None
    """How long all of its sessions took, once it has ended."""
    seconds_before: FiniteFloat = 0.0
    """How long the sessions before the last one took."""
    session_started: FiniteFloat | None = None
    """When the last session began to train."""
    last_event: FiniteFloat | None = None
    """The time of the last event."""

    def duration_s(self, until: float | None = None) -> float:
        """Seconds that all of its sessions took.

        Args:
            until: now, for an active run; by default the end, or the last event where there is no end.
        """
        if self.seconds is not None:
            return self.seconds
        until = until if until is not None else self.last_event
        if until is None or self.session_started is None:
            return self.seconds_before
        return self.seconds_before + max(0.0, until - self.session_started)


def read_run_state(run: Path) -> RunState:
    """Read the state of a run from its events. Lines that are no events are skipped.

    Raises:
        OSError: the events cannot be read.
    """
    descriptor = open_descriptor(run / EVENTS, os.O_RDONLY)
    try:
        size = os.fstat(descriptor).st_size
        return _state(_first_started(descriptor, size), _last_events(descriptor, size), read_resumes(run))
    finally:
        os.close(descriptor)


def read_run_started(run: Path) -> RunStarted | None:
    """Read the first `run_started` event of a run; None where there is none.

    Raises:
        OSError: the events cannot be read.
    """
    descriptor = open_descriptor(run / EVENTS, os.O_RDONLY)
    try:
        return _first_started(descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)


def epoch_metrics(run: Path, epoch: int | None) -> dict[str, float]:
    """Read the metrics of an epoch, the latest ones if it was trained twice; empty where the events have none."""
    found: dict[str, float] = {}
    if epoch is None:
        return found
    with suppress(OSError), open_file(run / EVENTS) as lines:
        for line in lines:
            if b'"event":"epoch"' not in line:
                continue
            event = _event(line)
            if isinstance(event, Epoch) and event.epoch == epoch:
                found = event.metrics
    return found


class _Last:
    """The last event of each kind, collected backwards from the end, without those from before a resume."""

    def __init__(self) -> None:
        self._events: dict[type[BaseModel], Event] = {}
        self._measured: dict[int, dict[str, float]] = {}

    def take(self, event: Event) -> None:
        if isinstance(event, CommandDone) and event.command not in _PAUSE_COMMANDS:
            return
        if isinstance(event, (Finished, CommandDone)) and self.of(RunStarted) is not None:
            return  # the run was resumed since
        self._events.setdefault(type(event), event)
        if isinstance(event, Epoch):
            self._measured.setdefault(event.epoch, event.metrics)

    def of(self, kind: type[_Kind]) -> _Kind | None:
        event = self._events.get(kind)
        return event if isinstance(event, kind) else None

    @property
    def time(self) -> float | None:
        """The time of the last event."""
        return max((event.time for event in self._events.values()), default=None)

    @property
    def training(self) -> Step | Epoch | None:
        """The last training that was reported."""
        step, epoch = self.of(Step), self.of(Epoch)
        if step is not None and epoch is not None and step.step <= epoch.step and step.epoch == epoch.epoch + 1:
            return epoch  # an earlier version wrote the last step of an epoch after the epoch
        return step or epoch

    @property
    def best(self) -> Finished | Epoch | Checkpoint | None:
        """The event that has the best value so far."""
        finished, checkpoint = self.of(Finished), self.of(Checkpoint)
        if finished is not None and finished.best is not None:
            return finished
        if epoch := self.of(Epoch):
            return epoch
        # Checkpoint events of earlier versions do not have it.
        return checkpoint if checkpoint is not None and "best" in checkpoint.model_fields_set else None

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics of the best epoch, or of the last one where none is best; empty where they are not known."""
        finished, epoch, best = self.of(Finished), self.of(Epoch), self.best
        if finished is not None and finished.metrics:
            return finished.metrics
        if best is not None and best.best_epoch is not None:
            return self._measured.get(best.best_epoch, {})
        return epoch.metrics if epoch is not None else {}

    @property
    def paused(self) -> bool:
        """Whether the run got a command to pause, and took no step since."""
        done, step = self.of(CommandDone), self.of(Step)
        return done is not None and done.command in PAUSE_MODES and (step is None or step.step <= done.step)

    def is_enough(self, before: Event) -> bool:
        """Whether no event earlier than `before`, the one collected last, changes the state."""
        if self.best is None:
            return False
        step = self.of(Step)
        # A pause before an earlier step than the last one is over.
        is_earlier = step is not None and isinstance(before, (Step, Epoch)) and before.step < step.step
        return self.of(Finished) is not None or self.of(CommandDone) is not None or is_earlier


def _state(first: RunStarted | None, last: _Last, resumes: list[Resume]) -> RunState:
    finished, best = last.of(Finished), last.best
    latest = finished or last.training or last.of(Checkpoint)
    state: dict[str, Any] = {"paused": last.paused, "last_event": last.time, "metrics": last.metrics}
    if first is not None:
        stopping = _dict(_dict(first.experiment.get("training")).get("early_stopping"))
        state |= {
            "started": first.time,
            "experiment_name": str(first.experiment.get("name") or ""),
            "monitor": str(stopping.get("monitor") or "val_loss"),
            "epochs": first.epochs,
            "session_started": first.time,
            "settings": settings_of(first.experiment, first.parameters, (o for r in resumes for o in r.overrides)),
        }
        if resumes:
            latest_resume = resumes[-1]
            state |= {
                "epochs": latest_resume.epochs or first.epochs,
                "session_started": latest_resume.time,
                "seconds_before": latest_resume.seconds_before,
            }
    if latest is not None:
        state["epoch"] = latest.epoch
    if best is not None:
        state |= {"best": best.best, "best_epoch": best.best_epoch}
    if finished is not None:
        state |= {
            "reason": finished.reason,
            "ended": finished.time,
            "message": finished.message,
            "better_than_baseline": finished.better_than_baseline,
            "seconds": finished.seconds,
        }
    return RunState(**state)


def _first_started(descriptor: int, size: int) -> RunStarted | None:
    length = _HEAD_BYTES
    while True:
        head = os.pread(descriptor, length, 0)
        for line in head.split(b"\n")[:-1]:
            event = _event(line)
            if isinstance(event, RunStarted):
                return event
        if length >= min(size, _HEAD_MAX_BYTES):
            return None
        length *= 8


def _last_events(descriptor: int, size: int) -> _Last:
    length = _TAIL_BYTES
    while True:
        last, offset = _Last(), max(0, size - length)
        lines = os.pread(descriptor, length, offset).split(b"\n")
        # The first is the end of a line, unless the whole file was read; the last one is incomplete.
        for line in reversed(lines[1 if offset else 0 : -1]):
            event = _event(line)
            if event is not None:
                last.take(event)
                if last.is_enough(event):
                    return last
        if not offset or length >= _TAIL_MAX_BYTES:
            return last
        length *= 8


def _event(line: bytes) -> Event | None:
    try:
        return event_from_json(line)
    except ValueError:
        return None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
