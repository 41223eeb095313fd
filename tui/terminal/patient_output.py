"""Output whose reader may stop reading: it waits here, so that a full pipe blocks neither the run nor a signal."""

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
"""So much waits for the reader; what comes then is lost to it."""

PATIENCE_S = 2.0
"""At the end, the reader may take so long for its next piece."""

_PIECE = 4096
"""Bytes that a pipe takes without blocking when it is ready (PIPE_BUF on Linux)."""


class PatientOutput:
    """Writes to a descriptor only what it takes at once, and keeps the rest.

    Not `O_NONBLOCK`, which would change the descriptor for every process that shares it.
    """

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = monotonic) -> None:
        self.unread = False
        """Whether the reader has gone, or the disk is full."""
        self.lost = 0
        """How many texts the reader did not get."""
        self._stream = stream
        self._descriptor = _descriptor_of(stream)
        self._clock = clock
        self._waiting = bytearray()
        self._later: deque[str] = deque()

    @property
    def waits(self) -> bool:
        """Whether the reader has not taken everything yet."""
        return bool(self._waiting)

    def write(self, text: str) -> None:
        """Write what the reader takes now; the rest waits for `pump`."""
        if self._descriptor is None:
            with suppress(OSError, ValueError):
                self._stream.write(text)
                self._stream.flush()
            return
        self._keep(text)
        self.pump()

    def write_later(self, text: str) -> None:
        """Write with the next `pump`. To be called in a signal handler, which may have interrupted a `write`."""
        self._later.append(text)

    def pump(self) -> None:
        """Write what the reader takes now."""
        while self._later:
            text = self._later.popleft()
            if self._descriptor is None:
                self.write(text)
            else:
                self._keep(text)
        while self._waiting and self._is_ready(0.0):
            self._write_piece()

    def end(self, patience_s: float = PATIENCE_S) -> None:
        """Write everything, unless the reader takes nothing for `patience_s`."""
        self.pump()
        until = self._clock() + patience_s
        while self._waiting:
            if self._is_ready(min(0.1, patience_s)):
                self._write_piece()
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

    def _is_ready(self, timeout_s: float) -> bool:
        assert self._descriptor is not None
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return bool(poll.poll(timeout_s * 1000))

    def _write_piece(self) -> None:
        assert self._descriptor is not None
        try:
            written = os.write(self._descriptor, self._waiting[:_PIECE])
        except OSError:
            self.unread = True
            self._waiting.clear()
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._descriptor)
        else:
            del self._waiting[:written]


def _descriptor_of(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (AttributeError, OSError, ValueError):
        return None


_errors: tuple[TextIO, PatientOutput] | None = None


def errors() -> PatientOutput:
    """The one for stderr."""
    global _errors
    if _errors is None or _errors[0] is not sys.stderr:
        _errors = sys.stderr, PatientOutput(sys.stderr)
    return _errors[1]


def tell(text: str, end: str = "\n") -> None:
    """Print on stderr. A reader that goes away (`2>&1 | tee log`, and Ctrl-C ends both) takes no run with it."""
    errors().write(f"{text}{end}")
