"""The memory of a run's device: how much of it this process holds, how it is given back, how torch says it is short."""

from __future__ import annotations

import gc

import psutil
import torch


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there is no more memory, as torch's allocators and Python say it."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(
        sign in str(error) for sign in ("can't allocate memory", "std::bad_alloc", "out of memory")
    )


def held_memory(device: str) -> int:
    """Bytes that this process holds for tensors, in use or kept for later; of a CPU, all that is resident."""
    if device.startswith("cuda"):
        return torch.cuda.memory_reserved(device)
    if device == "mps":
        return torch.mps.driver_allocated_memory()
    resident: int = psutil.Process().memory_info().rss
    return resident


def empty_caches(device: str) -> None:
    """Give what torch keeps for later tensors back to the device, which other processes may want."""
    gc.collect()
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()
