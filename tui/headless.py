"""Train without the deck: events as JSON on stdout, or progress for a person on stderr."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from engine import Command, Draft, Event, Finished, PauseMode, Reason
from tui.detach import StartReport, commands_already_read, resume_detached, write_to_console_log
from tui.exit_messages import detach_lines, resume_lines
from tui.feed import Feed, Source
from tui.headless_output import DetachedLines, Json, Lines, Output, Progress
from tui.interrupts import Interrupts
from tui.printing.progress import reading_progress
from tui.run_status import STALE
from tui.tables.text import plain
from tui.terminal.patient_output import errors, tell
from tui.terminal.streams import on_a_terminal, silence

if TYPE_CHECKING:
    from engine import Session

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
    """Train an experiment; returns the exit status.

    Raises:
        Refused: the experiment has mistakes, or the folder of runs cannot be written.
    """

    def create() -> Session:
        from engine import Session, check

        plan = check(draft)
        for sentence in plan.downloads if plan.ok else ():
            tell(plain(f"{sentence} …"))
        return Session.create(plan, runs_dir=runs_dir)

    return _train(create, before="There is no run.", as_json=as_json)


def resume_headless(
    run: Path, overrides: tuple[str, ...] = (), *, as_json: bool = False, pause_mode: PauseMode | None = None
) -> int:
    """Resume a run, with `overrides` (`path=value`) from now on; returns the exit status.

    Args:
        pause_mode: how to pause the run before its first step, until it gets the command to continue.

    Raises:
        Refused: there is no checkpoint to resume from, or an override is not possible.
    """

    def create() -> Session:
        from engine import Session

        return Session.resume(run, overrides, commands_read=commands_already_read())

    return _train(create, before="The run is unchanged.", as_json=as_json, pause_mode=pause_mode)


def attach_headless(run: Path, *, as_json: bool = False) -> int:
    """Show the events of a run in another process until it ends, or until Ctrl-C; returns the exit status.

    The status is the run's own, 1 if its process exited unexpectedly, or 0 after Ctrl-C, which does not stop the run.
    """
    from engine import Follower

    follower = Follower(run)
    screen = _output(as_json=as_json)
    ends: list[Finished] = []

    def show(event: Event) -> None:
        screen.show(event)
        if isinstance(event, Finished):
            ends[:] = [event]

    feed = Feed(_ShownSource(follower, show))
    caught: list[int] = []
    # KeyboardInterrupt could cut a printed line in its middle.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: caught.append(number))
    while not follower.caught_up or follower.status == "live":
        feed.pull()
        screen.refresh(feed.view)
        if screen.unread:
            return 0
        if caught:
            tell(screen.clear + "\n".join(detach_lines(run)))
            errors().end()
            return 0 if caught[0] == signal.SIGINT else 128 + caught[0]
        time.sleep(PULL_S if follower.caught_up else 0)
    if follower.stale or not ends:
        tell("\n".join([f"{screen.clear}{plain(f'{run.name}: {STALE}')}", *resume_lines(run, "stale")]))
        return 1
    screen.end(ends[0], run)
    return EXIT_STATUS[ends[0].reason]


def _train(create: Callable[[], Session], *, before: str, as_json: bool, pause_mode: PauseMode | None = None) -> int:
    from engine import keep_freed_memory

    start_report = StartReport.expected()
    terminals = on_a_terminal()
    interrupts = Interrupts(before if start_report is None else "", lambda text: errors().write_later(f"\n{text}\n"))
    keep_freed_memory()  # before the first tensor, which `create` allocates
    with reading_progress():
        session = create()
    screen: Output
    if start_report is not None:
        write_to_console_log(session.directory)
        screen = DetachedLines(start_report)
    else:
        screen = _output(as_json=as_json)
    feed = Feed(_ShownSource(session, screen.show))
    # Closing the terminal does not stop the run. A file that stderr was redirected to still gets all output.
    signal.signal(signal.SIGHUP, lambda number, frame: silence(terminals))
    interrupts.interrupt_on_signal(session)
    session.start(pause_mode=pause_mode)
    while session.alive:
        feed.pull()
        screen.refresh(feed.view)
        session.join(PULL_S)
    feed.pull()
    finished = session.finished
    if finished is None:
        raise RuntimeError("the run ended without its last event")
    screen.end(finished, session.directory)
    if finished.reason is Reason.DETACHED:
        resume_detached(
            session.directory, pause_mode=session.pause_mode, commands_read=session.commands_read, as_json=as_json
        )
    return EXIT_STATUS[finished.reason]


class _ShownSource:
    """A source whose events are shown when they are drained."""

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
