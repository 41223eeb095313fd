"""The signals that stop a run with a checkpoint: SIGINT, SIGTERM, and those of the setting `interrupt_signals`."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Protocol

from tui.preferences.settings import read_settings

if TYPE_CHECKING:
    from tui.preferences.settings import Settings

SAVING = "Saving at the next step …"


class Interruptible(Protocol):
    """A run that a signal can interrupt."""

    def interrupt(self) -> None: ...


def interrupt_signals(settings: Settings | None = None) -> list[signal.Signals]:
    """The signals that stop a run with a checkpoint."""
    settings = read_settings()[0] if settings is None else settings
    return [signal.SIGINT, signal.SIGTERM, *(signal.Signals[name] for name in settings.interrupt_signals)]


class Interrupts:
    """Handles these signals: before there is a run, they end the process; then they interrupt the run.

    No exception can be raised while torch is imported. A signal then ends the process immediately, with exit status
    128 + its number.

    Args:
        before: a sentence about the run, printed if a signal arrives before it starts. If it is empty, nothing is
            printed, and the exit status alone informs the caller of this process.
        tell: prints; it is called in a signal handler.
    """

    def __init__(self, before: str, tell: Callable[[str], None]) -> None:
        self._before = before
        self._tell = tell
        self._run: Interruptible | None = None
        self._pid = os.getpid()
        for number in interrupt_signals():
            signal.signal(number, self._caught)

    def interrupt_on_signal(self, run: Interruptible) -> None:
        """Let these signals interrupt `run` from now on."""
        self._run = run

    def _caught(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._pid:  # a process that was forked from this one
            os._exit(128 + number)
        if self._run is not None:
            self._run.interrupt()
            self._tell(SAVING)
            return
        if not self._before:
            signal.signal(number, signal.SIG_DFL)
            os.kill(self._pid, number)
            return
        with suppress(OSError):
            os.write(2, f"Ended by {signal.Signals(number).name} before training began. {self._before}\n".encode())
        os._exit(128 + number)
