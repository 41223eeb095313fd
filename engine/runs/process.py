"""Which process a run belongs to, in terms that still hold when its process id was given to another process."""

from __future__ import annotations

import functools
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

# The boot time that start times are counted from moves when the clock is set.
_TOLERANCE_S = 2.0


def this_process() -> dict[str, Any]:
    """What a run records of the process that trains it: pid, host, process table, start in seconds since the epoch."""
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "process_table": _process_table(),
        "process_started": psutil.Process().create_time(),
    }


def is_visible(recorded: Mapping[str, Any]) -> bool:
    """Whether the recorded process, while it runs, is in the process table that this process sees.

    Hosts may share a name, as cloned machines do, and a container has a process table of its own.
    """
    table = recorded.get("process_table")  # versions up to 0.1.0 did not record it
    return recorded.get("host") == socket.gethostname() and table in (None, _process_table())


def is_alive(recorded: Mapping[str, Any]) -> bool | None:
    """Whether the recorded process still runs; None where this process cannot see it."""
    if not is_visible(recorded):
        return None
    return _find(recorded) is not None


def is_suspended(recorded: Mapping[str, Any]) -> bool:
    """Whether the recorded process is stopped by a signal (SIGSTOP, Ctrl-Z), as far as this process can see."""
    process = _find(recorded) if is_visible(recorded) else None
    try:
        return process is not None and process.status() == psutil.STATUS_STOPPED
    except psutil.Error:
        return False


def _find(recorded: Mapping[str, Any]) -> psutil.Process | None:
    """The process with that id, if it also started when the record says."""
    pid, started = recorded.get("pid"), recorded.get("process_started")
    if not isinstance(pid, int) or not isinstance(started, (int, float)) or pid <= 0:
        return None
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) <= _TOLERANCE_S and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OverflowError):
        return None
    return process if same else None


@functools.cache
def _process_table() -> str:
    """Tells this process table from others: the boot, and on Linux the namespace of process ids."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}:{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return ""
