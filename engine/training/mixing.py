"""Mixup and CutMix: batches of blended samples, on the device. Only for training; validation uses samples as they are.

N batch, C channels, H W, T time, F features, K classes. λ is the share of a sample in its blend.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.experiment.document import Regularization
from engine.training.batches import Batch, Criterion, Denominator


@dataclass(frozen=True, slots=True)
class MixedBatch(Batch):
    """A batch in which each sample is blended with another one.

    `target` is that of the sample with the larger share; training metrics use it.
    """

    partner: Tensor
    """The target of the sample with the smaller share, of the same shape as `target`."""
    share: float
    """λ of `target`: from 0.5 to 1."""

    def weight(self, denominator: Denominator | None) -> Tensor | float:
        """Return what the mean loss is divided by: the weights of both targets, by their shares."""
        if denominator is None:
            return float(self.size)
        own, other = denominator(self.target), denominator(self.partner)
        return own + (1 - self.share) * (other - own)  # exactly `own` where both are equal, as in a whole batch

    def loss(self, criterion: Criterion, output: Tensor) -> Tensor:
        """Return the loss against both targets, weighted by their shares, ()."""
        return self.share * criterion(output, self.target) + (1 - self.share) * criterion(output, self.partner)


class Mixing:
    """Blends each sample of a batch with the one before it; the order of the epoch is random.

    One λ is drawn for each batch, from torch's generator on the CPU, so that a resumed run draws the same ones. With
    both mixup and CutMix, a coin flip chooses one for each batch. For classes the loss is λ·loss(y_a) +
    (1-λ)·loss(y_b); numeric targets are blended themselves.

    Sources: mixup, Zhang et al., 2018, https://arxiv.org/abs/1710.09412; CutMix, Yun et al., 2019,
    https://arxiv.org/abs/1905.04899
    """

    def __init__(self, settings: Regularization, *, numbers: bool) -> None:
        self.mixup = settings.mixup
        self.cutmix = settings.cutmix
        self.numbers = numbers
        """Whether targets are numeric and can be blended."""
        self._shares = {alpha: _beta(alpha) for alpha in (settings.mixup, settings.cutmix) if alpha}

    def __call__(self, batch: Batch) -> Batch:
        """Return the batch with its samples blended. May change the tensors of `batch`, which were gathered for it."""
        cut = bool(self.cutmix) and (not self.mixup or torch.rand(()).item() < 0.5)
        alpha = self.cutmix if cut else self.mixup
        share = float(self._shares[alpha].sample())
        x, *lengths = batch.inputs
        if cut:
            share = _cut(x, share)
        else:
            x = torch.lerp(x, x.roll(1, 0), 1 - share)  # x first: its strides (channels_last) are kept
        if lengths:
            lengths = [torch.maximum(lengths[0], lengths[0].roll(1, 0))]
        inputs, target, other = (x, *lengths), batch.target, batch.target.roll(1, 0)
        if self.numbers:
            return Batch(inputs, torch.lerp(other, target, share), batch.size)
        if share < 0.5:
            target, other, share = other, target, 1 - share
        return MixedBatch(inputs, target, batch.size, partner=other, share=share)


def _beta(alpha: float) -> torch.distributions.Beta:
    """Return Beta(alpha, alpha) in float64: in float32, draws for a small alpha underflow to a share of a half."""
    return torch.distributions.Beta(*torch.full((2,), alpha, dtype=torch.float64))


def _cut(x: Tensor, share: float) -> float:
    """Paste a rectangle of each image's neighbour into images x (N, C, H, W). Returns the share of the area that stays.

    The rectangle has the image's proportions and an area of 1 - share, before it is clipped at the edges.
    """
    height, width = x.shape[-2:]
    side = math.sqrt(1 - share)
    y, z = (int(torch.randint(size, ())) for size in (height, width))
    half_height, half_width = int(height * side) // 2, int(width * side) // 2
    top, bottom = max(y - half_height, 0), min(y + half_height, height)
    left, right = max(z - half_width, 0), min(z + half_width, width)
    x[..., top:bottom, left:right] = x[..., top:bottom, left:right].roll(1, 0)
    return 1 - (bottom - top) * (right - left) / (height * width)
