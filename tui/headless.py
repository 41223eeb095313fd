"""Training without a deck: events as JSON on stdout, or progress for a person on stderr."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from engine.experiment import Draft
from engine.training.commands import Command, Hold
from engine.training.events import Checkpoint, CommandDone, Epoch, Event, Finished, Log, Reason, RunStarted
from tui.answers import answer_text
from tui.detach import Announcement, commands_read_before, go_on_detached, write_to_console_log
from tui.feed import Feed, RunView, Source
from tui.last_words import how_to_go_on, of_leaving, where_and_how
from tui.printing.metrics import measured_text
from tui.printing.text import bar, plain, plain_json
from tui.quantities import left, number_text, span_text
from tui.reading import reading_shown
from tui.run_status import STALE
from tui.terminal import on_a_terminal, silence

if TYPE_CHECKING:
    from engine.training.session import Session

PULL_S = 0.1
PROGRESS_S = 0.25

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
            _tell(plain(f"{sentence} …"))
        return Session(plan, runs_dir=runs_dir)

    return _watch(begin, as_json=as_json)


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

    return _watch(begin, as_json=as_json, hold=hold)


def attach_headless(run: Path, *, as_json: bool = False) -> int:
    """Show what a run in another process does until it ends, or Ctrl-C; returns the exit status.

    As for the run itself; 1 if its process has gone without a word, 0 for Ctrl-C, which is nothing to the run.
    """
    from engine.runs import Follower

    follower = Follower(run)
    screen: _Json | _Lines = _Json() if as_json else _Progress() if sys.stderr.isatty() else _Lines()
    ends: list[Finished] = []

    def show(event: Event) -> None:
        screen.show(event)
        if isinstance(event, Finished):
            ends[:] = [event]

    feed = Feed(_Shown(follower, show))
    asked: list[int] = []
    # Not KeyboardInterrupt, which would cut a line off in its middle.
    signal.signal(signal.SIGINT, lambda number, frame: asked.append(number))
    while not follower.caught_up or follower.status == "live":
        feed.pull()
        screen.refresh(feed.view)
        if screen.unread:
            return 0
        if asked:
            _tell(screen.clear + "\n".join(of_leaving(run)))
            return 0
        time.sleep(PULL_S if follower.caught_up else 0)
    if follower.stale or not ends:
        _tell("\n".join([f"{screen.clear}{plain(f'{run.name}: {STALE}')}", *how_to_go_on(run, "stale")]))
        return 1
    screen.end(ends[0], run)
    return EXIT_STATUS[ends[0].reason]


def _watch(begin: Callable[[], Session], *, as_json: bool, hold: Hold | None = None) -> int:
    from engine.training.allocator import keep_freed_memory

    keep_freed_memory()  # before the first tensor, which `begin` makes
    announcement = Announcement.expected()
    with reading_shown():
        session = begin()
    screen: _Json | _Lines
    if announcement is not None:
        write_to_console_log(session.directory)
        screen = _Announced(announcement)
    else:
        screen = _Json() if as_json else _Progress() if sys.stderr.isatty() else _Lines()
    feed = Feed(_Shown(session, screen.show))
    _answer_signals(session)
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


def _answer_signals(session: Session) -> None:
    """SIGINT and SIGTERM end the run with a checkpoint. A terminal that goes away ends nothing; a file gets it all."""
    terminals = on_a_terminal()

    def interrupt(number: int, frame: FrameType | None) -> None:
        session.interrupt()
        with suppress(OSError):  # Not print: it may be what was interrupted, and the reader may be gone.
            os.write(2, "\nSaving at the next step …\n".encode())

    def hang_up(number: int, frame: FrameType | None) -> None:
        silence(terminals)

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, hang_up)


def _tell(text: str, end: str = "\n") -> None:
    """Print on stderr. A reader that goes away (`2>&1 | tee log`, and Ctrl-C ends both) takes no run with it."""
    try:
        print(text, end=end, file=sys.stderr, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


class _Json:
    """Every event as a line on stdout. A reader that goes away ends nothing: the run directory holds every event."""

    clear = ""

    def __init__(self) -> None:
        self.unread = False

    def show(self, event: Event) -> None:
        if not self.unread:
            try:
                print(plain_json(event.to_json()), flush=True)
            except OSError:  # or the disk that stdout goes to is full
                self.unread = True
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def refresh(self, view: RunView) -> None:
        """Nothing stands between two events."""

    def end(self, finished: Finished, directory: Path) -> None:
        for sentence in how_to_go_on(directory, finished.reason):
            _tell(sentence)


class _Lines:
    """One plain line an epoch, for logs."""

    clear = ""
    unread = False

    def __init__(self) -> None:
        self._epochs = 0

    def show(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._epochs = event.epochs
        if line := _line(event, self._epochs):
            _tell(f"{self.clear}{plain(line)}")

    def refresh(self, view: RunView) -> None:
        """Nothing stands between two lines."""

    def end(self, finished: Finished, directory: Path) -> None:
        _tell(f"{self.clear}{plain(finished.message)} {span_text(finished.seconds)} in all.")
        for sentence in where_and_how(directory, finished.reason):
            _tell(sentence)


class _Announced(_Lines):
    """The same for the console.log of a detached run; who began it hears how it begins."""

    def __init__(self, announcement: Announcement) -> None:
        super().__init__()
        self._announcement = announcement

    def show(self, event: Event) -> None:
        super().show(event)
        self._announcement.write(event)


class _Progress(_Lines):
    """The same, and under it one line that moves: for a terminal."""

    clear = "\r\x1b[K"

    def __init__(self) -> None:
        super().__init__()
        self._drawn_at = 0.0

    def refresh(self, view: RunView) -> None:
        if view.started is not None and time.monotonic() - self._drawn_at >= PROGRESS_S:
            self._drawn_at = time.monotonic()
            room = shutil.get_terminal_size().columns - 1
            _tell(f"{self.clear}{left(_progress(view), room).rstrip()}", end="")


def _line(event: Event, epochs: int) -> str:
    """One event as a line for a person; empty for one that the progress shows."""
    match event:
        case RunStarted():
            resumed = f", from {event.resumed_from}" if event.resumed_from else ""
            threads = f" · {event.threads} thread{'s' * (event.threads > 1)}" if event.device == "cpu" else ""
            return (
                f"{event.run}{resumed}: {event.parameters:,} parameters, {event.train_samples:,} samples to train on, "
                f"{event.val_samples:,} to validate; {event.device} · {event.precision}{threads}"
            )
        case Epoch():
            measured = measured_text(event.metrics)
            mark = "  ◆ best" if event.best_epoch == event.epoch else ""
            return (
                f"epoch {event.epoch:>{len(str(epochs))}}/{epochs}  train_loss {number_text(event.train_loss)}  "
                f"{measured}  lr {event.lr:.2e}  {event.samples_per_s:,.0f} samples/s{mark}"
            )
        case Log():
            return event.message if event.level == "info" else f"{event.level}: {event.message}"
        case CommandDone():
            return answer_text(event)
        case Checkpoint():
            return ""
    return ""


def _progress(view: RunView) -> str:
    parts = [
        f"epoch {view.epoch}/{view.epochs}",
        bar(view.step / max(view.steps, 1), 20),
        f"step {view.step:,}/{view.steps:,}",
    ]
    if view.train_loss.last is not None:
        parts.append(f"loss {number_text(view.train_loss.last)}")
    if view.samples_per_s:
        parts.append(f"{view.samples_per_s:,.0f} samples/s")
    if view.seconds_left is not None:
        parts.append(f"{span_text(view.seconds_left)} left")
    if view.patience:
        parts.append(f"patience {view.patience_used}/{view.patience}")
    return "  ".join(parts)
