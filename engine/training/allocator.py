"""glibc's allocator, told to keep what a step frees.

By default it gives a step's large buffers back to the kernel and faults them in again at the next step: a third of the
time of a middling CNN or LSTM step. The price is that memory, once used, stays with the process.
"""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -3, -4, -8


def keep_freed_memory() -> bool:
    """Make the allocator keep freed memory; to be called before the first tensor. False where it is not glibc's.

    One arena, because that of a thread other than the first cannot grow beyond 64 MiB without a new mapping, and the
    engine is such a thread.
    """
    return _set({_M_ARENA_MAX: 1, _M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: -1, _M_TOP_PAD: 64 << 20})


def give_freed_memory_back() -> bool:
    """Make the allocator give freed memory back from now on, and what it has kept: slower, for when memory is short.

    Kept memory is in pieces by and by, so that a large buffer finds no room though there is enough.
    """
    if not _set({_M_MMAP_MAX: 1 << 16, _M_MMAP_THRESHOLD: 1 << 20, _M_TRIM_THRESHOLD: 1 << 20, _M_TOP_PAD: 0}):
        return False
    ctypes.CDLL(None).malloc_trim(0)
    return True


def _set(settings: dict[int, int]) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return all(mallopt(name, value) == 1 for name, value in settings.items())
