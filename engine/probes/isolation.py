"""Work that leaves no trace: the global state of torch, NumPy and Python is restored afterwards."""

from __future__ import annotations

import random
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor


class Isolated:
    """A context with its own global state, which can be entered any number of times.

    Inside, random generators continue from where the context was last left; outside, nothing changes. So a probe may
    stop between any two steps, and a run that starts in between gets the random numbers that it would get without it.

    The state consists of the generators of torch (the CPU's, and those of all devices in use), NumPy and Python; the
    number of threads; the default dtype; whether gradients are recorded; deterministic algorithms; cuDNN's flags.
    """

    def __init__(self, device: str = "cpu") -> None:
        """`device` is the device that the work uses in addition to the CPU."""
        self._device = device
        self._inside: _Globals | None = None
        self._outside = _get_globals(device)

    def __enter__(self) -> None:
        self._outside = _get_globals(self._device)
        if self._inside is not None:
            _set_globals(self._inside)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._inside = _get_globals(self._device)
        _set_globals(self._outside)


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


def _get_globals(device: str) -> _Globals:
    # CUDA has no state to save before its first use, unless the probe is about to use it.
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


def _set_globals(saved: _Globals) -> None:
    torch.set_rng_state(saved.cpu)
    if saved.cuda:
        torch.cuda.set_rng_state_all(saved.cuda)
    if saved.mps is not None:
        torch.mps.set_rng_state(saved.mps)
    np.random.set_state(saved.numpy)
    random.setstate(saved.python)
    torch.set_num_threads(saved.threads)
    torch.set_default_dtype(saved.dtype)
    torch.set_grad_enabled(saved.grad)
    now = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    if now != (saved.deterministic, saved.warn_only):  # setting it imports torch's compiler, which takes seconds
        torch.use_deterministic_algorithms(saved.deterministic, warn_only=saved.warn_only)
    torch.set_float32_matmul_precision(saved.matmul)
    flags = torch.backends.cudnn
    flags.enabled, flags.benchmark, flags.deterministic = saved.cudnn
