"""The free memory of the machine or the container."""

from __future__ import annotations

from engine.machine import machine


def free_host_memory() -> int:
    """Bytes of memory that are free for samples, within the limit of a container."""
    here = machine()
    return min(here.memory().free, here.left_in_container())
