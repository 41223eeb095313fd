"""A run from the moment that it is asked for: before torch is loaded and the data is read, there is none yet."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from engine.protocol.events import Event, Finished, Log, Reason, RunStarted

if TYPE_CHECKING:
    from engine.protocol.commands import Command
    from tui.services.design import Design
    from tui.services.producer import Run

LOADING_TORCH = "loading torch"
CHECKING = "checking the experiment"
STARTING = "starting the run"
READING_DATA = "reading the data"


class Beginning:
    """What a train screen watches from the first frame on: first the wait for a run, then the run.

    It speaks as a run does: what it waits for is in the log, and a refusal is the end of a run that never started.

    Args:
        name: what the run is called until it has a name of its own.
        design: the document that is to be trained; none where a run is resumed.
    """

    def __init__(self, name: str, design: Design | None = None) -> None:
        self.name = name
        self.design = design
        self.draft = design.draft if design is not None else None
        """The document as it was when the run was asked for."""
        self.run: Run | None = None
        """The run, once there is one."""
        self.over = False
        """Whether there will be no run: it was refused, or stopped before it started."""
        self.starting = False
        """Whether the run is being made, which is not broken off: it would leave half a run directory."""
        self.waits_for = ""
        """What it waits for now, in a few words; nothing once the run trains."""
        self.since = time.monotonic()
        self._said: list[Event] = []

    @property
    def pending(self) -> bool:
        """Whether a run may still come of it."""
        return self.run is None and not self.over

    @property
    def stale(self) -> bool:
        return self.run is not None and self.run.stale

    @property
    def suspended(self) -> bool:
        return self.run is not None and self.run.suspended

    def wait_for(self, what: str, *, detail: str = "") -> None:
        """Say what it waits for; a `detail`, such as how far the reading is, is shown in its place and not logged."""
        if not detail:
            self._said.append(Log(time=time.time(), message=what[0].upper() + what[1:] + "."))
        self.waits_for = detail or what

    def began(self, run: Run) -> None:
        """There is a run now."""
        self.run = run
        self.wait_for(READING_DATA)

    def stopped(self) -> None:
        """It was stopped before there was a run."""
        self._end(Reason.STOPPED, "Stopped before it started. Nothing was trained.")

    def refused(self, sentences: Iterable[str]) -> None:
        """There can be no run, for these reasons."""
        self._end(Reason.FAILED, "\n".join(sentences))

    def _end(self, reason: Reason, message: str) -> None:
        self.over, self.waits_for = True, ""
        self._said.append(Finished(time=time.time(), reason=reason, epoch=0, step=0, seconds=0.0, message=message))

    def drain(self) -> list[Event]:
        """The events since the last call, oldest first."""
        events, self._said = self._said, []
        if self.run is not None:
            events += self.run.drain()
        if any(isinstance(event, RunStarted | Finished) for event in events):
            self.waits_for = ""
        return events

    def send(self, command: Command) -> None:
        """Ask something of the run; nothing can be asked before there is one."""
        if self.run is not None:
            self.run.send(command)
