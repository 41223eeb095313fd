"""How far the reading of data is: said by whoever reads, heard by whoever has asked for it in this thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[str, int, int], None]
"""Told what is being done (`Checking images`), how much of it is done, and of how much; 0 where that is not known.
It may raise, to give the work up."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def progress_to(listener: Listener) -> Iterator[None]:
    """Within it, `listener` hears how far the reading is."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def progress(what: str, done: int, total: int = 0) -> None:
    """Say how far it is. Costs nothing where nobody listens; say it a few times a second, not for every sample."""
    if (listener := _listener.get()) is not None:
        listener(what, done, total)
