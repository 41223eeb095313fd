"""What became of a run, from the two ends of its events and no more: a long list must be shown at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, FiniteFloat

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
from engine.runs.directory import EVENTS
from engine.runs.resumes import Resume, read_resumes

_Kind = TypeVar("_Kind", bound=BaseModel)

_HEAD_BYTES = 16 << 10
_HEAD_MAX_BYTES = 1 << 20
_TAIL_BYTES = 8 << 10
_TAIL_MAX_BYTES = 4 << 20

_LET_GO_BY = ("continue",)


class Facts(BaseModel):
    """What a run's events say of it. They stay true for as long as nothing more is said."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    started: FiniteFloat | None = None
    """When its first session began to train, in seconds since the epoch; None when none has."""
    experiment_name: str = ""
    monitor: str = "val_loss"
    epochs: int = 0
    """How many it has since it was last gone on with."""
    epoch: int = 0
    best: float | None = None
    best_epoch: int | None = None
    metrics: dict[str, float] = {}
    """What was measured in the best epoch, or in the last one where none is best; empty where that is not known."""
    settings: dict[str, Setting] = {}
    """The settings by their paths in the document, see differences."""
    held: bool = False
    """Whether nothing was trained since it was told to pause."""
    reason: Reason | None = None
    """Why it ended; None when it has no end, or was gone on with since."""
    ended: FiniteFloat | None = None
    message: str = ""
    better_than_baseline: bool | None = None
    """Whether its best epoch is better than predicting without a network, once it has ended."""
    seconds: FiniteFloat | None = None
    """How long all of its sessions took, once it has ended."""
    seconds_before: FiniteFloat = 0.0
    """How long the sessions before the last one took."""
    session_began: FiniteFloat | None = None
    """When the last session began to train."""
    said: FiniteFloat | None = None
    """When the last thing was said."""

    def took(self, until: float | None = None) -> float:
        """Seconds that all of its sessions took.

        Args:
            until: now, for a run that is going; without it and without an end, when the last thing was said.
        """
        if self.seconds is not None:
            return self.seconds
        until = until if until is not None else self.said
        if until is None or self.session_began is None:
            return self.seconds_before
        return self.seconds_before + max(0.0, until - self.session_began)


def read_facts(run: Path) -> Facts:
    """What the events of a run say. Lines that are no event say nothing, wherever they stand.

    Raises:
        OSError: the events cannot be read.
    """
    descriptor = _open(run)
    try:
        size = os.fstat(descriptor).st_size
        return _facts(_first_started(descriptor, size), _last_events(descriptor, size), read_resumes(run))
    finally:
        os.close(descriptor)


def first_started(run: Path) -> RunStarted | None:
    """How a run began; None where its events do not say.

    Raises:
        OSError: the events cannot be read.
    """
    descriptor = _open(run)
    try:
        return _first_started(descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)


def _open(run: Path) -> int:
    return os.open(run / EVENTS, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


class _Last:
    """The last event of each kind, taken from the end backwards, without what a later session made obsolete."""

    def __init__(self) -> None:
        self._events: dict[type[BaseModel], Event] = {}
        self._measured: dict[int, dict[str, float]] = {}

    def take(self, event: Event) -> None:
        if isinstance(event, CommandDone) and event.command not in PAUSE_MODES + _LET_GO_BY:
            return
        if isinstance(event, (Finished, CommandDone)) and self.of(RunStarted) is not None:
            return  # the run was gone on with since
        self._events.setdefault(type(event), event)
        if isinstance(event, Epoch):
            self._measured.setdefault(event.epoch, event.metrics)

    def of(self, kind: type[_Kind]) -> _Kind | None:
        event = self._events.get(kind)
        return event if isinstance(event, kind) else None

    @property
    def said(self) -> float | None:
        """When the last thing was said."""
        return max((event.time for event in self._events.values()), default=None)

    @property
    def training(self) -> Step | Epoch | None:
        """What was trained last."""
        step, epoch = self.of(Step), self.of(Epoch)
        if step is not None and epoch is not None and step.step <= epoch.step and step.epoch == epoch.epoch + 1:
            return epoch  # from an earlier version, which said an epoch's last step after the epoch
        return step or epoch

    @property
    def best(self) -> Finished | Epoch | Checkpoint | None:
        """What knows the best value so far."""
        finished, checkpoint = self.of(Finished), self.of(Checkpoint)
        if finished is not None and finished.best is not None:
            return finished
        if epoch := self.of(Epoch):
            return epoch
        # Earlier versions do not say it of a checkpoint.
        return checkpoint if checkpoint is not None and "best" in checkpoint.model_fields_set else None

    @property
    def metrics(self) -> dict[str, float]:
        """What was measured in the best epoch, or in the last one where none is best; empty where that is not known."""
        finished, epoch, best = self.of(Finished), self.of(Epoch), self.best
        if finished is not None and finished.metrics:
            return finished.metrics
        if best is not None and best.best_epoch is not None:
            return self._measured.get(best.best_epoch, {})
        return epoch.metrics if epoch is not None else {}

    @property
    def held(self) -> bool:
        """Whether nothing was trained since the run was told to pause."""
        asked, step = self.of(CommandDone), self.of(Step)
        return asked is not None and asked.command in PAUSE_MODES and (step is None or step.step <= asked.step)

    def is_enough(self, before: Event) -> bool:
        """Whether nothing earlier than `before`, the event taken last, changes what is shown."""
        if self.best is None:
            return False
        step = self.of(Step)
        # A command from before an earlier step than the last one holds nothing any more.
        is_earlier = step is not None and isinstance(before, (Step, Epoch)) and before.step < step.step
        return self.of(Finished) is not None or self.of(CommandDone) is not None or is_earlier


def _facts(first: RunStarted | None, last: _Last, resumes: list[Resume]) -> Facts:
    finished, best = last.of(Finished), last.best
    latest = finished or last.training or last.of(Checkpoint)
    facts: dict[str, Any] = {"held": last.held, "said": last.said, "metrics": last.metrics}
    if first is not None:
        stopping = _dict(_dict(first.experiment.get("training")).get("early_stopping"))
        facts |= {
            "started": first.time,
            "experiment_name": str(first.experiment.get("name") or ""),
            "monitor": str(stopping.get("monitor") or "val_loss"),
            "epochs": first.epochs,
            "session_began": first.time,
            "settings": settings_of(first.experiment, first.parameters, (o for r in resumes for o in r.overrides)),
        }
        if resumes:
            again = resumes[-1]
            facts |= {
                "epochs": again.epochs or first.epochs,
                "session_began": again.time,
                "seconds_before": again.seconds_before,
            }
    if latest is not None:
        facts["epoch"] = latest.epoch
    if best is not None:
        facts |= {"best": best.best, "best_epoch": best.best_epoch}
    if finished is not None:
        facts |= {
            "reason": finished.reason,
            "ended": finished.time,
            "message": finished.message,
            "better_than_baseline": finished.better_than_baseline,
            "seconds": finished.seconds,
        }
    return Facts(**facts)


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
        # The first is the end of a line, unless the whole file was read; the last is not complete.
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
