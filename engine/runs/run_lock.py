"""The lock of a run: one process at a time trains it, and no process removes it meanwhile.

    lock      has an exclusive flock; names the process (host, process table, pid, start); its modification time is the
              heartbeat

If the file is locked, the run is active. If it is not, that proves little, since some network file systems grant every
lock, have none, or do not answer. So the process that takes the lock tries whether it excludes a second one, and
records that. If this process can see the recorded process, the run is active as long as that one runs; if it cannot
(another host, container or boot), the heartbeat decides.
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
from engine.runs import flock
from engine.runs.process import is_alive, is_suspended, this_process

LOCK = "lock"

BEAT_S = 3.0
"""Seconds between two heartbeats."""

SILENT_AFTER_S = 60.0
"""A process that cannot be seen counts as exited after so long without a heartbeat. Clocks of hosts differ a little."""

_RETRY_S = 0.5
"""A process that checks the lock has it for an instant, so taking it is tried again for this long."""
_SETTLED_S = 0.2
"""Without flock, two processes that take a run both write their names, and after this long both read the last one."""
_MAX_BYTES = 4096


class RunLock:
    """The lock of a run, taken by this process until `release` or its end. It has a heartbeat every few seconds.

    Raises:
        Refused: another process has the lock.
        OSError: the run's folder cannot be written to.
    """

    def __init__(self, run: Path) -> None:
        descriptor = _open_lock(run)
        try:
            locked = _lock(descriptor, run)
            other = _read(descriptor)
            if _is_active(other, os.fstat(descriptor).st_mtime, locks_work=locked):
                raise Refused(_still_active(run, other))
            try:
                _write(descriptor, {**this_process(), "flock": locked})
            except OSError:
                if not locked:  # else the name is only for people, and a run can be removed on a full disk
                    raise
            if not locked:
                time.sleep(_SETTLED_S)
                other = _read(descriptor)
                if other.get("pid") != os.getpid():
                    raise Refused(_still_active(run, other))
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        _LOCKED.add(descriptor)
        self._ended = threading.Event()
        # A separate thread, since one step of training may take longer than a heartbeat.
        self._thread = threading.Thread(target=_beat, args=(descriptor, self._ended), name="heartbeat", daemon=True)
        self._thread.start()
        self._release = weakref.finalize(self, _release, descriptor, self._ended, self._thread)

    def stop_heartbeat(self) -> None:
        """Stop the heartbeat: what is written from now on is newer than the last one."""
        self._ended.set()
        self._thread.join()

    def release(self) -> None:
        """Give up the lock."""
        self._release()

    def is_missing_from(self, run: Path) -> bool:
        """Whether the locked file is no longer in that folder, which was deleted or moved."""
        try:
            os.stat(run / LOCK, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False  # unknown, for example when a network file system does not answer
        return not _is_same(self._descriptor, run)


def lock_holder(run: Path) -> dict[str, Any] | None:
    """The record of the process that has the lock of a run, which may be incomplete; None for no process. Never raises.

    `heartbeat` is the time of its last heartbeat, in seconds since the epoch.
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
        free = flock.is_free(descriptor)
        if free is False or _is_active(process, status.st_mtime, locks_work=free is not None):
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
    """Lock the file exclusively; False where locks do not work on this file system."""
    gives_up_at = time.monotonic() + _RETRY_S
    while (locked := flock.try_exclusive(descriptor)) is False:
        if time.monotonic() >= gives_up_at:
            raise Refused(_still_active(run, _read(descriptor)))
        time.sleep(0.01)
    if locked is None:
        return False
    if not _is_same(descriptor, run):
        found = "the run was just removed"
        raise Refused(Mistake(str(run), found, "", "List the other runs with `torchdeck runs`."))
    return flock.excludes(run / LOCK)


def _is_active(process: Mapping[str, Any], heartbeat: float, *, locks_work: bool) -> bool:
    """Whether the recorded process still trains, though its lock is not seen.

    Args:
        heartbeat: the time of its last heartbeat, in seconds since the epoch.
    """
    if not process:
        return False
    recent = time.time() - heartbeat < SILENT_AFTER_S
    match is_alive(process):
        case None:
            return recent
        case False:
            return False
    # It has no lock although locks work here: it gave up the run, and could not record that.
    gave_up = locks_work and bool(process.get("flock")) and not recent and not is_suspended(process)
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


_LOCKED: set[int] = set()


def _release(descriptor: int, ended: threading.Event, thread: threading.Thread) -> None:
    if descriptor not in _LOCKED:
        return
    ended.set()
    if thread is not threading.current_thread():
        thread.join()
    _LOCKED.discard(descriptor)
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
    with suppress(OSError):
        os.close(descriptor)


def _leave_to_parent() -> None:
    """Give up the lock in a forked process (a loader's worker), which may outlive the session."""
    for descriptor in _LOCKED:
        with suppress(OSError):
            os.close(descriptor)
    _LOCKED.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)


def _still_active(run: Path, process: Mapping[str, Any]) -> Mistake:
    pid, host = process.get("pid"), process.get("host")
    where = f"in process {pid}" if isinstance(pid, int) else "in another process"
    if isinstance(host, str) and host.isprintable() and host != socket.gethostname():
        where += f" on {host[:64]}"
    if is_suspended(process):
        fix = f"Continue that process with `kill -CONT {pid}`, or end it."
        return Mistake(str(run), "the run is still active", f"{where}, which is suspended", fix)
    fix = f"Watch it with `torchdeck attach {run.name}`, or stop it first."
    return Mistake(str(run), "the run is still active", where, fix)
