"""The process that trains a run, identified so that a reused process id is not mistaken for it."""

from __future__ import annotations

import functools
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

# Start times are counted from the boot time, which changes when the clock is set.
_TOLERANCE_S = 2.0


def this_process() -> dict[str, Any]:
    """The record of this process: pid, host, process table, and start in seconds since the epoch."""
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "process_table": _process_table(),
        "process_started": psutil.Process().create_time(),
    }


def is_visible(recorded: Mapping[str, Any]) -> bool:
    """Whether this process could see the recorded one in its process table, if it still runs.

    Cloned machines share a host name, and a container has its own process table.
    """
    table = recorded.get("process_table")  # versions up to 0.1.0 did not record it
    return recorded.get("host") == socket.gethostname() and table in (None, _process_table())


def is_alive(recorded: Mapping[str, Any]) -> bool | None:
    """Whether the recorded process still runs; None where this process cannot see it."""
    if not is_visible(recorded):
        return None
    return _find(recorded) is not None


def is_suspended(recorded: Mapping[str, Any]) -> bool:
    """Whether the recorded process is known to be stopped by a signal (SIGSTOP, Ctrl-Z)."""
    process = _find(recorded) if is_visible(recorded) else None
    try:
        return process is not None and process.status() == psutil.STATUS_STOPPED
    except psutil.Error:
        return False


def _find(recorded: Mapping[str, Any]) -> psutil.Process | None:
    """The process with the recorded id, if it started at the recorded time."""
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
    """An identifier of this process table: the boot, and on Linux the namespace of process ids."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}:{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return ""
