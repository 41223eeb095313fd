"""`flock` with a time limit, and whether it excludes anybody here.

A network file system may know no locks, grant every lock to everybody, or block in the kernel although it was asked
not to. None of these may hang a list of runs or let two processes train one run.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

try:
    import fcntl
except ImportError:  # this system has no flock
    fcntl = None  # type: ignore[assignment]

ANSWER_S = 2.0
"""Seconds after which a lock that has not answered is taken for one that does not work."""

_silent_devices: set[int] = set()
"""File systems (`st_dev`) whose locks did not answer. They are not asked again."""


def try_exclusive(descriptor: int) -> bool | None:
    """Lock a file for its descriptor alone, without waiting.

    Returns:
        True: locked. False: another descriptor has it. None: locks do not work here.
    """
    return _ask(descriptor, _lock)


def is_free(descriptor: int) -> bool | None:
    """Whether nobody has the file locked; None where locks do not work. Nothing stays locked by asking."""
    return _ask(descriptor, _look)


def excludes(path: str | os.PathLike[str]) -> bool:
    """Whether an exclusive lock that this process has on a file keeps a second descriptor out.

    On a file system that grants every lock it does not.
    """
    try:
        second = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return is_free(second) is False
    finally:
        os.close(second)


def _lock(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _look(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    fcntl.flock(descriptor, fcntl.LOCK_UN)


class _Asker:
    """A thread that calls `flock`, since only another thread can be left alone with a call that hangs."""

    def __init__(self) -> None:
        self.requests: SimpleQueue[tuple[int, Callable[[int], None], SimpleQueue[bool | None]]] = SimpleQueue()
        threading.Thread(target=self._answer, name="flock", daemon=True).start()

    def _answer(self) -> None:
        while True:
            descriptor, call, reply = self.requests.get()
            answer: bool | None = True
            try:
                call(descriptor)
            except BlockingIOError:
                answer = False
            except OSError:
                answer = None
            with suppress(OSError):
                os.close(descriptor)
            reply.put(answer)


_asker: _Asker | None = None


def _ask(descriptor: int, call: Callable[[int], None]) -> bool | None:
    global _asker
    if fcntl is None:
        return None
    device = os.fstat(descriptor).st_dev
    if device in _silent_devices:
        return None
    reply: SimpleQueue[bool | None] = SimpleQueue()
    _asker = _asker or _Asker()
    # A copy shares the lock, and cannot be closed and given to another file while a call hangs.
    _asker.requests.put((os.dup(descriptor), call, reply))
    try:
        return reply.get(timeout=ANSWER_S)
    except Empty:
        _silent_devices.add(device)
        _asker = None
        return None


def _forget_thread() -> None:
    global _asker
    _asker = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_thread)
