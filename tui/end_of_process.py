"""The end of a process: at once, when all that is to be done then is done.

Python would take every module apart first, and torch's million objects with them, which is half a second in which
nothing happens that anybody waits for.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType


@contextmanager
def ending_at_once() -> Iterator[None]:
    """Let the process end so, with the status that it would have, once this block is left.

    Threads that are no daemons have ended by then, and whatever was registered to be called at the end after this block
    was entered, has been.
    """
    status = 1

    def end() -> None:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):  # nobody reads, it is closed, there is none
                stream.flush()
        os._exit(status)

    atexit.register(end)
    try:
        yield
        status = 0
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        raise


def say_when_terminated() -> None:
    """Let SIGTERM end the process in a sentence, whatever it is doing: it may be importing torch."""
    process = os.getpid()

    def terminated(number: int, frame: FrameType | None) -> None:
        if os.getpid() == process:  # and not one that was forked from it
            with suppress(OSError):
                os.write(2, b"Ended by SIGTERM.\n")
        os._exit(128 + number)

    signal.signal(signal.SIGTERM, terminated)
