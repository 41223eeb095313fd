"""Work that leaves no trace: what is global in torch, NumPy and Python is put back as it was."""

from __future__ import annotations

import random
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor


class Aside:
    """A context that may be entered again and again: inside it the process is the probe's, outside it the caller's.

    Random generators go on inside where they were when it was left last; outside nothing has happened. So a probe may
    stop between any two steps, or be forgotten there, and a run begun in between gets the numbers that it would have
    got.

    It covers the generators of torch (the CPU's, and of every device that is in use), NumPy and Python; the number of
    threads; the default dtype; whether gradients are recorded; deterministic algorithms and the flags of cuDNN.
    """

    def __init__(self, device: str = "cpu") -> None:
        """`device` is what the work uses beside the CPU."""
        self._device = device
        self._ours: _Globals | None = None
        self._theirs: _Globals | None = None

    def __enter__(self) -> None:
        self._theirs = _read(self._device)
        if self._ours is not None:
            _write(self._ours)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ours = _read(self._device)
        assert self._theirs is not None
        _write(self._theirs)


@dataclass(frozen=True, slots=True)
class _Globals:
    cpu: Tensor
    cuda: tuple[Tensor, ...]
    mps: Tensor | None
    numpy: Any
    python: Any
    threads: int
    dtype: torch.dtype
    grad: bool
    deterministic: bool
    warn_only: bool
    matmul: str
    cudnn: tuple[bool, bool, bool]


def _read(device: str) -> _Globals:
    # A CUDA that nobody has used yet has no state to keep, unless the probe itself is about to use it.
    cuda = device.startswith("cuda") or torch.cuda.is_initialized()
    return _Globals(
        cpu=torch.get_rng_state(),
        cuda=tuple(torch.cuda.get_rng_state_all()) if cuda else (),
        mps=torch.mps.get_rng_state() if device == "mps" else None,
        numpy=np.random.get_state(),
        python=random.getstate(),
        threads=torch.get_num_threads(),
        dtype=torch.get_default_dtype(),
        grad=torch.is_grad_enabled(),
        deterministic=torch.are_deterministic_algorithms_enabled(),
        warn_only=torch.is_deterministic_algorithms_warn_only_enabled(),
        matmul=torch.get_float32_matmul_precision(),
        cudnn=(torch.backends.cudnn.enabled, torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
    )


def _write(found: _Globals) -> None:
    torch.set_rng_state(found.cpu)
    if found.cuda:
        torch.cuda.set_rng_state_all(found.cuda)
    if found.mps is not None:
        torch.mps.set_rng_state(found.mps)
    np.random.set_state(found.numpy)
    random.setstate(found.python)
    torch.set_num_threads(found.threads)
    torch.set_default_dtype(found.dtype)
    torch.set_grad_enabled(found.grad)
    now = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    if now != (found.deterministic, found.warn_only):  # to set it imports torch's compiler, which takes seconds
        torch.use_deterministic_algorithms(found.deterministic, warn_only=found.warn_only)
    torch.set_float32_matmul_precision(found.matmul)
    flags = torch.backends.cudnn
    flags.enabled, flags.benchmark, flags.deterministic = found.cudnn
