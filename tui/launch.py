"""The deck as a command: from a terminal that is fit for it to an exit status, whatever ends it."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from tui.detach import go_on_detached
from tui.exit_messages import of_end, of_leaving
from tui.interrupts import SAVING, interrupt_signals
from tui.terminal.streams import Terminal, terminal_problem

if TYPE_CHECKING:
    from engine.experiment import Draft
    from engine.protocol.commands import Hold
    from tui.deck.app import Deck
    from tui.services.producer import Producer, Run

__all__ = ["run_deck", "terminal_problem"]

POLL_S = 0.2

HANDING_OVER = "Starting a process of its own for the run. This takes a few seconds …"

LOOK_S = 1.0
"""How often the deck looks whether its terminal is still there: not every shell passes SIGHUP on."""


def run_deck(
    *,
    runs_dir: Path,
    draft: Draft | None = None,
    source: str = "",
    train: bool = False,
    open_run: Path | None = None,
    resume: Path | None = None,
    overrides: tuple[str, ...] = (),
    hold: Hold | None = None,
    producer: Producer | None = None,
) -> int:
    """Show the deck until it is left, then wait for the run that it may have begun; returns the exit status.

    A run that was left to go on without the deck goes on in a process of its own, in the place of this one.

    0 nothing was trained, or it was trained; 1 the run failed, or the deck itself; 2 there is no terminal for it;
    130 the run was interrupted, with everything saved; 128 + the signal where a signal ended a deck without a run.
    """
    problem = terminal_problem()
    if problem:
        print(f"The deck needs a terminal: {problem}.", file=sys.stderr)
        return 2
    from engine.training.allocator import keep_freed_memory
    from tui.deck.app import Deck
    from tui.preferences.memory import Memory, memory_file
    from tui.preferences.settings import read_settings

    # Before any thread: one that begins earlier leaves the engine's an arena that gives freed memory back.
    keep_freed_memory()
    settings, wrong = read_settings()
    remembered, why_not = memory_file()
    deck = Deck(
        runs_dir,
        draft,
        source=source,
        train=train,
        open_run=open_run,
        resume=resume,
        overrides=overrides,
        hold=hold,
        producer=producer,
        settings=settings,
        memory=Memory(remembered),
        wrong=[*map(str, wrong), *filter(None, [why_not])],
    )
    terminal = Terminal()
    signals = _Signals(deck, interrupt_signals(settings))
    with signals:
        with terminal:

            def look() -> None:
                if not terminal.is_there():
                    signals.hang_up()

            def shown() -> None:
                terminal.claim()
                deck.set_interval(LOOK_S, look)

            deck.shown = shown
            deck.run()
            if signals.hung_up:
                terminal.lose()
        busy = deck.close_work()
        status = _after(deck, signals, terminal)
    if "triton" in sys.modules:
        atexit.register(_end_in_silence)
    if busy:
        # The thread that checks may be inside torch's import, for seconds, with nothing to save.
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        os._exit(status)
    return status


def _end_in_silence() -> None:
    """Let nothing follow what the deck said last.

    Triton, which comes with torchvision, lists a page of functions that it finds still in use when Python ends.
    """
    with suppress(OSError, ValueError):
        sys.stderr.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


class _Signals:
    """What SIGHUP and the signals that interrupt a run asked for.

    They are caught from before the deck begins until its run has ended: asyncio's own handlers would be gone between
    the two, and a second SIGHUP of a dying connection then takes the run with it.
    """

    def __init__(self, deck: Deck, interrupts: Sequence[signal.Signals]) -> None:
        self.hung_up = False
        self.number = 0
        """The signal that asked for an end; 0 where none did."""
        self._numbers = [*interrupts, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
        self.count = 0
        self._deck = deck

    def __enter__(self) -> _Signals:
        self._before = {number: signal.signal(number, self._caught) for number in self._numbers}
        return self

    def __exit__(self, *raised: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def hang_up(self) -> None:
        """The terminal has gone away."""
        self.hung_up = True
        self._leave()

    def _caught(self, number: int, frame: FrameType | None) -> None:
        if number == getattr(signal, "SIGHUP", None):
            self.hung_up = True
        else:
            self.number = number
            self.count += 1
        self._leave()

    def _leave(self) -> None:
        loop = self._deck.loop
        if loop is not None:
            with suppress(RuntimeError):  # the loop is closed: the deck has ended
                loop.call_soon_threadsafe(self._deck.exit)


def _after(deck: Deck, signals: _Signals, terminal: Terminal) -> int:
    """Say what is left to say, wait for the run, and find the exit status."""
    from engine.protocol.events import Reason

    run = deck.runs[-1] if deck.runs else None
    if deck.watched is not None:
        for sentence in of_leaving(deck.watched):
            _say(sentence)
    if deck.crash is not None:
        _say(f"The deck broke: {type(deck.crash).__name__}: {deck.crash}. Details are in {terminal.log}")
        if run is not None and run.alive:
            _say(f"{run.directory.name} continues without the deck. Ctrl-C stops it with everything saved.")
    if run is None:
        if signals.number or signals.hung_up:
            return 128 + (signals.number or signal.SIGHUP)
        return 1 if deck.crash is not None else 0
    _wait(run, signals, terminal, detaching=deck.detaching)
    for ended in deck.runs:
        _say_end(ended)
    if run.finished is not None and run.finished.reason is Reason.DETACHED:
        _say(HANDING_OVER)
        go_on_detached(run.directory, hold=run.hold, commands_read=run.commands_read)
    return _status(run)


def _wait(run: Run, signals: _Signals, terminal: Terminal, *, detaching: bool) -> None:
    """Wait for a run to end. A signal interrupts it, with everything saved; a second Ctrl-C leaves at once."""
    interrupted, silenced, seen = False, signals.hung_up, 0
    if run.alive and signals.number == 0 and not signals.hung_up:
        _say(SAVING if detaching else "Waiting for the run to end …")
    while run.alive:
        if signals.number and not interrupted:
            interrupted, seen = True, signals.count
            _say(SAVING)
            run.interrupt()
        elif interrupted and signals.count > seen:
            _say("Left without waiting. The last checkpoint is whole.")
            os._exit(130)
        if signals.hung_up and not silenced:
            silenced = True
            terminal.lose()
        run.join(POLL_S)


def _say_end(run: Run) -> None:
    if run.finished is not None:
        for sentence in of_end(run.directory, run.finished):
            _say(sentence)


def _status(run: Run) -> int:
    from tui.headless import EXIT_STATUS

    return EXIT_STATUS[run.finished.reason] if run.finished is not None else 1


def _say(sentence: str) -> None:
    with suppress(OSError):
        print(sentence, file=sys.stderr, flush=True)
