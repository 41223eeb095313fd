"""The machine that tests see instead of the real one: small, without a GPU, always the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.machine import Gpu, Machine, Memory

HOST_MEMORY = Memory(total=16 << 30, free=9 << 30)


@dataclass(frozen=True, kw_only=True)
class DescribedMachine(Machine):
    """A machine described by its fields."""

    name: str = "Some CPU"
    flags: frozenset[str] = frozenset({"avx512_bf16"})
    core_count: int = 2
    host_memory: Memory = HOST_MEMORY
    container_left: int = 1 << 62
    shared_memory: int = 8 << 30
    disk: int = 100 << 30
    cuda: tuple[tuple[Gpu, Memory], ...] = ()
    mps: bool = False

    def cpu_name(self) -> str:
        return self.name

    def cpu_flags(self) -> frozenset[str]:
        return self.flags

    def cores(self) -> int:
        return self.core_count

    def memory(self) -> Memory:
        return self.host_memory

    def left_in_container(self) -> int:
        return self.container_left

    def shared_memory_room(self) -> int:
        return self.shared_memory

    def free_disk(self, folder: Path) -> int:
        return self.disk

    def gpus(self) -> int:
        return len(self.cuda)

    def gpu(self, index: int) -> Gpu:
        return self.cuda[index][0]

    def gpu_memory(self, index: int) -> Memory:
        return self.cuda[index][1]

    def has_mps(self) -> bool:
        return self.mps
