"""What there is to train on, and what "auto" comes to there. Imports torch when first asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.experiment.mistakes import Mistake, Refused, put
from engine.machine import machine

Precision = Literal["float32", "bfloat16", "float16"]

STEP_FLOPS_PER_THREAD = 0.5e9
"""Work of one training step, in floating-point operations, that each CPU thread should have.

With less, waking the threads for each operation costs what they gain; and one thread is immune to a busy neighbour,
which slows a step of two threads a hundredfold. See tests/benchmarks/training_speed.py at --threads 1 and 2. It is a
rule, not a measurement at the start of each run, so that two runs with one seed give the same bits.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInfo:
    """One device: its torch name, what it is called, memory in bytes (free: None where it cannot be told), precisions
    that autocast can compute in there."""

    device: str
    name: str
    memory_bytes: int
    free_bytes: int | None
    precisions: tuple[Precision, ...]
    note: str = ""


def devices() -> tuple[DeviceInfo, ...]:
    """Every device that torch can train on here, the one that "auto" takes first."""
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


def resolve_device(wanted: str) -> str:
    """The device that `training.device` means here: "auto" takes CUDA before MPS before the CPU.

    Raises:
        Refused: there is no such device.
    """
    cuda, mps = machine().gpus(), machine().has_mps()
    if wanted == "auto":
        return "cuda:0" if cuda else "mps" if mps else "cpu"
    kind, _, index = wanted.partition(":")
    there = {"cpu": True, "mps": mps, "cuda": int(index or 0) < cuda}[kind]
    if there:
        return f"cuda:{int(index or 0)}" if kind == "cuda" else kind
    have = [f"cuda:{i}" for i in range(cuda)] + ["mps"] * mps + ["cpu"]
    raise Refused(
        Mistake(
            "training.device",
            f"there is no {wanted} that torch can use here",
            f"there is {', '.join(have)}",
            "Write auto, or see torchdeck devices.",
            remedy=put("auto"),
        )
    )


def resolve_precision(amp: str, device: str) -> Precision:
    """The type that the forward pass computes in for `training.amp` on `device` (a name as `resolve_device` gives it).

    "auto" is bfloat16 on a GPU that has it in hardware, float16 on an older one, float32 on a CPU and on MPS.

    Raises:
        Refused: the device cannot compute in what was asked for.
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
                "float16 was asked for on the cpu",
                "there it overflows and is slower than float32",
                'Write amp = "bfloat16", or "off".',
                remedy=put("bfloat16"),
            )
        )
    return "float16" if amp == "float16" else "bfloat16"


def in_hardware(precision: Precision, device: str) -> bool:
    """Whether a device multiplies matrices of that type itself, and so gains by it; else they are emulated."""
    if precision == "float32" or device == "mps":
        return True
    if device.startswith("cuda"):
        return machine().gpu(gpu_index(device)).capability >= ((8, 0) if precision == "bfloat16" else (7, 0))
    return precision == "bfloat16" and bool({"avx512_bf16", "amx_bf16", "bf16"} & machine().cpu_flags())


def scales_gradients(precision: Precision) -> bool:
    """Whether a GradScaler is needed: the small gradients of float16 would be lost."""
    return precision == "float16"


def resolve_threads(wanted: int | str, step_flops: float) -> int:
    """CPU threads inside an operation for `training.threads`.

    Args:
        step_flops: work of one training step (forward and backward, a whole batch), in floating-point operations.
    """
    if isinstance(wanted, int):
        return max(1, wanted)
    threads = int(step_flops / STEP_FLOPS_PER_THREAD)
    return max(1, min(available_cores(), threads)) if threads > 1 else 1


def available_cores() -> int:
    """Physical cores that this process may run on."""
    return machine().cores()


def gpu_index(device: str) -> int:
    """The number of a CUDA device in its torch name; "cuda" is the first."""
    return int(device.partition(":")[2] or 0)
