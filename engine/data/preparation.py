"""From a batch as it is stored to what the network gets: augmented, scaled, as float32 or int64; where the batch lies.

N batch, C channels, H W, T time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from engine.data.draws import drawing_from

Augmentation = Callable[[Tensor], Tensor]
"""Takes a batch (N, …) in its stored type and gives one of the same type and shape, each sample changed by draws of its
own. It draws on the CPU, whatever the device, so that a seed means the same on each."""

LARGEST = 255


@lru_cache(maxsize=8)
def _by_channel(values: tuple[float, ...], device: torch.device) -> Tensor:
    """(C, 1, 1) on a device; put there once, since that would have every batch wait."""
    with torch.inference_mode(False):  # it outlives the validation that may be the first to ask for it
        return torch.tensor(values, dtype=torch.float32, device=device).view(-1, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """What happens to each batch. Without anything set, only types change."""

    mean: tuple[float, ...] = ()
    """Of each channel, of pixels from 0 to 1; empty where they are not standardised."""
    std: tuple[float, ...] = ()
    augmentations: tuple[Augmentation, ...] = ()
    """In their order; of training batches only."""

    def __call__(self, x: Tensor, *, draws: torch.Generator | None = None) -> Tensor:
        """A batch (N, …), augmented by these draws where it is trained on; strides, channels last say, are kept."""
        return self.scaled(x if draws is None else self.augmented(x, draws))

    def augmented(self, x: Tensor, draws: torch.Generator) -> Tensor:
        """A batch in its stored type, each sample changed by draws of its own."""
        if self.augmentations:
            with drawing_from(draws):
                for augmentation in self.augmentations:
                    x = augmentation(x)
        return x

    def scaled(self, x: Tensor) -> Tensor:
        """A batch in its stored type as the network gets it."""
        if x.dtype is torch.float32:
            return x
        if x.ndim != 4 or x.dtype is not torch.uint8:
            return x.long()
        if not self.mean:
            return x.float().div_(LARGEST)
        mean, std = (_by_channel(values, x.device) for values in (self.mean, self.std))
        return x.float().sub_(mean * LARGEST).div_(std * LARGEST)

    def with_statistics(self, images: Iterable[Tensor], channels: int) -> Preparation:
        """The same, standardising by what is measured here on batches (N, C, H, W) of uint8 to train on.

        Counted, value by value: exact, whatever the order and the batches.
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
        """What was measured, as JSON holds it."""
        return {"mean": list(self.mean), "std": list(self.std)} if self.mean else None
