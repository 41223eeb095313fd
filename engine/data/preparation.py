"""From a batch as it is stored to what the network gets: augmented, scaled, as float32 or int64; where the batch lies.

N batch, C channels, H W, T time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

Augmentation = Callable[[Tensor], Tensor]
"""Takes a batch (N, …) in its stored type and gives one of the same type and shape, each sample changed by draws of its
own. Draws come from torch's generator of the CPU, whatever the device: that is what a checkpoint keeps."""

LARGEST = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """What happens to each batch. Without anything set, only types change."""

    mean: tuple[float, ...] = ()
    """Of each channel, of pixels from 0 to 1; empty where they are not standardised."""
    std: tuple[float, ...] = ()
    augmentations: tuple[Augmentation, ...] = ()
    """In their order; of training batches only."""

    def __call__(self, x: Tensor, *, training: bool) -> Tensor:
        """A batch (N, …), augmented where it is trained on. Strides, as of channels that come last, are kept."""
        if training:
            for augmentation in self.augmentations:
                x = augmentation(x)
        if x.dtype is torch.float32:
            return x
        if x.ndim != 4 or x.dtype is not torch.uint8:
            return x.long()
        if not self.mean:
            return x.float().div_(LARGEST)
        mean, std = (
            torch.tensor(v, dtype=torch.float32, device=x.device).view(-1, 1, 1) for v in (self.mean, self.std)
        )
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
