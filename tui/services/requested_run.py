"""A run from the moment it is requested: until torch is loaded and the data is read, there is no run yet."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from engine import Event, Finished, Log, Reason, RunStarted

if TYPE_CHECKING:
    from engine import Command
    from tui.services.design import Design
    from tui.services.producer import Run

LOADING_TORCH = "loading torch"
CHECKING = "checking the experiment"
STARTING = "starting the run"
READING_DATA = "reading the data"


class RequestedRun:
    """What a train screen watches from the first frame on: first the wait for a run, then the run.

    It reports events as a run does: the log shows what it waits for, and a refusal is the end of a run that never
    started.

    Args:
        name: the name shown until the run has one.
        design: the document to train; None where a run is resumed.
    """

    def __init__(self, name: str, design: Design | None = None) -> None:
        self.name = name
        self.design = design
        self.draft = design.draft if design is not None else None
        """The document as it was when the run was requested."""
        self.run: Run | None = None
        """The run, once it exists."""
        self.ended = False
        """Whether there will be no run: it was refused, or stopped before it started."""
        self.starting = False
        """Whether the run is being created. That is not interrupted: it would leave an incomplete run directory."""
        self.waits_for = ""
        """What it waits for now, in a few words; empty once the run trains."""
        self.since = time.monotonic()
        self._events: list[Event] = []

    @property
    def pending(self) -> bool:
        """Whether it may still become a run."""
        return self.run is None and not self.ended

    @property
    def stale(self) -> bool:
        return self.run is not None and self.run.stale

    @property
    def suspended(self) -> bool:
        return self.run is not None and self.run.suspended

    def wait_for(self, what: str, *, detail: str = "") -> None:
        """Show what it waits for. A `detail`, such as the progress of a download, is shown instead and not logged."""
        if not detail:
            self._events.append(Log(time=time.time(), message=what[0].upper() + what[1:] + "."))
        self.waits_for = detail or what

    def started(self, run: Run) -> None:
        """Watch this run from now on."""
        self.run = run
        self.wait_for(READING_DATA)

    def cancelled(self) -> None:
        """End: it was stopped before the run started."""
        self._end(Reason.STOPPED, "Stopped before it started. Nothing was trained.")

    def refused(self, sentences: Iterable[str]) -> None:
        """End: the run cannot start, for these reasons."""
        self._end(Reason.FAILED, "\n".join(sentences))

    def _end(self, reason: Reason, message: str) -> None:
        self.ended, self.waits_for = True, ""
        self._events.append(Finished(time=time.time(), reason=reason, epoch=0, step=0, seconds=0.0, message=message))

    def drain(self) -> list[Event]:
        """Return the events since the last call, oldest first."""
        events, self._events = self._events, []
        if self.run is not None:
            events += self.run.drain()
        if any(isinstance(event, RunStarted | Finished) for event in events):
            self.waits_for = ""
        return events

    def send(self, command: Command) -> None:
        """Send a command to the run; before there is one, do nothing."""
        if self.run is not None:
            self.run.send(command)
