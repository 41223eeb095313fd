"""Follow a run that another process trains: read its events, send it commands, wait for its answers."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

from engine.experiment.mistakes import Mistake, Refused
from engine.protocol.commands import Command
from engine.protocol.events import CommandDone, Event, Finished, event_from_json
from engine.protocol.states import Reason, RunStatus
from engine.runs.commands import send_command
from engine.runs.listing import summarize
from engine.runs.paths import COMMANDS, EVENTS, command_for

STATUS_S = 2.0
"""Seconds between two checks of the status of a run without new events."""

POLL_S = 0.05
"""Seconds between two checks for an answer."""

_REQUIRE_S = 1.0
"""Seconds between two checks that a run is still active."""

_READ_MAX_BYTES = 1 << 20
_LINE_MAX_BYTES = 16 << 20


class Follower:
    """Reads a run's events as they are appended, each once, and sends it commands.

    Args:
        path: the run's directory; it need not have events yet.
        skip_existing: skip the events that are there now.
    """

    def __init__(self, path: Path, *, skip_existing: bool = False) -> None:
        self.path = path
        self.skipped_lines = 0
        """Lines that are not events: torn, damaged, or of a later version."""
        self.caught_up = False
        """Whether the last `drain` reached the end of the events."""
        self.status: RunStatus = "live"
        """The status at the last check. It is checked after two seconds without events, and after the end."""
        self.suspended = False
        """Whether its process was stopped by a signal at the last check."""
        self._offset = _size(path / EVENTS) if skip_existing else 0
        self._pieces: list[bytes] = []
        self._too_long = False
        self._checked_at = -math.inf

    def drain(self) -> list[Event]:
        """Read the events since the last call, oldest first, at most 1 MiB; a long run takes several calls.

        An incomplete line is read once it is complete. A file that became shorter is read from its beginning. Never
        raises: a file that is missing, or cannot be read, has no events.
        """
        try:
            # Opened each time, since only then a network file system checks for what others wrote.
            descriptor = os.open(self.path / EVENTS, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            self.caught_up = True
            return []
        try:
            size = os.fstat(descriptor).st_size
            if size < self._offset:
                self._offset, self._pieces, self._too_long = 0, [], False
            new = os.pread(descriptor, _READ_MAX_BYTES, self._offset) if size > self._offset else b""
        except OSError:
            new, size = b"", self._offset
        finally:
            os.close(descriptor)
        self._offset += len(new)
        self.caught_up = self._offset >= size
        events = self._events(new) if new else []
        self._check_status(events)
        return events

    @property
    def stale(self) -> bool:
        """Whether the run has no end and, as far as can be seen, no process."""
        return self.status in ("stale", "unreadable")

    def _check_status(self, events: list[Event]) -> None:
        if events:
            self.status, self.suspended = "live", False
            if isinstance(events[-1], Finished):
                self._checked_at = -math.inf
        elif time.monotonic() - self._checked_at >= STATUS_S:
            self._checked_at = time.monotonic()
            summary = summarize(self.path)
            self.status = summary.status if summary is not None else "stale"
            self.suspended = summary is not None and summary.suspended

    def send(self, command: Command) -> None:
        """Send a command to the run.

        Raises:
            Refused: it cannot be written.
        """
        send_command(self.path / COMMANDS, command)

    def _events(self, new: bytes) -> list[Event]:
        head, newline, tail = new.rpartition(b"\n")
        if not newline:
            self._add_piece(new)
            return []
        lines = b"".join((*self._pieces, head)).split(b"\n")
        self._pieces = []
        if self._too_long:
            # Up to the first newline it is the end of a line that was too long.
            lines, self._too_long = lines[1:], False
        self._add_piece(tail)
        events = []
        for line in lines:
            if line.strip():
                try:
                    events.append(event_from_json(line))
                except ValueError:
                    self.skipped_lines += 1
        return events

    def _add_piece(self, piece: bytes) -> None:
        if self._too_long or not piece:
            return
        self._pieces.append(piece)
        if sum(map(len, self._pieces)) > _LINE_MAX_BYTES:
            self._pieces, self._too_long = [], True
            self.skipped_lines += 1


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def ask(run: Path, command: Command, *, timeout_s: float) -> CommandDone | Finished:
    """Send a command and wait for its `command` event; after `stop` and `detach`, for the end of the run.

    The answer to the same command of another viewer counts too.

    Args:
        run: the run's directory.
        timeout_s: how long to wait. A run reads commands between two steps.

    Raises:
        Refused: the run is not active, ends before the answer, or does not answer in time.
    """
    _require_active(run, command)
    follower = Follower(run, skip_existing=True)
    follower.send(command)
    waits_for_end = command.command in ("stop", "detach")
    deadline = time.monotonic() + timeout_s
    checks_at = time.monotonic() + _REQUIRE_S
    while time.monotonic() < deadline:
        for event in follower.drain():
            if answer := _answer(run, command, event, waits_for_end=waits_for_end):
                return answer
        if time.monotonic() >= checks_at:
            checks_at = time.monotonic() + _REQUIRE_S
            if follower.caught_up:
                _require_active(run, command)
        time.sleep(POLL_S)
    found = f"it did not answer {command.command!r} within {timeout_s:g} s"
    fix = f"It answers at its next step. Watch it with `{command_for(run, 'attach')}`."
    raise Refused(Mistake(run.name, found, "", fix))


def _answer(run: Path, command: Command, event: Event, *, waits_for_end: bool) -> CommandDone | Finished | None:
    if isinstance(event, Finished):
        if event.reason is Reason.DETACHED and command.command != "detach":
            return None  # the session that resumes the run will answer
        if waits_for_end:
            return event
        raise Refused(Mistake(run.name, f"it ended before {command.command!r} reached it", event.message, ""))
    if isinstance(event, CommandDone) and event.command == command.command and not waits_for_end:
        return event
    return None


def _require_active(run: Path, command: Command) -> None:
    summary = summarize(run)
    if summary is None:
        raise Refused(Mistake(run.name, "this is not a run", "", "See `torchdeck runs`."))
    if summary.status == "unreadable":
        raise Refused(Mistake(run.name, "the run cannot be read any more", "", "See `torchdeck runs` for why."))
    if summary.status == "stale":
        found = f"its process exited unexpectedly, so there is nothing to {command.command}"
        raise Refused(Mistake(run.name, found, "", f"Resume it: `{command_for(run, 'resume')}`."))
    if summary.status != "live":
        found = f"the run has ended ({summary.status.replace('_', ' ')}), so there is nothing to {command.command}"
        raise Refused(Mistake(run.name, found, "", "See `torchdeck runs` for active runs."))
