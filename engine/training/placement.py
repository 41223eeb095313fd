"""Where the samples of a run are while it trains, and why: on the device, or read ahead in batches."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.data import Dataset
from engine.data.samples import Ragged, Windows
from engine.data.transforming import Transformed
from engine.devices import available_cores, gpu_index
from engine.experiment.document import Data
from engine.free_memory import free_host_memory
from engine.machine import machine
from engine.sizes import size_text

MOST_WORKERS = 8
"""Most processes that read; more would wait for the same disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """How samples reach the device."""

    resident: bool
    """Whether all samples are copied there once, and batches are gathered on the device."""
    workers: int = 0
    """Processes that read them otherwise; 0 is a thread, which is enough where samples are only copied."""
    why: str
    """The reason, as a sentence for the log."""


def place(dataset: Dataset, device: str, data: Data) -> Placement:
    """Place the samples on the device if they fit into the share of its free memory that `data` allows."""
    bytes_ = dataset.description.bytes
    free = free_memory(device)
    room = int(free * data.memory_share)
    samples = len(dataset.train) + len(dataset.validation) + len(dataset.test)
    share = f"{data.memory_share:.0%} of the {size_text(free)} of free memory"
    in_memory = isinstance(dataset.x, (Tensor, Windows, Ragged))
    if in_memory and bytes_ <= room:
        return Placement(
            resident=True,
            why=f"All {samples:,} samples ({size_text(bytes_)} as {dataset.description.stored}) are on {device}, "
            f"within {share}. Batches are gathered there.",
        )
    if in_memory:
        return Placement(
            resident=False,
            why=f"The {samples:,} samples ({size_text(bytes_)}) exceed {share} on {device} "
            "(data.memory_share). Batches are copied to it ahead of the steps.",
        )
    workers = resolve_workers(data.workers, device)
    if isinstance(dataset.x, Transformed) and isinstance(dataset.x.samples, Tensor):
        workers = 0  # The samples are in memory, which processes would have to copy.
    by = f"{workers} processes" if workers > 1 else "a process" if workers else "a thread"
    return Placement(
        resident=False,
        workers=workers,
        why=f"The {samples:,} samples ({size_text(bytes_)} decoded) exceed the memory for samples. They are "
        f"read from their files ahead of the steps, by {by} (data.workers).",
    )


def resolve_workers(requested: int | str, device: str) -> int:
    """Return how many processes read: half the cores with a GPU, a quarter where cores also train, at least one."""
    if isinstance(requested, int):
        return requested
    return max(1, min(MOST_WORKERS, available_cores() // (4 if device == "cpu" else 2)))


def free_memory(device: str) -> int:
    """Return the bytes that are free for samples on a device.

    On a GPU this includes memory that torch has reserved and does not use.
    """
    if device.startswith("cuda"):
        free = machine().gpu_memory(gpu_index(device)).free
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return free_host_memory()
