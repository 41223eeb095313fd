"""From a choice in the document to torch's own object: losses, optimizers, schedulers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from engine.catalog import find
from engine.catalog.dynamo import spare_dynamo
from engine.catalog.optimizers import FUSED
from engine.catalog.schedulers import default_interval
from engine.catalog.value_types import as_tuples
from engine.experiment.document import Choice, Scheduler

__all__ = ["build_loss", "build_optimizer", "build_scheduler", "default_interval", "torch_arguments"]


spare_dynamo()


class BCEWithLogitsLoss(nn.BCEWithLogitsLoss):
    """torch's, for classes 0 and 1 as they come from the data: output (N, 1), target (N,) of whole numbers."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return super().forward(input, target.to(input.dtype).view_as(input))


class BCELoss(nn.BCELoss):
    """torch's, for classes 0 and 1 as they come from the data: output (N, 1), target (N,) of whole numbers."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return super().forward(input, target.to(input.dtype).view_as(input))


_OF_CLASSES: dict[str, type[nn.Module]] = {"BCELoss": BCELoss, "BCEWithLogitsLoss": BCEWithLogitsLoss}


def torch_arguments(parameters: dict[str, Any]) -> dict[str, Any]:
    """A choice's parameters as torch's signatures take them."""
    return {name: as_tuples(value) for name, value in parameters.items()}


def build_loss(choice: Choice) -> nn.Module:
    """The loss: a mean over the samples of a batch, called as `loss(output, target)`.

    Outputs are (N, K) for K classes with targets (N,), else (N, outputs) for both.
    """
    loss = _OF_CLASSES.get(choice.type) or find("losses", choice.type).torch_class()
    return loss(**torch_arguments(choice.parameters))


def build_optimizer(choice: Choice, parameters: Iterable[nn.Parameter], *, fused: bool) -> Optimizer:
    """The optimizer over `parameters`; `fused` steps them all in one kernel where torch can."""
    arguments = torch_arguments(choice.parameters)
    if fused and choice.type in FUSED:
        arguments["fused"] = True
    optimizer: Optimizer = find("optimizers", choice.type).torch_class()(parameters, **arguments)
    return optimizer


def build_scheduler(choice: Scheduler, optimizer: Optimizer, *, epochs: int, steps_per_epoch: int) -> LRScheduler:
    """The scheduler over `optimizer`, with what the run's length and the optimizer's lr tell filled in.

    It is to be moved as `choice.interval` says, or else as `default_interval` does, from the end of the warm-up on: a
    schedule that fits the run fits what is left of it then.
    """
    by_step = (choice.interval or default_interval(choice.type)) == "step"
    warmup_steps = round(choice.warmup_epochs * steps_per_epoch)
    moves = max(1, epochs * steps_per_epoch - warmup_steps if by_step else epochs - warmup_steps // steps_per_epoch)
    lr = float(optimizer.param_groups[0]["lr"])
    inferred: dict[str, dict[str, Any]] = {
        "CosineAnnealingLR": {"T_max": moves},
        "PolynomialLR": {"total_iters": moves},
        "OneCycleLR": {"total_steps": moves, "max_lr": lr, "cycle_momentum": has_momentum(optimizer)},
        "CyclicLR": {
            "base_lr": lr / 4,
            "max_lr": lr,
            "step_size_up": max(1, 2 * moves // epochs),
            "cycle_momentum": has_momentum(optimizer),
        },
    }
    arguments = inferred.get(choice.type, {}) | torch_arguments(choice.parameters)
    scheduler: LRScheduler = find("schedulers", choice.type).torch_class()(optimizer, **arguments)
    return scheduler


def has_momentum(optimizer: Optimizer) -> bool:
    """Whether there is a momentum to cycle: torch would turn one on where `momentum` is 0, which nobody asked for."""
    group = optimizer.param_groups[0]
    return "betas" in group or bool(group.get("momentum"))


def scratch_parameter() -> nn.Parameter:
    """A parameter of no network, to try an optimizer on. Of two dimensions, as some optimizers treat those apart."""
    return nn.Parameter(torch.zeros(2, 2))
