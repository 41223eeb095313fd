"""The progress of reading or downloading data, as a line on a terminal or lines in a log."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from engine import progress_to
from tui.quantities import scaled_text
from tui.tables.text import plain

AFTER_S = 0.5
"""Reading that takes less shows no line."""
INTERVAL_S = 0.25
LOG_INTERVAL_S = 10.0


def progress_text(what: str, done: int, total: int) -> str:
    """`Checking images: 12,000 of 100,000`; bytes as `Downloading x.gz: 1.2 of 9.9 MB`."""
    in_bytes = what.startswith("Downloading")

    def number(n: int) -> str:
        return scaled_text(n, "B") if in_bytes else f"{n:,}"

    return f"{what}: {number(done)}" + (f" of {number(total)}" if total else "")


@contextmanager
def reading_progress() -> Iterator[None]:
    """Print the progress of reading data on stderr, once reading takes a while."""
    terminal = sys.stderr.isatty()
    started: dict[str, float] = {}
    shown_at = 0.0

    def show(what: str, done: int, total: int) -> None:
        nonlocal shown_at
        now = monotonic()
        finished = shown_at and done == total
        interval_s = INTERVAL_S if terminal else LOG_INTERVAL_S
        if now - started.setdefault(what, now) < AFTER_S or (now - shown_at < interval_s and not finished):
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
