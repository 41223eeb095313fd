"""Who holds a run: one process at a time trains it, and none removes it meanwhile.

    lock      held with an exclusive flock; names the process (host, process table, pid, start); its time of change is
              the heartbeat

A flock that somebody has decides: the run is going. One that nobody has proves little, since some network file systems
grant every lock, know none, or do not answer. So whoever takes a lock tries whether it keeps a second one out, and
records that. Where this process can see the recorded one, that one decides; elsewhere (another host, container or
boot) the heartbeat does.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.experiment.mistakes import Mistake, Refused
from engine.runs import locking
from engine.runs.process import is_alive, is_suspended, this_process

LOCK = "lock"

BEAT_S = 3.0
"""Seconds between two heartbeats."""

SILENT_AFTER_S = 60.0
"""A process that cannot be seen and was silent for this long counts as exited. Clocks of hosts differ a little."""

_LOOKED_AT_S = 0.5
"""Whoever asks whether a run is held holds it for an instant; that long a second attempt is made."""
_SETTLED_S = 0.2
"""Without locks, two that take a run at once both write their name; after this long the last one's is read by both."""
_MAX_BYTES = 4096


class Hold:
    """A run that this process holds, until `release` or its end. Says every few seconds that it is still there.

    Raises:
        Refused: another session holds it.
        OSError: nothing can be written there.
    """

    def __init__(self, run: Path) -> None:
        descriptor = _open_lock(run)
        try:
            locked = _lock(descriptor, run)
            other = _read(descriptor)
            if _is_there(other, os.fstat(descriptor).st_mtime, locks_work=locked):
                raise Refused(_still_going(run, other))
            try:
                _write(descriptor, {**this_process(), "flock": locked})
            except OSError:
                if not locked:  # else the name is for people, and a full disk must not keep a run from being removed
                    raise
            if not locked:
                time.sleep(_SETTLED_S)
                other = _read(descriptor)
                if other.get("pid") != os.getpid():
                    raise Refused(_still_going(run, other))
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        _HELD.add(descriptor)
        self._ended = threading.Event()
        # A thread, since the one that trains may be in one step for longer than a heartbeat.
        self._thread = threading.Thread(target=_beat, args=(descriptor, self._ended), name="heartbeat", daemon=True)
        self._thread.start()
        self._release = weakref.finalize(self, _release, descriptor, self._ended, self._thread)

    def still(self) -> None:
        """Say nothing any more: what is written from now on is newer than the last heartbeat."""
        self._ended.set()
        self._thread.join()

    def release(self) -> None:
        """Let others have the run."""
        self._release()

    def is_gone_from(self, run: Path) -> bool:
        """Whether what is held no longer lies at that path: the folder was deleted or moved."""
        try:
            os.stat(run / LOCK, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False  # it cannot be told, as where a network file system does not answer
        return not _is_same(self._descriptor, run)


def holder(run: Path) -> dict[str, Any] | None:
    """The process that holds a run, as far as it says who it is; None when nobody does. Never raises.

    `heartbeat` is when it was last heard of, in seconds since the epoch.
    """
    try:
        descriptor = os.open(run / LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return None
        process = _read(descriptor)
        free = locking.is_free(descriptor)
        if free is False or _is_there(process, status.st_mtime, locks_work=free is not None):
            return {**process, "heartbeat": status.st_mtime}
        return None
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _open_lock(run: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(run / LOCK, flags, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{LOCK} is not a regular file")
    return descriptor


def _lock(descriptor: int, run: Path) -> bool:
    """Lock it for this process alone; False where locks do not work on this file system."""
    gives_up_at = time.monotonic() + _LOOKED_AT_S
    while (locked := locking.try_exclusive(descriptor)) is False:
        if time.monotonic() >= gives_up_at:
            raise Refused(_still_going(run, _read(descriptor)))
        time.sleep(0.01)
    if locked is None:
        return False
    if not _is_same(descriptor, run):
        found = "it was removed a moment ago"
        raise Refused(Mistake(str(run), found, "", "See `torchdeck runs` for those that are there."))
    return locking.excludes(run / LOCK)


def _is_there(process: Mapping[str, Any], heartbeat: float, *, locks_work: bool) -> bool:
    """Whether the recorded process still trains, though no lock of its is seen.

    Args:
        heartbeat: when it was last heard of, in seconds since the epoch.
    """
    if not process:
        return False
    heard = time.time() - heartbeat < SILENT_AFTER_S
    match is_alive(process):
        case None:
            return heard
        case False:
            return False
    # Its lock is gone although such locks work here: it has given the run up without being able to say so.
    gave_up = locks_work and bool(process.get("flock")) and not heard and not is_suspended(process)
    return not gave_up


def _is_same(descriptor: int, run: Path) -> bool:
    try:
        here, there = os.fstat(descriptor), os.stat(run / LOCK, follow_symlinks=False)
    except OSError:
        return False
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def _read(descriptor: int) -> dict[str, Any]:
    try:
        process = json.loads(os.pread(descriptor, _MAX_BYTES, 0))
    except (OSError, ValueError, RecursionError):
        return {}
    return process if isinstance(process, dict) else {}


def _write(descriptor: int, process: Mapping[str, Any]) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(process).encode() + b"\n", 0)


def _beat(descriptor: int, ended: threading.Event) -> None:
    while not ended.wait(BEAT_S):
        with suppress(OSError):
            os.utime(descriptor)


_HELD: set[int] = set()


def _release(descriptor: int, ended: threading.Event, thread: threading.Thread) -> None:
    if descriptor not in _HELD:
        return
    ended.set()
    if thread is not threading.current_thread():
        thread.join()
    _HELD.discard(descriptor)
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
    with suppress(OSError):
        os.close(descriptor)


def _leave_to_parent() -> None:
    """A process that was forked off (a loader's worker) must not hold the run when the session is gone."""
    for descriptor in _HELD:
        with suppress(OSError):
            os.close(descriptor)
    _HELD.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)


def _still_going(run: Path, process: Mapping[str, Any]) -> Mistake:
    pid, host = process.get("pid"), process.get("host")
    where = f"in process {pid}" if isinstance(pid, int) else "in another process"
    if isinstance(host, str) and host.isprintable() and host != socket.gethostname():
        where += f" on {host[:64]}"
    if is_suspended(process):
        fix = f"Let that process continue with kill -CONT {pid}, or end it."
        return Mistake(str(run), "the run is still going", f"{where}, which is suspended", fix)
    fix = f"Watch it with torchdeck attach {run.name}, or stop it first."
    return Mistake(str(run), "the run is still going", where, fix)
