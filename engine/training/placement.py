"""Where the samples of a run lie while it trains, and why: on the device, or read in batches ahead of it."""

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
"""Beyond this many, processes that read wait for one disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """How samples get to the device."""

    resident: bool
    """Whether all of them are put there once, and batches are gathered where they lie."""
    workers: int = 0
    """Processes that read them otherwise; 0 is a thread, which is enough where they only have to be copied."""
    why: str
    """A sentence for the log."""


def place(dataset: Dataset, device: str, data: Data) -> Placement:
    """Put what fits into the share of the device's free memory that `data` gives to samples on the device."""
    bytes_ = dataset.description.bytes
    free = free_memory(device)
    room = int(free * data.memory_share)
    samples = len(dataset.train) + len(dataset.validation) + len(dataset.test)
    share = f"{data.memory_share:.0%} of the {size_text(free)} that are free"
    in_memory = isinstance(dataset.x, (Tensor, Windows, Ragged))
    if in_memory and bytes_ <= room:
        return Placement(
            resident=True,
            why=f"All {samples:,} samples ({size_text(bytes_)} as {dataset.description.stored}) lie on {device}, "
            f"within {share}; batches are gathered there.",
        )
    if in_memory:
        return Placement(
            resident=False,
            why=f"The {samples:,} samples ({size_text(bytes_)}) are more than {share} on {device} "
            "(data.memory_share): batches are copied to it ahead of the steps.",
        )
    workers = resolve_workers(data.workers, device)
    if isinstance(dataset.x, Transformed) and isinstance(dataset.x.samples, Tensor):
        workers = 0  # They lie in memory, which processes would have to copy.
    by = f"{workers} processes" if workers > 1 else "a process" if workers else "a thread"
    return Placement(
        resident=False,
        workers=workers,
        why=f"The {samples:,} samples ({size_text(bytes_)} decoded) are read from their files by {by} (data.workers) "
        f"ahead of the steps: they are more than is kept in memory.",
    )


def resolve_workers(wanted: int | str, device: str) -> int:
    """Processes that read: half the cores beside a GPU's work, a quarter where the cores train too, at least one."""
    if isinstance(wanted, int):
        return wanted
    return max(1, min(MOST_WORKERS, available_cores() // (4 if device == "cpu" else 2)))


def free_memory(device: str) -> int:
    """Bytes that are free for samples on a device.

    On a GPU, memory that torch has reserved and does not use is free as well.
    """
    if device.startswith("cuda"):
        free = machine().gpu_memory(gpu_index(device)).free
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return free_host_memory()
