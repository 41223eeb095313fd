"""Build torch's losses, optimizers and schedulers from choices of a document.

N samples, K classes, T steps of a sequence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from engine.catalog import find
from engine.catalog.denominators import MeanOfSome
from engine.catalog.dynamo import spare_dynamo
from engine.catalog.losses import IGNORES_NONE
from engine.catalog.metrics import goal
from engine.catalog.optimizers import FUSED
from engine.catalog.schedulers import COMPOSITES, COUNTED, count, moves_by_step, warmup_steps
from engine.catalog.value_types import as_tuples
from engine.experiment.document import Choice, Scheduler

__all__ = [
    "balanced_weights",
    "build_loss",
    "build_optimizer",
    "build_scheduler",
    "torch_arguments",
]


spare_dynamo()


class BCEWithLogitsLoss(nn.BCEWithLogitsLoss):
    """torch.nn.BCEWithLogitsLoss for class indices 0 and 1: output (N, 1), target (N,) of integers."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return super().forward(input, target.to(input.dtype).view_as(input))


class BCELoss(nn.BCELoss):
    """torch.nn.BCELoss for class indices 0 and 1: output (N, 1), target (N,) of integers."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return super().forward(input, target.to(input.dtype).view_as(input))


class SoftMarginLoss(nn.SoftMarginLoss):
    """torch.nn.SoftMarginLoss for class indices 0 and 1: output (N, 1), target (N,) of integers."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return super().forward(input, (2 * target - 1).to(input.dtype).view_as(input))


_OF_CLASSES: dict[str, type[nn.Module]] = {
    "BCELoss": BCELoss,
    "BCEWithLogitsLoss": BCEWithLogitsLoss,
    "SoftMarginLoss": SoftMarginLoss,
}


def torch_arguments(parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a choice as arguments for torch: lists as tuples."""
    return {name: as_tuples(value) for name, value in parameters.items()}


def build_loss(choice: Choice, class_counts: Sequence[int] = ()) -> nn.Module:
    """The loss module, which returns the mean over a batch: `loss(output, target)`.

    Shapes: output (N, K) and target (N,) for classes, else both (N, outputs).

    Args:
        class_counts: training samples of each class, for "balanced" weights.
    """
    made = _OF_CLASSES.get(choice.type) or find("losses", choice.type).torch_class()
    arguments = torch_arguments(choice.parameters)
    weight = arguments.get("weight")
    if weight == "balanced":
        weight = balanced_weights(class_counts)
    if weight is not None:
        arguments["weight"] = torch.tensor(weight, dtype=torch.float32)
    if (pos_weight := arguments.get("pos_weight")) is not None:
        if pos_weight == "balanced":
            pos_weight = class_counts[0] / max(class_counts[1], 1)
        arguments["pos_weight"] = torch.tensor(pos_weight, dtype=torch.float32)
    loss: nn.Module = made(**arguments)
    some = (weight is not None and 0 in weight) or arguments.get("ignore_index", IGNORES_NONE) >= 0
    return MeanOfSome(loss) if some and isinstance(loss, nn.CrossEntropyLoss | nn.NLLLoss) else loss


class PerStep(nn.Module):
    """A loss for classes at every step of a sequence: the mean over samples and steps."""

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Shapes: input (N, T, K), target (N, T), output a scalar."""
        found: Tensor = self.loss(input.flatten(0, 1), target.flatten())
        return found


def balanced_weights(class_counts: Sequence[int]) -> tuple[float, ...]:
    """Weights n / (K · n_k) of K classes, with which all classes count the same (King and Zeng, 2001).

    A class without samples is weighted as if it had one, since the validation part may have some.

    >>> balanced_weights([30, 10])
    (0.6666666666666666, 2.0)
    """
    return tuple(sum(class_counts) / (len(class_counts) * max(count, 1)) for count in class_counts)


def build_optimizer(choice: Choice, parameters: Iterable[Any], *, fused: bool) -> Optimizer:
    """The optimizer over `parameters` or parameter groups; `fused` uses one kernel for all where torch has it."""
    arguments = torch_arguments(choice.parameters)
    if fused and choice.type in FUSED:
        arguments["fused"] = True
    optimizer: Optimizer = find("optimizers", choice.type).torch_class()(parameters, **arguments)
    return optimizer


def build_scheduler(choice: Scheduler, optimizer: Optimizer, *, epochs: int, steps_per_epoch: int) -> LRScheduler:
    """The scheduler over `optimizer`, with parameters inferred from the length of the run and from lr.

    It steps once an epoch or at every step (`moves_by_step`), from the end of the warm-up on: inferred lengths are
    those of the rest of the run.
    """
    moves = moves_of(choice, epochs=epochs, steps_per_epoch=steps_per_epoch)
    return scheduler_of_moves(choice, optimizer, moves, two_epochs=max(1, 2 * moves // epochs))


def moves_of(choice: Scheduler, *, epochs: int, steps_per_epoch: int) -> int:
    """Number of scheduler steps in a run of that length after the warm-up; at least 1."""
    warmup = warmup_steps(choice, steps_per_epoch)
    return max(1, epochs * steps_per_epoch - warmup if moves_by_step(choice) else epochs - warmup // steps_per_epoch)


def parts_of(choice: Choice, moves: int) -> list[tuple[Choice, int]]:
    """The parts of a composite scheduler, each with its number of scheduler steps."""
    parts = [Choice.model_validate(part) for part in choice.parameters["schedulers"]]
    if choice.type == "ChainedScheduler":
        return [(part, moves) for part in parts]
    ends = [0, *stretches(choice, moves), moves]
    return [(part, max(1, end - begin)) for part, begin, end in zip(parts, ends, ends[1:], strict=False)]


def stretches(choice: Choice, moves: int) -> list[int]:
    """The scheduler steps at which the next part of a SequentialLR starts."""
    parts, given = len(choice.parameters["schedulers"]), choice.parameters.get("milestones")
    equal = [max(1, round(moves * index / parts)) for index in range(1, parts)]
    return equal if given is None else list(count(given, moves))


def scheduler_of_moves(choice: Choice, optimizer: Optimizer, moves: int, two_epochs: int) -> LRScheduler:
    """The scheduler over `optimizer` for `moves` scheduler steps; CyclicLR rises over `two_epochs` of them."""
    scheduler_class = find("schedulers", choice.type).torch_class()
    if choice.type in COMPOSITES:
        parts = [scheduler_of_moves(part, optimizer, own, two_epochs) for part, own in parts_of(choice, moves)]
        more = {"milestones": stretches(choice, moves)} if choice.type == "SequentialLR" else {}
        composite: LRScheduler = scheduler_class(optimizer=optimizer, schedulers=parts, **more)
        return composite
    lr = float(optimizer.param_groups[0]["lr"])
    inferred: dict[str, dict[str, Any]] = {
        "CosineAnnealingLR": {"T_max": moves},
        "StepLR": {"step_size": count(1 / 3, moves)},
        "MultiStepLR": {"milestones": count([0.5, 0.75], moves)},
        "PolynomialLR": {"total_iters": moves},
        "ReduceLROnPlateau": {"mode": goal(choice.parameters.get("monitor", "val_loss"))},
        "OneCycleLR": {"total_steps": moves, "max_lr": lr, "cycle_momentum": has_momentum(optimizer)},
        "CyclicLR": {
            "base_lr": lr / 4,
            "max_lr": lr,
            "step_size_up": two_epochs,
            "cycle_momentum": has_momentum(optimizer),
        },
    }
    arguments = inferred.get(choice.type, {}) | torch_arguments(choice.parameters)
    arguments.pop("monitor", None)
    for name in COUNTED & set(arguments):
        arguments[name] = count(arguments[name], moves)
    for name in ("base_lr", "max_lr") if len(optimizer.param_groups) > 1 else ():
        if name in arguments:
            arguments[name] = _for_each_group(arguments[name], optimizer)
    scheduler: LRScheduler = scheduler_class(optimizer, **arguments)
    return scheduler


def _for_each_group(rate: float, optimizer: Optimizer) -> list[float]:
    """A rate of the first parameter group, and in proportion to lr that of the others."""
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    return [rate * other / rates[0] if rates[0] else rate for other in rates]


def has_momentum(optimizer: Optimizer) -> bool:
    """Whether there is a momentum to cycle. torch would turn it on even where `momentum` is 0."""
    group = optimizer.param_groups[0]
    return "betas" in group or bool(group.get("momentum"))


def scratch_parameter() -> nn.Parameter:
    """A parameter to try an optimizer on; a matrix, which every optimizer accepts."""
    return nn.Parameter(torch.zeros(2, 2))
