"""Draws of augmentations, apart from torch's own generator: that one is the whole process's, and a run's dropout's.

What a batch draws is a pure function of seed, epoch and its place in the epoch, so that there is nothing to restore;
and looking at augmented samples beside a run that trains changes no bit of it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode


def draws_of(seed: int, epoch: int, batch: int) -> torch.Generator:
    """The generator that a batch of an epoch is augmented by."""
    return torch.Generator().manual_seed(((seed * 1_000_003 + epoch) * 1_000_003 + batch) % 2**63)


class drawing_from(TorchFunctionMode):
    """Within it, and in this thread alone, what torch draws on the CPU comes from a generator.

    torchvision's transforms take no generator: they ask torch for numbers, and that is where this steps in.
    """

    _DRAWS = frozenset(
        {"rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial", "_sample_dirichlet"}
        | {"uniform_", "normal_", "bernoulli_", "random_", "exponential_"}
    )

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.generator = generator

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in self._DRAWS and kwargs.get("generator") is None:
            kwargs = kwargs | {"generator": self.generator}
        return func(*args, **kwargs)
