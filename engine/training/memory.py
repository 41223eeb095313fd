"""The memory of a run: how much the process has reserved, how it is released, and how torch reports that it is short.

torch is imported where it is used: the deck sets up the allocator before it has loaded torch.
"""

from __future__ import annotations

import ctypes
import gc
import sys

import psutil

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -3, -4, -8


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error reports a lack of memory, as torch's allocators and Python word it."""
    import torch

    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(
        sign in str(error) for sign in ("can't allocate memory", "std::bad_alloc", "out of memory")
    )


def reserved_memory(device: str) -> int:
    """Return the bytes that this process has reserved for tensors, used or cached; on a CPU, its resident set."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.memory_reserved(device)
    if device == "mps":
        return torch.mps.driver_allocated_memory()
    resident: int = psutil.Process().memory_info().rss
    return resident


def empty_caches(device: str) -> None:
    """Release the memory that torch caches for later tensors, so that other processes can use it."""
    import torch

    gc.collect()
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()


def keep_freed_memory() -> bool:
    """Make glibc's allocator keep freed memory. Call it before the first tensor. False where it is not glibc's.

    By default glibc returns a step's large buffers to the kernel, and the next step faults them in again: a third of
    the time of a step of a medium CNN or LSTM. The price is that memory, once used, stays with the process.

    It uses one arena, because the arena of a thread other than the first cannot grow beyond 64 MiB without a new
    mapping, and the engine is such a thread.
    """
    return _set_allocator({_M_ARENA_MAX: 1, _M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: -1, _M_TOP_PAD: 64 << 20})


def release_freed_memory() -> bool:
    """Release the memory that glibc's allocator kept, and keep no more. Slower: for when memory is short.

    Kept memory fragments over time, so that a large buffer may find no room although enough bytes are free.
    """
    if not _set_allocator(
        {_M_MMAP_MAX: 1 << 16, _M_MMAP_THRESHOLD: 1 << 20, _M_TRIM_THRESHOLD: 1 << 20, _M_TOP_PAD: 0}
    ):
        return False
    ctypes.CDLL(None).malloc_trim(0)
    return True


def _set_allocator(settings: dict[int, int]) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return all(mallopt(name, value) == 1 for name, value in settings.items())
