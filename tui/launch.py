"""Run the deck in a terminal, up to the exit status of its process."""

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

from tui.detach import resume_detached
from tui.exit_messages import detach_lines, end_lines
from tui.interrupts import SAVING, interrupt_signals
from tui.terminal.streams import Terminal, terminal_problem

if TYPE_CHECKING:
    from engine import Draft, PauseMode
    from tui.deck.app import Deck
    from tui.services.producer import Producer, Run

__all__ = ["run_deck", "terminal_problem"]

POLL_S = 0.2

HANDOVER = "Starting a separate process for the run. This takes a few seconds …"

TERMINAL_CHECK_S = 1.0
"""The deck checks this often whether its terminal still exists: not every shell passes SIGHUP on."""


def run_deck(
    *,
    runs_dir: Path,
    draft: Draft | None = None,
    source: str = "",
    train: bool = False,
    open_run: Path | None = None,
    resume: Path | None = None,
    overrides: tuple[str, ...] = (),
    pause_mode: PauseMode | None = None,
    producer: Producer | None = None,
) -> int:
    """Show the deck until it is closed, then wait for the run that it started; returns the exit status.

    A run that continues without the deck gets a separate process, which replaces this one.

    0 trained, or nothing to train; 1 the run or the deck failed; 2 there is no suitable terminal; 130 the run was
    interrupted, with everything saved; 128 + the signal if a signal closed a deck without a run.
    """
    problem = terminal_problem()
    if problem:
        print(f"The deck needs a terminal: {problem}.", file=sys.stderr)
        return 2
    from engine import keep_freed_memory
    from tui.deck.app import Deck
    from tui.preferences.memory import Memory, memory_file
    from tui.preferences.settings import read_settings

    # Before any thread: an earlier thread leaves the engine's thread an arena that returns freed memory.
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
        pause_mode=pause_mode,
        producer=producer,
        settings=settings,
        memory=Memory(remembered),
        wrong=[*map(str, wrong), *filter(None, [why_not])],
    )
    terminal = Terminal()
    signals = _Signals(deck, interrupt_signals(settings))
    with signals:
        with terminal:

            def check_terminal() -> None:
                if not terminal.is_there():
                    signals.hang_up()

            def shown() -> None:
                terminal.claim()
                deck.set_interval(TERMINAL_CHECK_S, check_terminal)

            deck.shown = shown
            deck.run()
            if signals.hung_up:
                terminal.lose()
        busy = deck.close_work()
        status = _after(deck, signals, terminal)
    if "triton" in sys.modules:
        atexit.register(_silence_stderr)
    if busy:
        # The thread that checks the document may need seconds to import torch. It has nothing to save.
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        os._exit(status)
    return status


def _silence_stderr() -> None:
    """Let nothing follow the last line of the deck.

    Triton, which comes with torchvision, prints a page of functions that are still in use when Python exits.
    """
    with suppress(OSError, ValueError):
        sys.stderr.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


class _Signals:
    """SIGHUP and the signals that interrupt a run, as they were caught.

    They are caught from the start of the deck to the end of its run. asyncio's own handlers end with the deck, so a
    second SIGHUP of a closing connection would kill the run.
    """

    def __init__(self, deck: Deck, interrupts: Sequence[signal.Signals]) -> None:
        self.hung_up = False
        self.number = 0
        """The last signal that interrupts; 0 before one arrives."""
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
        """Close the deck because its terminal is gone."""
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
            with suppress(RuntimeError):  # the event loop is closed: the deck has ended
                loop.call_soon_threadsafe(self._deck.exit)


def _after(deck: Deck, signals: _Signals, terminal: Terminal) -> int:
    """Print the last messages, wait for the run, and return the exit status."""
    from engine import Reason

    run = deck.runs[-1] if deck.runs else None
    if deck.watched is not None:
        for sentence in detach_lines(deck.watched):
            _print(sentence)
    if deck.crash is not None:
        _print(f"The deck failed: {type(deck.crash).__name__}: {deck.crash}. Details are in {terminal.log}")
        if run is not None and run.alive:
            _print(f"{run.directory.name} continues without the deck. Ctrl-C stops it with everything saved.")
    if run is None:
        if signals.number or signals.hung_up:
            return 128 + (signals.number or signal.SIGHUP)
        return 1 if deck.crash is not None else 0
    _wait(run, signals, terminal, detaching=deck.detaching)
    for ended in deck.runs:
        _print_end(ended)
    if run.finished is not None and run.finished.reason is Reason.DETACHED:
        _print(HANDOVER)
        resume_detached(run.directory, pause_mode=run.pause_mode, commands_read=run.commands_read)
    return _status(run)


def _wait(run: Run, signals: _Signals, terminal: Terminal, *, detaching: bool) -> None:
    """Wait for a run to end. A signal interrupts it, with everything saved; a second one exits immediately."""
    interrupted, silenced, seen = False, signals.hung_up, 0
    if run.alive and signals.number == 0 and not signals.hung_up:
        _print(SAVING if detaching else "Waiting for the run to end …")
    while run.alive:
        if signals.number and not interrupted:
            interrupted, seen = True, signals.count
            _print(SAVING)
            run.interrupt()
        elif interrupted and signals.count > seen:
            _print("Exited without waiting. The last checkpoint is complete.")
            os._exit(130)
        if signals.hung_up and not silenced:
            silenced = True
            terminal.lose()
        run.join(POLL_S)


def _print_end(run: Run) -> None:
    if run.finished is not None:
        for sentence in end_lines(run.directory, run.finished):
            _print(sentence)


def _status(run: Run) -> int:
    from tui.headless import EXIT_STATUS

    return EXIT_STATUS[run.finished.reason] if run.finished is not None else 1


def _print(sentence: str) -> None:
    with suppress(OSError):
        print(sentence, file=sys.stderr, flush=True)
