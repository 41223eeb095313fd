"""Output to a reader that may stop reading: text waits here, so a full pipe blocks neither the run nor a signal."""

from __future__ import annotations

import os
import select
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import TextIO

LIMIT_BYTES = 8 << 20
"""The most that waits for the reader; further text is dropped."""

PATIENCE_S = 2.0
"""At the end, how long to wait for the reader to accept the next piece."""

_PIECE = 4096
"""Bytes that a ready pipe accepts without blocking (PIPE_BUF on Linux)."""


class PatientOutput:
    """Writes to a descriptor only what it accepts without blocking, and buffers the rest.

    It does not use `O_NONBLOCK`, which would affect every process that shares the descriptor.
    """

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = monotonic) -> None:
        self.unread = False
        """Whether the reader has closed its end, or the disk is full."""
        self.lost = 0
        """How many texts were dropped."""
        self._stream = stream
        self._descriptor = _descriptor_of(stream)
        self._clock = clock
        self._waiting = bytearray()
        self._later: deque[str] = deque()

    @property
    def waits(self) -> bool:
        """Whether text is still waiting for the reader."""
        return bool(self._waiting)

    def write(self, text: str) -> None:
        """Write as much as the reader accepts now; the rest waits for `pump`."""
        if self._descriptor is None:
            with suppress(OSError, ValueError):
                self._stream.write(text)
                self._stream.flush()
            return
        self._keep(text)
        self.pump()

    def write_later(self, text: str) -> None:
        """Write at the next `pump`. For signal handlers, which may have interrupted a `write`."""
        self._later.append(text)

    def pump(self) -> None:
        """Write as much as the reader accepts now."""
        while self._later:
            text = self._later.popleft()
            if self._descriptor is None:
                self.write(text)
            else:
                self._keep(text)
        while self._descriptor is not None and self._waiting and _is_ready(self._descriptor, 0.0):
            self._write_piece(self._descriptor)

    def end(self, patience_s: float = PATIENCE_S) -> None:
        """Write everything, unless the reader accepts nothing for `patience_s`."""
        self.pump()
        until = self._clock() + patience_s
        while self._descriptor is not None and self._waiting:
            if _is_ready(self._descriptor, min(0.1, patience_s)):
                self._write_piece(self._descriptor)
                until = self._clock() + patience_s
            elif self._clock() >= until:
                self.lost += self._waiting.count(b"\n")
                self._waiting.clear()

    def _keep(self, text: str) -> None:
        if self.unread:
            return
        data = text.encode(self._stream.encoding or "utf-8", "backslashreplace")
        if len(self._waiting) + len(data) > LIMIT_BYTES:
            self.lost += 1
        else:
            self._waiting += data

    def _write_piece(self, descriptor: int) -> None:
        try:
            written = os.write(descriptor, self._waiting[:_PIECE])
        except OSError:
            self.unread = True
            self._waiting.clear()
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
        else:
            del self._waiting[:written]


def _is_ready(descriptor: int, timeout_s: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(timeout_s * 1000))


def _descriptor_of(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (AttributeError, OSError, ValueError):
        return None


_errors: tuple[TextIO, PatientOutput] | None = None


def errors() -> PatientOutput:
    """Return the output for stderr."""
    global _errors
    if _errors is None or _errors[0] is not sys.stderr:
        _errors = sys.stderr, PatientOutput(sys.stderr)
    return _errors[1]


def tell(text: str, end: str = "\n") -> None:
    """Print on stderr. The run survives a reader that exits, such as tee in `2>&1 | tee log` on Ctrl-C."""
    errors().write(f"{text}{end}")
