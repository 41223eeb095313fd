"""Output in a locale that lacks letters: what it cannot show is shown escaped, and the locale is named once."""

from __future__ import annotations

import atexit
import codecs
import io
import os
import sys
from contextlib import suppress

ESCAPED = "torchdeck-escaped"
"""The name of the error handler of the streams."""

_said = False


def show_what_the_locale_lacks() -> None:
    """Let standard output and error show any text. A narrow locale is no reason to fail."""
    codecs.register_error(ESCAPED, _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ESCAPED)


def _escaped(error: UnicodeError) -> tuple[str | bytes, int]:
    global _said
    if not _said:
        _said = True
        atexit.register(_say, error)
    return codecs.backslashreplace_errors(error)


def _say(error: UnicodeError) -> None:
    encoding = error.encoding if isinstance(error, UnicodeEncodeError) else "?"
    set_by = next((name for name in ("LC_ALL", "LC_CTYPE", "LANG") if os.environ.get(name)), "")
    locale = f"{set_by}={os.environ[set_by]}" if set_by else "C, as no variable sets another"
    said = f"The locale ({locale}; {encoding}) lacks letters that are shown escaped. Set LC_ALL=C.UTF-8 to see them."
    with suppress(OSError, ValueError):
        print(said, file=sys.stderr, flush=True)
