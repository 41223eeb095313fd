"""The process of a command: its end, SIGTERM, and output in a locale that lacks letters."""

from __future__ import annotations

import atexit
import codecs
import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

ESCAPED = "torchdeck-escaped"
"""The name of the error handler of standard output and error."""

_reported = False


@contextmanager
def exit_without_teardown() -> Iterator[None]:
    """End the process as soon as this block is left, with the exit status that it would have.

    Python would first free every module, and torch's million objects with them, which takes half a second. Threads that
    are no daemons have ended by then. Functions that were registered with `atexit` inside the block have been called.
    """
    status = 1

    def end() -> None:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):  # its reader has exited, it is closed, it is None
                stream.flush()
        os._exit(status)

    atexit.register(end)
    try:
        yield
        status = 0
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        raise


def report_sigterm() -> None:
    """Let SIGTERM print a sentence and end the process at any time, the import of torch included."""
    process = os.getpid()

    def terminated(number: int, frame: FrameType | None) -> None:
        if os.getpid() == process:  # and not a process that was forked from it
            with suppress(OSError):
                os.write(2, b"Ended by SIGTERM.\n")
        os._exit(128 + number)

    signal.signal(signal.SIGTERM, terminated)


def escape_missing_letters() -> None:
    """Let standard output and error escape the letters that the locale lacks, and name the locale once."""
    codecs.register_error(ESCAPED, _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ESCAPED)


def _escaped(error: UnicodeError) -> tuple[str | bytes, int]:
    global _reported
    if not _reported:
        _reported = True
        atexit.register(_report_locale, error)
    return codecs.backslashreplace_errors(error)


def _report_locale(error: UnicodeError) -> None:
    encoding = error.encoding if isinstance(error, UnicodeEncodeError) else "?"
    variable = next((name for name in ("LC_ALL", "LC_CTYPE", "LANG") if os.environ.get(name)), "")
    locale = f"{variable}={os.environ[variable]}" if variable else "C, as no variable sets another"
    text = f"The locale ({locale}; {encoding}) lacks letters, which are shown escaped. Set LC_ALL=C.UTF-8 to see them."
    with suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)
