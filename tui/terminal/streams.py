"""The terminal while the deck draws on it: whether there is one, and who may write to it."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TextIO

from tui.user_files import state_path

LOG_BYTES = 1 << 20
"""A log that has grown beyond this is begun anew."""


def terminal_problem() -> str | None:
    """Why there can be no deck here, as a clause; None where there can."""
    if sys.stdin is None or not sys.stdin.isatty():
        return "standard input is not a terminal"
    if sys.stdout is None or not sys.stdout.isatty():
        return "standard output is not a terminal"
    if os.environ.get("TERM", "") in ("dumb", "unknown"):
        return f"TERM is {os.environ['TERM']}"
    return None


def on_a_terminal() -> tuple[int, ...]:
    """Which of the standard descriptors are a terminal's. To be asked in time: one that was hung up is none."""
    return tuple(number for number in (0, 1, 2) if os.isatty(number))


def silence(descriptors: Iterable[int]) -> None:
    """Nothing reads from these descriptors any more, and what is written to them goes nowhere."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in descriptors:
        os.dup2(null, number)
    os.close(null)


def log_path() -> Path:
    """Where the deck writes what is not for the screen: `deck.log` in the user's state folder."""
    return state_path() / "deck.log"


def open_log() -> tuple[int, str]:
    """A descriptor and the name of a file to write to: the log, or one in the temporary folder where that cannot be."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    try:
        path = log_path()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.exists() and path.stat().st_size > LOG_BYTES:
            flags |= os.O_TRUNC
        return os.open(path, flags, 0o600), str(path)
    except OSError:
        return tempfile.mkstemp(prefix="torchdeck-", suffix=".log")


class Terminal:
    """Keeps descriptors 1 and 2 for a log, and the terminal for the deck alone.

    One line that a native library writes to descriptor 2 would destroy the screen. Textual draws on `sys.__stderr__`
    and asks `sys.__stdout__` for the size, so those two become the terminal under a descriptor of its own, and
    `sys.stdout` and `sys.stderr`, as real as before, write to the log. Workers of a DataLoader need that too: Textual's
    own stand-in has no descriptor that a child could inherit.
    """

    def __init__(self) -> None:
        self.log = ""
        """The file that the log is."""
        self._on_a_terminal = on_a_terminal()
        self._lost = False

    def __enter__(self) -> Terminal:
        self._streams: tuple[TextIO, TextIO] = (sys.stdout, sys.stderr)
        self._dunder = (sys.__stdout__, sys.__stderr__)
        for stream in self._streams:
            stream.flush()
        self._kept = {number: os.dup(number) for number in (1, 2)}
        self._screen = open(os.dup(1), "w", encoding="utf-8", errors="replace")
        descriptor, self.log = open_log()
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.close(descriptor)
        sys.__stdout__ = sys.__stderr__ = self._screen  # type: ignore[misc]
        return self

    def claim(self) -> None:
        """Within the app: put the real streams back in the place of Textual's stand-ins."""
        sys.stdout, sys.stderr = self._streams

    def is_there(self) -> bool:
        """Whether the terminal still answers: one that was hung up does not."""
        return os.isatty(0)

    def lose(self) -> None:
        """The terminal has gone away: nothing reads from it or writes to it any more. A file gets all as before."""
        self._lost = True
        silence(self._on_a_terminal)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for stream in self._streams:
            with suppress(OSError):
                stream.flush()
        sys.__stdout__, sys.__stderr__ = self._dunder  # type: ignore[misc]
        with suppress(OSError):
            self._screen.close()
        for number, kept in self._kept.items():
            os.dup2(kept, number)
            os.close(kept)
        if self._lost:
            silence(self._on_a_terminal)
