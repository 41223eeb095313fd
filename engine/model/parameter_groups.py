"""The parameter groups of an optimizer: layers with a rate or a decay of their own, and weights that do not decay."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import nn

from engine.catalog import catalog
from engine.catalog.choices import completed
from engine.catalog.optimizers import HIDDEN_ONLY, OTHERS
from engine.experiment.document import Choice, Optimizer
from engine.model.selection import hidden_matrices, modules_named


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Parameters that an optimizer moves in one way."""

    layers: tuple[str | int, ...] | None
    """Their layers, as the document names them; None: those that no group names."""
    weights: str
    """Which of the weights of these layers: `hidden matrices`; empty where it is all that is left."""
    optimizer: Choice
    own: dict[str, Any]
    """What differs from the optimizer's parameters."""
    parameters: list[nn.Parameter]

    @property
    def for_torch(self) -> dict[str, Any]:
        """The group as torch's optimizers take it."""
        return {"params": self.parameters, **self.own}


def groups_of(choice: Optimizer, network: nn.Module) -> list[Group]:
    """The trained parameters of a network in the groups of an optimizer, a parameter in one group only.

    The first group is of the layers that no group names, where there are any. With `no_bias_decay` each is split in
    two, since biases and the weights of norms have weight_decay 0. Muon has hidden matrices alone, in groups that come
    first; what is left goes into groups of the optimizer that is named by `others`.

    Source: https://docs.pytorch.org/docs/stable/optim.html#per-parameter-options; He et al., 2019, section 3.1,
    https://arxiv.org/abs/1812.01187
    """
    owner: dict[int, int] = {}
    for number, group in enumerate(choice.groups, start=1):
        for module in modules_named(network, group.layers):
            for parameter in module.parameters():
                owner.setdefault(id(parameter), number)
    undecayed = _undecayed(network) if choice.no_bias_decay else frozenset()
    left = _trained(network)
    if choice.type not in HIDDEN_ONLY:
        return _grouped(choice, choice, left, owner, undecayed)
    hidden = frozenset(map(id, hidden_matrices(network)))
    matrices = [parameter for parameter in left if id(parameter) in hidden]
    left = [parameter for parameter in left if id(parameter) not in hidden]
    others = choice.others or Choice(type=OTHERS)
    return [
        *_grouped(choice, choice, matrices, owner, undecayed, "hidden matrices"),
        *_grouped(choice, others, left, owner, undecayed, "all else"),
    ]


def parameter_groups(choice: Optimizer, network: nn.Module) -> list[Any]:
    """The trained parameters of a network as torch's optimizers take them: all alike, or in groups."""
    if not choice.groups and not choice.no_bias_decay:
        return _trained(network)
    return [group.for_torch for group in groups_of(choice, network)]


def _grouped(
    choice: Optimizer,
    optimizer: Choice,
    parameters: Iterable[nn.Parameter],
    owner: dict[int, int],
    undecayed: frozenset[int],
    weights: str = "",
) -> list[Group]:
    """Parameters that one optimizer moves, in its groups."""
    found: dict[tuple[int, bool], Group] = {}
    for number in range(len(choice.groups) + 1):
        own = choice.groups[number - 1].parameters if number else {}
        if optimizer is not choice:
            own = _for_others(own, choice, optimizer)
        for spared in (False, True):
            found[number, spared] = Group(
                layers=choice.groups[number - 1].layers if number else None,
                weights="biases and norms" if spared else weights,
                optimizer=optimizer,
                own=own | ({"weight_decay": 0.0} if spared else {}),
                parameters=[],
            )
    decays = "weight_decay" in catalog("optimizers")[optimizer.type].parameters
    for parameter in parameters:
        found[owner.get(id(parameter), 0), decays and id(parameter) in undecayed].parameters.append(parameter)
    return [group for group in found.values() if group.parameters]


def _for_others(own: dict[str, Any], choice: Choice, others: Choice) -> dict[str, Any]:
    """The group for the other optimizer: the rate in the same proportion, the same decay."""
    theirs: dict[str, Any] = {}
    if "lr" in own and (whole := value_of(choice, "lr")):
        theirs["lr"] = value_of(others, "lr") * own["lr"] / whole
    if "weight_decay" in own and value_of(others, "weight_decay") is not None:
        theirs["weight_decay"] = own["weight_decay"]
    return theirs


def value_of(optimizer: Choice, name: str) -> Any:
    """A parameter of an optimizer, torch's default where the document does not say; None where it has no such."""
    return completed(catalog("optimizers")[optimizer.type], optimizer.parameters).get(name)


def _trained(network: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def _undecayed(network: nn.Module) -> frozenset[int]:
    """Biases, and all that norms learn."""
    return frozenset(
        id(parameter)
        for module in network.modules()
        for name, parameter in module.named_parameters(recurse=False)
        if "bias" in name or "Norm" in type(module).__name__
    )
