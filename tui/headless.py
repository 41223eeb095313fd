"""Training without a deck: events as JSON on stdout, or progress for a person on stderr."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.experiment import Draft
from engine.protocol.commands import Command, Hold
from engine.protocol.events import Event, Finished, Reason
from tui.detach import Announcement, commands_read_before, go_on_detached, write_to_console_log
from tui.exit_messages import how_to_go_on, of_leaving
from tui.feed import Feed, Source
from tui.headless_output import Announced, Json, Lines, Output, Progress
from tui.interrupts import Interrupts
from tui.printing.progress import reading_shown
from tui.run_status import STALE
from tui.tables.text import plain
from tui.terminal.patient_output import errors, tell
from tui.terminal.streams import on_a_terminal, silence

if TYPE_CHECKING:
    from engine.training.session import Session

PULL_S = 0.1

EXIT_STATUS = {
    Reason.COMPLETED: 0,
    Reason.EARLY_STOPPED: 0,
    Reason.STOPPED: 0,
    Reason.DETACHED: 0,
    Reason.FAILED: 1,
    Reason.INTERRUPTED: 130,
}


def train_headless(draft: Draft, runs_dir: Path, *, as_json: bool = False) -> int:
    """Train an experiment to its end; returns the exit status.

    Raises:
        Refused: the experiment has mistakes, or the runs directory cannot be written.
    """

    def begin() -> Session:
        from engine.plan import check
        from engine.training.session import Session

        plan = check(draft)
        for sentence in plan.downloads if plan.ok else ():
            tell(plain(f"{sentence} …"))
        return Session(plan, runs_dir=runs_dir)

    return _watch(begin, before="There is no run.", as_json=as_json)


def resume_headless(
    run: Path, overrides: tuple[str, ...] = (), *, as_json: bool = False, hold: Hold | None = None
) -> int:
    """Go on with a run to its end, with `overrides` (`path=value`) from here on; returns the exit status.

    Args:
        hold: pause it so before its first step, until it is told to continue.

    Raises:
        Refused: there is nothing to go on from, or an override cannot be.
    """

    def begin() -> Session:
        from engine.training.session import Session

        return Session.resumed(run, overrides, commands_read=commands_read_before())

    return _watch(begin, before="The run is unchanged.", as_json=as_json, hold=hold)


def attach_headless(run: Path, *, as_json: bool = False) -> int:
    """Show what a run in another process does until it ends, or Ctrl-C; returns the exit status.

    As for the run itself; 1 if its process exited unexpectedly, 0 for Ctrl-C, which does not stop the run.
    """
    from engine.runs import Follower

    follower = Follower(run)
    screen = _output(as_json=as_json)
    ends: list[Finished] = []

    def show(event: Event) -> None:
        screen.show(event)
        if isinstance(event, Finished):
            ends[:] = [event]

    feed = Feed(_Shown(follower, show))
    asked: list[int] = []
    # Not KeyboardInterrupt, which would cut a line off in its middle.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: asked.append(number))
    while not follower.caught_up or follower.status == "live":
        feed.pull()
        screen.refresh(feed.view)
        if screen.unread:
            return 0
        if asked:
            tell(screen.clear + "\n".join(of_leaving(run)))
            errors().end()
            return 0 if asked[0] == signal.SIGINT else 128 + asked[0]
        time.sleep(PULL_S if follower.caught_up else 0)
    if follower.stale or not ends:
        tell("\n".join([f"{screen.clear}{plain(f'{run.name}: {STALE}')}", *how_to_go_on(run, "stale")]))
        return 1
    screen.end(ends[0], run)
    return EXIT_STATUS[ends[0].reason]


def _watch(begin: Callable[[], Session], *, before: str, as_json: bool, hold: Hold | None = None) -> int:
    from engine.training.allocator import keep_freed_memory

    announcement = Announcement.expected()
    terminals = on_a_terminal()
    interrupts = Interrupts(before if announcement is None else "", lambda text: errors().write_later(f"\n{text}\n"))
    keep_freed_memory()  # before the first tensor, which `begin` makes
    with reading_shown():
        session = begin()
    screen: Output
    if announcement is not None:
        write_to_console_log(session.directory)
        screen = Announced(announcement)
    else:
        screen = _output(as_json=as_json)
    feed = Feed(_Shown(session, screen.show))
    # A terminal that goes away ends nothing; a file gets it all.
    signal.signal(signal.SIGHUP, lambda number, frame: silence(terminals))
    interrupts.end(session)
    session.start(hold=hold)
    while session.alive:
        feed.pull()
        screen.refresh(feed.view)
        session.join(PULL_S)
    feed.pull()
    assert session.finished is not None
    screen.end(session.finished, session.directory)
    if session.finished.reason is Reason.DETACHED:
        go_on_detached(session.directory, hold=session.hold, commands_read=session.commands_read, as_json=as_json)
    return EXIT_STATUS[session.finished.reason]


class _Shown:
    """A source whose events are shown as they are drained."""

    def __init__(self, source: Source, show: Callable[[Event], None]) -> None:
        self._source = source
        self._show = show

    @property
    def stale(self) -> bool:
        return self._source.stale

    @property
    def suspended(self) -> bool:
        return self._source.suspended

    def drain(self) -> list[Event]:
        events = self._source.drain()
        for event in events:
            self._show(event)
        return events

    def send(self, command: Command) -> None:
        self._source.send(command)


def _output(*, as_json: bool) -> Output:
    return Json() if as_json else Progress() if sys.stderr.isatty() else Lines()
