"""Denominators of mean losses: the number of samples, or the sum of the weights of those that count.

N samples, K classes, T steps of a sequence.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

import torch
from torch import Tensor, nn

from engine.catalog.losses import IGNORES_NONE


class MeanOfSome(nn.Module):
    """The mean over samples that count; 0 for a batch without any, where torch divides 0 by 0."""

    def __init__(self, loss: nn.CrossEntropyLoss | nn.NLLLoss) -> None:
        super().__init__()
        self.loss = loss
        loss.reduction = "sum"

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        total: Tensor = self.loss(input, target)
        return mean_of(self.loss, total, _weights_of(self.loss, target))


def denominator_of(criterion: nn.Module) -> Callable[[Tensor], Tensor] | None:
    """A function from the targets of a batch to the denominator of its mean loss; None for the number of samples.

    Means of batches, each times its share of the denominators, add up to the mean over all samples.
    CrossEntropyLoss and NLLLoss weight each sample by its class and leave out those of `ignore_index`. Every other loss
    divides by the number of samples, or of their values; MultiMarginLoss does so with weights, too.
    """
    loss = _innermost(criterion)
    if not isinstance(loss, nn.CrossEntropyLoss | nn.NLLLoss) or (loss.weight is None and loss.ignore_index < 0):
        return None
    return lambda target: _weights_of(loss, target)


def counted_of(criterion: nn.Module) -> Callable[[Tensor], Tensor] | None:
    """A function from targets to a mask of those that count in a loss: without weight 0 and `ignore_index`.

    None if all count. A target that does not count adds 0 to the sum.
    """
    loss = _innermost(criterion)
    weight, positive = getattr(loss, "weight", None), getattr(loss, "pos_weight", None)
    if positive is not None and not bool(positive.any()):
        return lambda target: target == 0
    ignored = getattr(loss, "ignore_index", IGNORES_NONE)
    if ignored == IGNORES_NONE and (weight is None or bool(weight.all())):
        return None
    return lambda target: (target != ignored) & (loss.weight[target] > 0 if loss.weight is not None else True)


def _innermost(criterion: nn.Module) -> Any:
    """The loss of torch inside modules that change shapes."""
    loss: Any = criterion
    while isinstance(getattr(loss, "loss", None), nn.Module):
        loss = loss.loss
    return loss


def _weights_of(loss: nn.CrossEntropyLoss | nn.NLLLoss, target: Tensor) -> Tensor:
    """The sum of the weights of the samples that count; 0 if none does."""
    weights = loss.weight[target] if loss.weight is not None else None
    if loss.ignore_index >= 0 or weights is None:
        counts: Tensor = target != loss.ignore_index
        weights = counts if weights is None else counts * weights
    return weights.sum()


def mean_of(loss: nn.Module, total: Tensor, weight: Tensor) -> Tensor:
    """The sum of a loss divided by the weights of the samples that count; 0 with gradients of 0 if none does.

    Label smoothing adds a little for samples of weight 0, so the sum need not be 0 where no sample counts.
    """
    mean = total / weight.clamp_min(torch.finfo(torch.float32).tiny)
    return torch.where(weight > 0, mean, 0.0) if getattr(_innermost(loss), "label_smoothing", 0) else mean


def sum_of(criterion: nn.Module) -> nn.Module:
    """The loss without its division by `denominator_of`: the sum over a batch."""
    if isinstance(criterion, MeanOfSome):
        return criterion.loss
    twin: Any = copy(criterion)
    inner = criterion._modules.get("loss")
    if inner is not None:
        twin._modules = dict(criterion._modules) | {"loss": sum_of(inner)}
    else:
        twin.reduction = "sum"
    found: nn.Module = twin
    return found
