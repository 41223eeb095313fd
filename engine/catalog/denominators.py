"""What the mean of a loss divides its sum by: the number of samples, or the weights of those that count."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

import torch
from torch import Tensor, nn

from engine.catalog.losses import IGNORES_NONE


class MeanOfSome(nn.Module):
    """The mean over samples that may all be left out of a batch: 0 there, where torch divides 0 by 0."""

    def __init__(self, loss: nn.CrossEntropyLoss | nn.NLLLoss) -> None:
        super().__init__()
        self.loss = loss
        loss.reduction = "sum"

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        total: Tensor = self.loss(input, target)
        return mean_of(self.loss, total, _weights_of(self.loss, target))


def denominator_of(criterion: nn.Module) -> Callable[[Tensor], Tensor] | None:
    """From the targets of a batch to what its mean loss was divided by; None where that is the number of samples.

    Means of batches, each times its share of the denominators, add up to the mean over all their samples.
    CrossEntropyLoss and NLLLoss weigh each sample by its class and leave out those of `ignore_index`; every other loss
    divides by the samples, or by their numbers, of which all have as many. MultiMarginLoss does so with weights, too.
    """
    loss = _innermost(criterion)
    if not isinstance(loss, nn.CrossEntropyLoss | nn.NLLLoss) or (loss.weight is None and loss.ignore_index < 0):
        return None
    return lambda target: _weights_of(loss, target)


def counted_of(criterion: nn.Module) -> Callable[[Tensor], Tensor] | None:
    """From targets to which of them count in a loss: not those of weight 0, nor those of `ignore_index`.

    None where all count. What does not count adds 0, whatever the mean divides by.
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
    """torch's own loss: what is around it changes shapes, not what counts."""
    loss: Any = criterion
    while isinstance(getattr(loss, "loss", None), nn.Module):
        loss = loss.loss
    return loss


def _weights_of(loss: nn.CrossEntropyLoss | nn.NLLLoss, target: Tensor) -> Tensor:
    """The weights of the samples that count, summed up; 0 where none does."""
    weights = loss.weight[target] if loss.weight is not None else None
    if loss.ignore_index >= 0 or weights is None:
        counts: Tensor = target != loss.ignore_index
        weights = counts if weights is None else counts * weights
    return weights.sum()


def mean_of(loss: nn.Module, total: Tensor, weight: Tensor) -> Tensor:
    """The sum of a loss divided by the weights of what counts in it; 0 where nothing does, with gradients of 0.

    Label smoothing sums up a little of samples of weight 0 too, so a sum over nothing that counts may be something.
    """
    mean = total / weight.clamp_min(torch.finfo(torch.float32).tiny)
    return torch.where(weight > 0, mean, 0.0) if getattr(_innermost(loss), "label_smoothing", 0) else mean


def sum_of(criterion: nn.Module) -> nn.Module:
    """The sum that a mean loss divides by `denominator_of`: the same loss, with the same weights, undivided."""
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
