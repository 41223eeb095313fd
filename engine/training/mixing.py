"""Mixup and CutMix: batches of blended samples, on the device. Training batches only; validation sees whole samples.

N batch, C channels, H W, T time, F features, K classes. λ is the share of a sample that stays its own.
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
    """A batch of samples of which each holds a share of another one's.

    `target` is the one of the larger share: what training metrics count.
    """

    partner: Tensor
    """The target of the smaller share, of the same shape."""
    share: float
    """How much `target` counts: from 0.5 to 1."""

    def weight(self, denominator: Denominator | None) -> Tensor | float:
        """What the mean loss is divided by: as much of both targets as their shares say."""
        if denominator is None:
            return float(self.size)
        own, other = denominator(self.target), denominator(self.partner)
        return own + (1 - self.share) * (other - own)  # exactly `own` where both are the same, as in a whole batch

    def loss(self, criterion: Criterion, output: Tensor) -> Tensor:
        """The loss against both targets, each by its share: the expected loss, of whatever kind the loss is."""
        return self.share * criterion(output, self.target) + (1 - self.share) * criterion(output, self.partner)


class Mixing:
    """Blends each sample of a batch with the one before it, which the epoch's random order has put there.

    One λ is drawn for a batch, from torch's generator on the CPU: a run that is resumed draws what it would have drawn.
    Where both kinds are asked for, a coin decides for each batch. Of classes the loss is λ·loss(y_a) + (1-λ)·loss(y_b);
    targets that are numbers are blended themselves.

    Sources: mixup, Zhang et al., 2018, https://arxiv.org/abs/1710.09412; CutMix, Yun et al., 2019,
    https://arxiv.org/abs/1905.04899
    """

    def __init__(self, settings: Regularization, *, numbers: bool) -> None:
        self.mixup = settings.mixup
        self.cutmix = settings.cutmix
        self.numbers = numbers
        """Whether targets are numbers, which can be blended."""
        self._shares = {alpha: _beta(alpha) for alpha in (settings.mixup, settings.cutmix) if alpha}

    def __call__(self, batch: Batch) -> Batch:
        """The batch with its samples blended. Its tensors are the batch's own to change: it was gathered for it."""
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
    """Beta(alpha, alpha), in double precision: in single the draws of a small alpha underflow to a share of a half."""
    return torch.distributions.Beta(*torch.full((2,), alpha, dtype=torch.float64))


def _cut(x: Tensor, share: float) -> float:
    """Put a rectangle of each image's neighbour into images x (N, C, H, W); the share of the area that stays.

    The rectangle has the image's proportions and an area of 1 - share, before what reaches over the edge is cut off.
    """
    height, width = x.shape[-2:]
    side = math.sqrt(1 - share)
    y, z = (int(torch.randint(size, ())) for size in (height, width))
    half_height, half_width = int(height * side) // 2, int(width * side) // 2
    top, bottom = max(y - half_height, 0), min(y + half_height, height)
    left, right = max(z - half_width, 0), min(z + half_width, width)
    x[..., top:bottom, left:right] = x[..., top:bottom, left:right].roll(1, 0)
    return 1 - (bottom - top) * (right - left) / (height * width)
