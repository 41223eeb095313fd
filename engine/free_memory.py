"""How much memory of the machine, or of the container, is free."""

from __future__ import annotations

from engine.machine import machine


def free_host_memory() -> int:
    """Bytes that are free for samples; in a container no more than its limit leaves."""
    here = machine()
    return min(here.memory().free, here.left_in_container())
