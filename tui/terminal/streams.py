"""The terminal that the deck draws on: whether there is one, and which streams may write to it."""

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
"""A log larger than this is replaced by a new one."""


def terminal_problem() -> str | None:
    """Return why the deck cannot run here, as a clause; None if it can."""
    if sys.stdin is None or not sys.stdin.isatty():
        return "standard input is not a terminal"
    if sys.stdout is None or not sys.stdout.isatty():
        return "standard output is not a terminal"
    if os.environ.get("TERM", "") in ("dumb", "unknown"):
        return f"TERM is {os.environ['TERM']}"
    return None


def on_a_terminal() -> tuple[int, ...]:
    """Return the standard descriptors that are a terminal. After a hang-up, none is."""
    return tuple(number for number in (0, 1, 2) if os.isatty(number))


def silence(descriptors: Iterable[int]) -> None:
    """Redirect these descriptors to /dev/null."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in descriptors:
        os.dup2(null, number)
    os.close(null)


def log_path() -> Path:
    """Return the file for output that is not for the screen: `deck.log` in the user's state folder."""
    return state_path() / "deck.log"


def open_log() -> tuple[int, str]:
    """Open the log, or a temporary file if that is not possible; returns its descriptor and name."""
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
    """Redirects descriptors 1 and 2 to a log, so that only the deck writes to the terminal.

    One line from a native library on descriptor 2 would destroy the screen. Textual draws on `sys.__stderr__` and gets
    the size from `sys.__stdout__`, so those two become the terminal under a new descriptor. `sys.stdout` and
    `sys.stderr` stay real files and write to the log. Workers of a DataLoader need that: Textual's own replacement has
    no descriptor that a child process could inherit.
    """

    def __init__(self) -> None:
        self.log = ""
        """The file of the log."""
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
        """Restore the real streams, which Textual replaces when the app starts."""
        sys.stdout, sys.stderr = self._streams

    def is_there(self) -> bool:
        """Whether the terminal still exists; it does not after a hang-up."""
        return os.isatty(0)

    def lose(self) -> None:
        """Stop using the terminal, which was closed. Streams that are files are not affected."""
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
