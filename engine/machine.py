"""The machine that this process runs on: its CPU, cores, memory and GPUs.

Everything that the program shows or decides by the machine comes from `machine()`. So a test can describe a machine,
and its result is the same on every one.
"""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """A CUDA device: its name, its compute capability, and whether torch computes in bfloat16 there."""

    name: str
    capability: tuple[int, int]
    bfloat16: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The size of a memory in bytes: total and free."""

    total: int
    free: int


class Machine:
    """The real machine. The methods about GPUs import torch."""

    def cpu_name(self) -> str:
        """The name of the CPU."""
        return _cpu_info("model name") or platform.processor() or platform.machine()

    def cpu_flags(self) -> frozenset[str]:
        """The features of the CPU; empty where unknown, as on other systems than Linux."""
        return frozenset((_cpu_info("flags") or _cpu_info("Features")).split())

    def cores(self) -> int:
        """The number of physical cores that this process may use by its affinity mask."""
        import psutil

        try:
            allowed = len(os.sched_getaffinity(0))
        except AttributeError:
            allowed = os.cpu_count() or 1
        return max(1, min(allowed, psutil.cpu_count(logical=False) or allowed))

    def memory(self) -> Memory:
        """The memory of the machine."""
        import psutil

        found = psutil.virtual_memory()
        return Memory(total=found.total, free=found.available)

    def left_in_container(self) -> int:
        """Bytes left below the memory limit of this process's control group; a huge number where there is no limit."""
        try:
            with open("/sys/fs/cgroup/memory.max") as limit, open("/sys/fs/cgroup/memory.current") as used:
                return max(0, int(limit.read()) - int(used.read()))
        except (OSError, ValueError):
            return 1 << 62

    def shared_memory_room(self) -> int:
        """Bytes free in the shared memory by which processes pass batches; a huge number where it has no limit."""
        try:
            status = os.statvfs("/dev/shm")
        except OSError:
            return 1 << 62
        return status.f_bavail * status.f_frsize

    def free_disk(self, folder: Path) -> int:
        """Bytes free on the disk of a folder.

        Raises:
            OSError: the folder does not exist.
        """
        return shutil.disk_usage(folder).free

    def gpus(self) -> int:
        """The number of CUDA devices that torch can use."""
        import torch

        return torch.cuda.device_count() if torch.cuda.is_available() else 0

    def gpu(self, index: int) -> Gpu:
        """The properties of a CUDA device."""
        import torch

        return Gpu(
            name=torch.cuda.get_device_name(index),
            capability=torch.cuda.get_device_capability(index),
            bfloat16=torch.cuda.is_bf16_supported(),
        )

    def gpu_memory(self, index: int) -> Memory:
        """The memory of a CUDA device. This creates a context there."""
        import torch

        free, total = torch.cuda.mem_get_info(index)
        return Memory(total=total, free=free)

    def has_mps(self) -> bool:
        """Whether torch can use an Apple GPU."""
        import torch

        return torch.backends.mps.is_available()


_machine = Machine()


def machine() -> Machine:
    """The machine that this process runs on."""
    return _machine


@lru_cache(maxsize=8)
def _cpu_info(name: str) -> str:
    """The value of a name for the first CPU in Linux's /proc/cpuinfo."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
            for line in cpuinfo:
                if line.startswith(name):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return ""
