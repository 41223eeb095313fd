"""The losses of an epoch: summed on the host, fetched from the device many at a time."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class EpochLosses:
    """The losses of the epoch under way: they wait on the device, and are fetched many at a time."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Tensor, Tensor | float, int, int]] = []
        self.total, self.weight, self.samples = 0.0, 0.0, 0

    def add(self, loss: Tensor, weight: Tensor | float, samples: int, step: int) -> None:
        """Take the mean loss of a batch; `weight` is what it was divided by: 0 where no sample counted."""
        self._waiting.append((loss, weight, samples, step))

    def fetch(self) -> tuple[float, float, int, int | None]:
        """Bring what waits to the host: its sum, weight and samples, and the first step that is not finite.

        This is the one place where training waits for the device.
        """
        total, weight, samples, broken = 0.0, 0.0, 0, None
        if self._waiting:
            values = torch.stack([loss for loss, _, _, _ in self._waiting]).tolist()
            weights = _numbers([weighs for _, weighs, _, _ in self._waiting])
            for value, weighs, (_, _, n, step) in zip(values, weights, self._waiting, strict=True):
                self.total += value * weighs
                self.weight += weighs
                self.samples += n
                total += value * weighs
                weight += weighs
                samples += n
                if broken is None and not math.isfinite(value):
                    broken = step
            self._waiting = []
        return total, weight, samples, broken

    @property
    def mean(self) -> float:
        """Mean loss of the epoch so far, as if it were one batch; NaN where no sample counted."""
        return self.total / self.weight if self.weight else math.nan


def _numbers(weights: list[Tensor | float]) -> list[float]:
    """Weights of batches as numbers: they are on the device where they follow from the targets."""
    tensors = [weight for weight in weights if isinstance(weight, Tensor)]
    return torch.stack(tensors).tolist() if tensors else [float(weight) for weight in weights]
