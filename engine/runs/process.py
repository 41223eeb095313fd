"""Which process a run belongs to, told in a way that still holds when its number has been given to another one."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any

import psutil

# The boot time that start times are counted from moves when the clock is set.
_TOLERANCE_S = 2.0


def this_process() -> dict[str, Any]:
    """What `environment.json` says of the process that trains: pid, host, and start in seconds since the epoch."""
    return {"pid": os.getpid(), "host": socket.gethostname(), "process_started": psutil.Process().create_time()}


def is_alive(environment: Mapping[str, Any]) -> bool | None:
    """Whether the process that wrote `environment` still runs; None when it is on another host, and cannot be seen."""
    pid, host, started = (environment.get(key) for key in ("pid", "host", "process_started"))
    if not isinstance(pid, int) or not isinstance(started, (int, float)) or pid <= 0:
        return False
    if host != socket.gethostname():
        return None
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) <= _TOLERANCE_S and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OverflowError):
        return False
