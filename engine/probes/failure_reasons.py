"""Reasons why a model did not memorise a batch, measured on the model after its last step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn

from engine.catalog.losses import OF_CLASSES
from engine.model.containers import CONTAINERS
from engine.model.selection import modules_at
from engine.plan import LayerPlan, Plan
from engine.probes.records import BatchStep
from engine.probes.trial import Trial
from engine.training.batches import Batch

HARDLY_MOVED = 1e-3
"""Weights that changed by less than this share of their norm have not moved."""

DEAD = 0.9
"""A layer is dead if this share of its units outputs 0 for every sample."""

FALLING = 0.02
"""A loss that falls by this share from one tenth of the steps to the next one is still falling."""


def failure_reasons(
    plan: Plan, trial: Trial, batch: Batch, taken: Sequence[BatchStep], begin: Sequence[Tensor]
) -> Iterator[str]:
    """Yield reasons, a sentence each, the most likely first; at least one.

    Args:
        begin: the parameters before the first step, in the order of `network.parameters()`.
    """
    found = list(_reasons(plan, trial, batch, taken, begin))
    yield from found
    if on := _regularized(plan, trial):
        yield f"Regularization keeps a model from memorising: {', '.join(on)}. Try without it."
    elif not found:
        yield (
            f"Every layer has gradients and the weights move. {plan.parameters:,} parameters may be too few for "
            f"{batch.size} samples."
        )


def _reasons(
    plan: Plan, trial: Trial, batch: Batch, taken: Sequence[BatchStep], begin: Sequence[Tensor]
) -> Iterator[str]:
    lr = f"{trial.rate_field} = {float(trial.optimizer.param_groups[0]['lr']):g}"
    if not math.isfinite(taken[-1].loss):
        yield f"The loss is not finite at step {taken[-1].step}: {lr} is too high. Use the rate finder."
        return
    if twins := _same_input_other_target(batch):
        yield f"{twins} samples of the batch have the same input as another one but a different target."
    leaves = [layer for layer in plan.layers if layer.type not in CONTAINERS]
    outputs = _forward_and_backward(trial, batch, leaves)
    yield from _out_of_reach(trial, batch, leaves)
    if still := _without_gradient(trial.network, leaves):
        yield f"No gradient reaches {_list_of(still)}."
        if flat := _all_the_same(trial.network, leaves):
            yield (
                f"All weights of {_list_of(flat)} are equal, so all units learn the same. Set a random initializer, or "
                "remove model.init."
            )
        elif dead := _dead(outputs):
            yield (
                f"{_list_of(dead)}: nearly all units output 0 for every sample and pass no gradient. A lower rate, "
                "BatchNorm before it, or LeakyReLU keep units alive."
            )
        return
    moved = _moved(trial.network, begin)
    if moved < HARDLY_MOVED:
        yield (
            f"The weights moved by {moved:.1g} of their norm in {taken[-1].step} steps: {lr} is too low. Use the rate "
            "finder."
        )
        return
    losses = [step.loss for step in taken]
    yield from _loss_curve(losses, lr, trial.rate_field, noisy=bool(_dropouts(plan, trial)))


def _loss_curve(losses: Sequence[float], lr: str, field: str, *, noisy: bool) -> Iterator[str]:
    """Yield what the loss curve shows about the rate; `noisy` if dropout moves it up and down."""
    tenth = max(1, len(losses) // 10)
    first, *_, before, last = (fmean(losses[i : i + tenth]) for i in range(0, len(losses) - tenth + 1, tenth))
    ups = sum(b > a for a, b in pairwise(losses))
    if last > first:
        yield f"The loss rose from {first:.3g} to {last:.3g}: {lr} is too high. Use the rate finder."
    elif before - last > FALLING * abs(before):
        yield f"The loss is still falling, from {first:.3g} to {last:.3g}: raise {field}."
    elif not noisy and ups > 0.4 * len(losses):
        yield f"The loss goes up and down from step to step: {lr} may be too high. Use the rate finder."


def _forward_and_backward(trial: Trial, batch: Batch, leaves: Sequence[LayerPlan]) -> dict[str, Tensor]:
    """Run a forward and a backward pass. Returns outputs (N, …) by layer; gradients are in the parameters."""
    outputs: dict[str, Tensor] = {}
    handles = []
    for layer in leaves:
        label = f"{layer.number} {layer.label}"

        def record(module: nn.Module, inputs: Any, output: Any, label: str = label) -> None:
            outputs[label] = output.detach()

        handles += [module.register_forward_hook(record) for module in modules_at(trial.network, layer.path)]
    trial.optimizer.zero_grad()
    loss = batch.loss(trial.criterion, trial.network(*batch.inputs))
    trial.regularizer.objective(loss).backward()
    for handle in handles:
        handle.remove()
    return outputs


def _without_gradient(network: nn.Module, leaves: Sequence[LayerPlan]) -> list[str]:
    """Return the trainable layers whose gradients are all zero."""
    found = []
    for layer in leaves:
        for module in modules_at(network, layer.path):
            learned = [p for p in module.parameters() if p.requires_grad]
            if learned and all(p.grad is None or not bool(p.grad.any()) for p in learned):
                found.append(f"{layer.number} {layer.label}")
    return list(dict.fromkeys(found))


def _all_the_same(network: nn.Module, leaves: Sequence[LayerPlan]) -> list[str]:
    """Return the layers with a matrix or kernel whose numbers are all equal."""
    found = []
    for layer in leaves:
        for module in modules_at(network, layer.path):
            weights = [p for p in module.parameters() if p.ndim > 1 and p.numel() > 1]
            if any(bool(p.min() == p.max()) for p in weights):
                found.append(f"{layer.number} {layer.label}")
    return list(dict.fromkeys(found))


def _dead(outputs: dict[str, Tensor]) -> list[str]:
    """Return the layers in which nearly every unit outputs 0 for every sample; `outputs` (N, …) by layer."""
    found = []
    for label, output in outputs.items():
        units = (output == 0).flatten(1).all(0).double()
        if units.numel() > 1 and float(units.mean()) >= DEAD:
            found.append(label)
    return found


def _out_of_reach(trial: Trial, batch: Batch, leaves: Sequence[LayerPlan]) -> Iterator[str]:
    """Yield a reason if numeric targets are outside the range of the last layer."""
    if trial.dataset.description.task in OF_CLASSES or not leaves:
        return
    last = modules_at(trial.network, leaves[-1].path)[-1]
    if any(True for _ in last.parameters()):
        return
    target = batch.target
    tried = torch.linspace(-1e3, 1e3, 2001, device=target.device, dtype=target.dtype).unsqueeze(1)
    try:
        with torch.no_grad():
            reached = last(tried.expand(-1, target.shape[-1]))
    except (RuntimeError, TypeError, ValueError):
        return
    low, high = float(reached.min()), float(reached.max())
    if float(target.min()) < low - 1e-6 or float(target.max()) > high + 1e-6:
        yield (
            f"{leaves[-1].number} {leaves[-1].label} outputs at most {low:.3g} to {high:.3g}; the targets reach from "
            f"{float(target.min()):.3g} to {float(target.max()):.3g}. Make a Linear the last layer."
        )


def _same_input_other_target(batch: Batch) -> int:
    """Return how many samples have the same input as another one but a different target."""
    x = batch.inputs[0].flatten(1)
    _, kind, counts = x.unique(dim=0, return_inverse=True, return_counts=True)
    target = batch.target.flatten(1) if batch.target.ndim > 1 else batch.target.unsqueeze(1)
    twins = 0
    for one in (counts > 1).nonzero().flatten().tolist():
        same = target[kind == one]
        twins += len(same) if len(same.unique(dim=0)) > 1 else 0
    return twins


def _moved(network: nn.Module, begin: Sequence[Tensor]) -> float:
    """Return the largest change of a parameter, as a share of its norm."""
    shares = [
        float((now.detach() - before).norm() / (before.norm() + 1e-12))
        for now, before in zip(network.parameters(), begin, strict=True)
        if now.ndim > 1
    ]
    return max(shares, default=0.0)


def _regularized(plan: Plan, trial: Trial) -> list[str]:
    """Return the document's settings that work against memorising."""
    settings = plan.experiment.regularization
    decay = max((float(group.get("weight_decay", 0.0)) for group in trial.optimizer.param_groups), default=0.0)
    found = _dropouts(plan, trial)
    found += [f"weight_decay {decay:g}"] if decay else []
    found += [f"{name} {value:g}" for name in ("l1", "l2") if (value := getattr(settings, name))]
    if settings.clip_grad_norm is not None:
        found.append(f"clip_grad_norm {settings.clip_grad_norm:g}")
    if settings.clip_grad_value is not None:
        found.append(f"clip_grad_value {settings.clip_grad_value:g}")
    return found


def _dropouts(plan: Plan, trial: Trial) -> list[str]:
    """Return the layers with dropout or drop path."""
    found = [layer.label for layer in plan.layers if "Dropout" in layer.type]
    for layer in plan.layers:
        if "Dropout" not in layer.type and any(map(_drops, modules_at(trial.network, layer.path))):
            found.append(f"dropout of {layer.label}")
    return list(dict.fromkeys(found))


def _drops(module: nn.Module) -> bool:
    own = getattr(module, "dropout", 0.0)
    return (isinstance(own, float) and own > 0) or bool(getattr(module, "drop_path", 0.0))


def _list_of(names: Sequence[str]) -> str:
    """Return a few names, and how many more there are."""
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
