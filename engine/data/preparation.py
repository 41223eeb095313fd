"""Turns a stored batch into the network's input on its device: augmented, scaled, as float32 or int64.

N batch, C channels, H W, T time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

Augmentation = Callable[[Tensor], Tensor]
"""Maps a batch (N, …) in its stored dtype to one of the same dtype and shape; each sample gets its own random draws.
It draws on the CPU, so that a seed gives the same result on every device."""

LARGEST = 255


@lru_cache(maxsize=8)
def _by_channel(values: tuple[float, ...], device: torch.device) -> Tensor:
    """(C, 1, 1) on a device; cached, since each copy to the device would delay a batch."""
    with torch.inference_mode(False):  # it may be created in validation and used in training
        return torch.tensor(values, dtype=torch.float32, device=device).view(-1, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """How each batch is prepared. By default, only its dtype changes."""

    mean: tuple[float, ...] = ()
    """Mean of each channel, of pixels from 0 to 1; empty if they are not standardised."""
    std: tuple[float, ...] = ()
    augmentations: tuple[Augmentation, ...] = ()
    """Applied in order, to training batches only."""

    def __call__(self, x: Tensor, *, draws: torch.Generator | None = None) -> Tensor:
        """Prepare a batch (N, …); with `draws` it is augmented first. Strides, such as channels last, are preserved."""
        return self.scaled(x if draws is None else self.augmented(x, draws))

    def augmented(self, x: Tensor, draws: torch.Generator) -> Tensor:
        """Augment a batch (N, …) in its stored dtype; each sample gets its own draws."""
        if self.augmentations:
            with drawing_from(draws):
                for augmentation in self.augmentations:
                    x = augmentation(x)
        return x

    def scaled(self, x: Tensor) -> Tensor:
        """Convert a stored batch (N, …) to the network's input dtype, scaled and standardised."""
        if x.dtype is torch.float32:
            return x
        if x.ndim != 4 or x.dtype is not torch.uint8:
            return x.long()
        if not self.mean:
            return x.float().div_(LARGEST)
        mean, std = (_by_channel(values, x.device) for values in (self.mean, self.std))
        return x.float().sub_(mean * LARGEST).div_(std * LARGEST)

    def with_statistics(self, images: Iterable[Tensor], channels: int) -> Preparation:
        """A copy that standardises by the statistics of training batches (N, C, H, W) of uint8.

        They are computed from counts of each value: exact for any order and batch size.
        """
        counts = torch.zeros(channels, LARGEST + 1, dtype=torch.int64)
        for batch in images:
            for channel in range(channels):
                counts[channel] += torch.bincount(batch[:, channel].reshape(-1), minlength=LARGEST + 1)
        value = torch.arange(LARGEST + 1, dtype=torch.float64) / LARGEST
        share = counts.double() / counts.sum(1, keepdim=True)
        mean = share @ value
        std = (share * (value - mean[:, None]).square()).sum(1).sqrt()
        std[std == 0] = 1.0
        return replace(self, mean=tuple(mean.tolist()), std=tuple(std.tolist()))

    def as_dict(self) -> dict[str, Sequence[float]] | None:
        """The statistics as JSON values."""
        return {"mean": list(self.mean), "std": list(self.std)} if self.mean else None


def draws_of(seed: int, epoch: int, batch: int) -> torch.Generator:
    """The random generator for the augmentation of a batch. It depends only on seed, epoch and batch."""
    return torch.Generator().manual_seed(((seed * 1_000_003 + epoch) * 1_000_003 + batch) % 2**63)


class drawing_from(TorchFunctionMode):
    """Context in which torch's random functions on the CPU use a given generator, in this thread only.

    torchvision's transforms accept no generator; they call torch's random functions, which are intercepted here.

    Draws therefore leave the generators of the process and of dropout unchanged: inspecting augmented samples does not
    affect a run that trains, and there is no state to save in a checkpoint.
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
