"""How much memory of the machine, or of the container, is free."""

from __future__ import annotations

import psutil


def free_host_memory() -> int:
    """Bytes that are free for samples; in a container no more than its limit leaves."""
    return min(psutil.virtual_memory().available, _left_in_container())


def _left_in_container() -> int:
    """Bytes below the memory limit of the control group that this process is in; very many where there is none."""
    try:
        with open("/sys/fs/cgroup/memory.max") as limit, open("/sys/fs/cgroup/memory.current") as used:
            return max(0, int(limit.read()) - int(used.read()))
    except (OSError, ValueError):
        return 1 << 62
