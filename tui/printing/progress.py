"""How far the reading or downloading of data is, as a line: on a terminal, or in a log that is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from engine.data.progress import progress_to
from tui.quantities import scaled_text
from tui.tables.text import plain

AFTER_S = 0.5
"""What is done by then is not worth a line."""
EVERY_S = 0.25
EVERY_S_IN_A_LOG = 10.0


def progress_text(what: str, done: int, total: int) -> str:
    """`Checking images: 12,000 of 100,000`; bytes as `Downloading x.gz: 1.2 of 9.9 MB`."""
    in_bytes = what.startswith("Downloading")

    def number(n: int) -> str:
        return scaled_text(n, "B") if in_bytes else f"{n:,}"

    return f"{what}: {number(done)}" + (f" of {number(total)}" if total else "")


@contextmanager
def reading_shown() -> Iterator[None]:
    """Within it, standard error tells how far the reading of data is, once that takes a while."""
    terminal = sys.stderr.isatty()
    began: dict[str, float] = {}
    shown_at = 0.0

    def show(what: str, done: int, total: int) -> None:
        nonlocal shown_at
        now = monotonic()
        over = shown_at and done == total
        again_s = EVERY_S if terminal else EVERY_S_IN_A_LOG
        if now - began.setdefault(what, now) < AFTER_S or (now - shown_at < again_s and not over):
            return
        shown_at = now
        text = plain(progress_text(what, done, total))
        print(f"\r{text}\x1b[K" if terminal else text, end="" if terminal else "\n", file=sys.stderr, flush=True)

    try:
        with progress_to(show):
            yield
    finally:
        if terminal and shown_at:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
