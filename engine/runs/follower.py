"""A run that another process trains, as a viewer reads and steers it."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

from engine.protocol.commands import Command
from engine.protocol.events import Event, Finished, event_from_json
from engine.protocol.states import RunStatus
from engine.runs.commands import COMMANDS, send_command
from engine.runs.listing import summarize

_EVENTS = "events.jsonl"
LOOK_S = 2.0
"""Between two looks whether the process of a run that is silent is still there."""

_READ_MAX_BYTES = 1 << 20
_LINE_MAX_BYTES = 16 << 20


class Follower:
    """Reads a run's events as they are appended, each once, and sends it commands.

    Args:
        path: The run's directory; it need not hold events yet.
        skip_existing: Begin after what has happened by now.
    """

    def __init__(self, path: Path, *, skip_existing: bool = False) -> None:
        self.path = path
        self.skipped_lines = 0
        """Lines that are no event: torn, damaged, or of a later version."""
        self.caught_up = False
        """Whether the last `drain` came to the end of what there is."""
        self.status: RunStatus = "live"
        """How the run stood when it was last looked at, which is done every two seconds of silence, and at its end."""
        self.suspended = False
        """Whether its process was stopped by a signal, as of then."""
        self._offset = _size(path / _EVENTS) if skip_existing else 0
        self._pieces: list[bytes] = []
        self._too_long = False
        self._looked_at = -math.inf

    def drain(self) -> list[Event]:
        """The events since the last call, oldest first, at most 1 MiB of them: a long run is caught up with in steps.

        A line that is not complete waits for its end. A file that became shorter is read from its beginning. Never
        raises: a file that is not there, or cannot be read, has no events.
        """
        try:
            # Opened anew each time, which is what makes a network file system look for what others wrote.
            descriptor = os.open(self.path / _EVENTS, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
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
        self._look(events)
        return events

    @property
    def stale(self) -> bool:
        """Whether the run has no end, and no process that would come to it, as far as can be seen."""
        return self.status in ("stale", "unreadable")

    def _look(self, events: list[Event]) -> None:
        if events:
            self.status, self.suspended = "live", False
            if isinstance(events[-1], Finished):
                self._looked_at = -math.inf
        elif time.monotonic() - self._looked_at >= LOOK_S:
            self._looked_at = time.monotonic()
            summary = summarize(self.path)
            self.status = summary.status if summary is not None else "stale"
            self.suspended = summary is not None and summary.suspended

    def send(self, command: Command) -> None:
        """Ask something of the run.

        Raises:
            Refused: it cannot be written.
        """
        send_command(self.path / COMMANDS, command)

    def _events(self, new: bytes) -> list[Event]:
        head, newline, tail = new.rpartition(b"\n")
        if not newline:
            self._keep(new)
            return []
        lines = b"".join((*self._pieces, head)).split(b"\n")
        self._pieces = []
        if self._too_long:
            # What comes before the first newline is the end of a line that was given up.
            lines, self._too_long = lines[1:], False
        self._keep(tail)
        events = []
        for line in lines:
            if line.strip():
                try:
                    events.append(event_from_json(line))
                except ValueError:
                    self.skipped_lines += 1
        return events

    def _keep(self, piece: bytes) -> None:
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
