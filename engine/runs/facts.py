"""What became of a run, from the two ends of its events and no more: a long list must be shown at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, FiniteFloat

from engine.runs.directory import EVENTS
from engine.runs.resumes import Resume, read_resumes
from engine.training.events import CommandDone, Epoch, Event, Finished, Reason, RunStarted, Step, event_from_json

_HEAD_BYTES = 16 << 10
_HEAD_MAX_BYTES = 1 << 20
_TAIL_BYTES = 8 << 10
_TAIL_MAX_BYTES = 4 << 20

_HELD_BY = ("pause",)
_LET_GO_BY = ("continue",)


class Facts(BaseModel):
    """What a run's events say of it. They stay true for as long as nothing more is said."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    started: FiniteFloat | None = None
    """When its first session began to train, in seconds since the epoch; None when none has."""
    experiment_name: str = ""
    monitor: str = "val_loss"
    epochs: int = 0
    """How many it has since it was last gone on with."""
    epoch: int = 0
    best: float | None = None
    best_epoch: int | None = None
    held: bool = False
    """Whether nothing was trained since it was told to pause."""
    reason: Reason | None = None
    """Why it ended; None when it has no end, or was gone on with since."""
    ended: FiniteFloat | None = None
    message: str = ""
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


def _facts(first: RunStarted | None, last: dict[str, Event], resumes: list[Resume]) -> Facts:
    finished, epoch, step = last.get("finished"), last.get("epoch"), last.get("step")
    assert finished is None or isinstance(finished, Finished)
    assert epoch is None or isinstance(epoch, Epoch)
    assert step is None or isinstance(step, Step)
    latest = finished or step or epoch
    best_of = finished if finished is not None and finished.best is not None else epoch
    facts: dict[str, Any] = {
        "epoch": latest.epoch if latest is not None else 0,
        "held": _holds(last),
        "said": max((event.time for event in last.values()), default=None),
    }
    if first is not None:
        began = {"session_began": first.time, "epochs": first.epochs}
        if resumes:
            again = resumes[-1]
            began = {"session_began": again.time, "epochs": again.epochs or first.epochs}
            facts["seconds_before"] = again.seconds_before
        stopping = _dict(_dict(first.experiment.get("training")).get("early_stopping"))
        facts |= began | {
            "started": first.time,
            "experiment_name": str(first.experiment.get("name") or ""),
            "monitor": str(stopping.get("monitor") or "val_loss"),
        }
    if best_of is not None:
        facts |= {"best": best_of.best, "best_epoch": best_of.best_epoch}
    if finished is not None:
        facts |= {
            "reason": finished.reason,
            "ended": finished.time,
            "message": finished.message,
            "seconds": finished.seconds,
        }
    return Facts(**facts)


def _holds(last: dict[str, Event]) -> bool:
    """Whether nothing was trained since the run was told to pause."""
    asked, step = last.get("command"), last.get("step")
    return (
        isinstance(asked, CommandDone)
        and asked.command in _HELD_BY
        and (not isinstance(step, Step) or step.step <= asked.step)
    )


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


def _last_events(descriptor: int, size: int) -> dict[str, Event]:
    """The last event of each kind, as far as the end of the file holds them; what came before a session's end is found.

    An end, and a pause, are left out where the run was gone on with since; of commands only those to pause and to go on
    count.
    """
    length = _TAIL_BYTES
    while True:
        offset = max(0, size - length)
        lines = os.pread(descriptor, length, offset).split(b"\n")
        last: dict[str, Event] = {}
        # The first is the end of a line, unless the whole file was read; the last is not complete.
        for line in reversed(lines[1 if offset else 0 : -1]):
            event = _event(line)
            if event is None or (isinstance(event, CommandDone) and event.command not in _HELD_BY + _LET_GO_BY):
                continue
            if isinstance(event, (Finished, CommandDone)) and "run_started" in last:
                continue  # of an earlier session
            last.setdefault(event.event, event)
            if _is_enough(last):
                return last
        if not offset or length >= _TAIL_MAX_BYTES:
            return last
        length *= 8


def _is_enough(last: dict[str, Event]) -> bool:
    finished = last.get("finished")
    if isinstance(finished, Finished) and finished.best is not None:
        return True
    return "epoch" in last and ("finished" in last or "step" in last)


def _event(line: bytes) -> Event | None:
    try:
        return event_from_json(line)
    except ValueError:
        return None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
