"""`flock` with a time limit, and a check whether it excludes other processes here.

A network file system may have no locks, grant every lock, or block in the kernel although a call asks not to wait.
In none of these cases may a list of runs hang, or two processes train one run.
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
"""Seconds after which a call that has not returned counts as a lock that does not work."""

_silent_devices: set[int] = set()
"""File systems (`st_dev`) whose locks did not answer in time. They are not tried again."""


def try_exclusive(descriptor: int) -> bool | None:
    """Try to lock a file exclusively for a descriptor, without waiting.

    Returns:
        True: locked. False: another descriptor has the lock. None: locks do not work here.
    """
    return _call(descriptor, _lock)


def is_free(descriptor: int) -> bool | None:
    """Whether a file is not locked; None where locks do not work. The file is not locked afterwards either."""
    return _call(descriptor, _probe)


def excludes(path: str | os.PathLike[str]) -> bool:
    """Whether an exclusive lock of this process on a file excludes a second descriptor.

    It does not on a file system that grants every lock.
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


def _probe(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    fcntl.flock(descriptor, fcntl.LOCK_UN)


class _Caller:
    """A thread that calls `flock`, since only another thread can be abandoned in a call that hangs."""

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


_caller: _Caller | None = None


def _call(descriptor: int, call: Callable[[int], None]) -> bool | None:
    global _caller
    if fcntl is None:
        return None
    device = os.fstat(descriptor).st_dev
    if device in _silent_devices:
        return None
    reply: SimpleQueue[bool | None] = SimpleQueue()
    _caller = _caller or _Caller()
    # A copy shares the lock, and its number is not reused for another file while a call hangs.
    _caller.requests.put((os.dup(descriptor), call, reply))
    try:
        return reply.get(timeout=ANSWER_S)
    except Empty:
        _silent_devices.add(device)
        _caller = None
        return None


def _forget_thread() -> None:
    global _caller
    _caller = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_thread)
