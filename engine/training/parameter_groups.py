"""The parameter groups of an optimizer: layers with a rate or a decay of their own, and weights that do not decay."""

from __future__ import annotations

from typing import Any

from torch import nn

from engine.experiment.document import Optimizer
from engine.model.selection import modules_named


def parameter_groups(choice: Optimizer, network: nn.Module) -> list[Any]:
    """The parameters of a network as torch's optimizers take them: all alike, or in groups.

    The first group is of the layers that no group names, where there are any. A parameter is in one group only. With
    `no_bias_decay` each is split in two, since biases and the weights of norms have weight_decay 0.

    Source: https://docs.pytorch.org/docs/stable/optim.html#per-parameter-options; He et al., 2019, section 3.1,
    https://arxiv.org/abs/1812.01187
    """
    if not choice.groups and not choice.no_bias_decay:
        return list(network.parameters())
    owner: dict[int, int] = {}
    for number, group in enumerate(choice.groups, start=1):
        for module in modules_named(network, group.layers):
            for parameter in module.parameters():
                owner.setdefault(id(parameter), number)
    undecayed = _undecayed(network) if choice.no_bias_decay else frozenset()
    settings = [{}, *(group.parameters for group in choice.groups)]
    found: dict[tuple[int, bool], dict[str, Any]] = {}
    for number, own in enumerate(settings):
        for spared in (False, True):
            found[number, spared] = {"params": [], **own} | ({"weight_decay": 0.0} if spared else {})
    for parameter in network.parameters():
        found[owner.get(id(parameter), 0), id(parameter) in undecayed]["params"].append(parameter)
    return [group for group in found.values() if group["params"]]


def _undecayed(network: nn.Module) -> frozenset[int]:
    """Biases, and all that norms learn."""
    return frozenset(
        id(parameter)
        for module in network.modules()
        for name, parameter in module.named_parameters(recurse=False)
        if "bias" in name or "Norm" in type(module).__name__
    )
