"""Progress of reading data: reported by the reader, received by a listener in the same context."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[str, int, int], None]
"""Gets the work (`Checking images`), how much is done, and the total; 0 if unknown. It may raise to cancel the work."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def progress_to(listener: Listener) -> Iterator[None]:
    """Context in which `listener` receives the progress."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def progress(what: str, done: int, total: int = 0) -> None:
    """Report progress. Without a listener it costs nothing; call it a few times a second, not for every sample."""
    if (listener := _listener.get()) is not None:
        listener(what, done, total)
