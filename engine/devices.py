"""The devices that torch can train on here, and what "auto" selects on them. Imports torch when it is first needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.experiment.mistakes import Mistake, Refused, put
from engine.machine import machine

Precision = Literal["float32", "bfloat16", "float16"]

STEP_FLOPS_PER_THREAD = 0.5e9
"""The floating-point operations of one training step that each CPU thread should have.

With fewer, waking the threads for each operation takes as long as they save. And other busy processes can slow a step
of two threads a hundredfold, but not a step of one. See tests/benchmarks/training_speed.py at --threads 1 and 2. It is
a rule, not a measurement at the start of each run, so that two runs with one seed are equal bit for bit.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInfo:
    """One device: its name in torch, its name for people, its memory in bytes (free: None where unknown), and the
    precisions in which autocast can compute there."""

    device: str
    name: str
    memory_bytes: int
    free_bytes: int | None
    precisions: tuple[Precision, ...]
    note: str = ""


def devices() -> tuple[DeviceInfo, ...]:
    """List the devices that torch can train on here, the one that "auto" selects first."""
    here = machine()
    found = []
    for i in range(here.gpus()):
        gpu, memory = here.gpu(i), here.gpu_memory(i)
        found.append(
            DeviceInfo(
                device=f"cuda:{i}",
                name=gpu.name,
                memory_bytes=memory.total,
                free_bytes=memory.free,
                precisions=("float32", "bfloat16", "float16") if gpu.bfloat16 else ("float32", "float16"),
                note=f"compute capability {'.'.join(map(str, gpu.capability))}",
            )
        )
    memory = here.memory()
    if here.has_mps():
        found.append(
            DeviceInfo(
                device="mps",
                name="Apple GPU",
                memory_bytes=memory.total,
                free_bytes=memory.free,
                precisions=("float32", "bfloat16", "float16"),
                note="shares the machine's memory",
            )
        )
    found.append(
        DeviceInfo(
            device="cpu",
            name=here.cpu_name(),
            memory_bytes=memory.total,
            free_bytes=memory.free,
            precisions=("float32", "bfloat16"),
            note=f"{here.cores()} cores",
        )
    )
    return tuple(found)


def resolve_device(requested: str) -> str:
    """The device that `training.device` selects here: "auto" prefers CUDA to MPS, and MPS to the CPU.

    Raises:
        Refused: there is no such device.
    """
    cuda, mps = machine().gpus(), machine().has_mps()
    if requested == "auto":
        return "cuda:0" if cuda else "mps" if mps else "cpu"
    kind, _, index = requested.partition(":")
    there = {"cpu": True, "mps": mps, "cuda": int(index or 0) < cuda}[kind]
    if there:
        return f"cuda:{int(index or 0)}" if kind == "cuda" else kind
    have = [f"cuda:{i}" for i in range(cuda)] + ["mps"] * mps + ["cpu"]
    raise Refused(
        Mistake(
            "training.device",
            f"torch cannot use a device {requested} here",
            f"it can use {', '.join(have)}",
            'Write "auto", or run `torchdeck devices`.',
            remedy=put("auto"),
        )
    )


def resolve_precision(amp: str, device: str) -> Precision:
    """The type in which the forward pass computes for `training.amp` on `device`, a result of `resolve_device`.

    "auto" is bfloat16 on a GPU that has it in hardware, float16 on an older one, and float32 on a CPU and on MPS.

    Raises:
        Refused: the device does not support the requested type.
    """
    if amp == "off":
        return "float32"
    if device.startswith("cuda"):
        if amp == "auto":
            return "bfloat16" if in_hardware("bfloat16", device) else "float16"
        return "float16" if amp == "float16" else "bfloat16"
    if amp == "auto":
        return "float32"
    if amp == "float16" and device == "cpu":
        raise Refused(
            Mistake(
                "training.amp",
                "float16 is not supported on the cpu",
                "it overflows there, and is slower than float32",
                'Use "bfloat16" or "off".',
                remedy=put("bfloat16"),
            )
        )
    return "float16" if amp == "float16" else "bfloat16"


def in_hardware(precision: Precision, device: str) -> bool:
    """Whether a device has hardware to multiply matrices of that type; else it emulates them, which is not faster."""
    if precision == "float32" or device == "mps":
        return True
    if device.startswith("cuda"):
        return machine().gpu(gpu_index(device)).capability >= ((8, 0) if precision == "bfloat16" else (7, 0))
    return precision == "bfloat16" and bool({"avx512_bf16", "amx_bf16", "bf16"} & machine().cpu_flags())


def scales_gradients(precision: Precision) -> bool:
    """Whether training needs a GradScaler, since small gradients would become 0 in float16."""
    return precision == "float16"


def resolve_threads(requested: int | str, step_flops: float) -> int:
    """The number of CPU threads within an operation for `training.threads`.

    Args:
        step_flops: floating-point operations of one training step: forward and backward of a whole batch.
    """
    if isinstance(requested, int):
        return max(1, requested)
    threads = int(step_flops / STEP_FLOPS_PER_THREAD)
    return max(1, min(available_cores(), threads)) if threads > 1 else 1


def available_cores() -> int:
    """The number of physical cores that this process may use."""
    return machine().cores()


def gpu_index(device: str) -> int:
    """The index of a CUDA device by its name in torch; "cuda" is the first."""
    return int(device.partition(":")[2] or 0)
