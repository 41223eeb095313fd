"""The parameter groups of an optimizer as a plan tells them: counted on the `meta` device, as a run will make them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.catalog.optimizers import HIDDEN_ONLY
from engine.data.description import Description
from engine.experiment.document import Experiment
from engine.model.network import skeleton
from engine.model.parameter_groups import groups_of, value_of


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPlan:
    """One parameter group of the optimizer: what it moves, and how."""

    layers: tuple[str | int, ...] | None
    """As the document names them; None: those that no group names."""
    weights: str
    """Which of their weights: `hidden matrices`, `biases and norms`; empty where it is all that is left."""
    optimizer: str
    parameters: int
    lr: float | None
    """Its rate before any scheduler."""
    weight_decay: float | None
    """None where the optimizer has none."""
    own: dict[str, Any]
    """What else differs from the optimizer's parameters."""


def group_plans(experiment: Experiment, description: Description) -> tuple[GroupPlan, ...]:
    """The parameter groups of a network whose layers fit; a single one where all weights are moved alike."""
    optimizer = experiment.optimizer
    if not optimizer.groups and not optimizer.no_bias_decay and optimizer.type not in HIDDEN_ONLY:
        return ()
    return tuple(
        GroupPlan(
            layers=group.layers,
            weights=group.weights,
            optimizer=group.optimizer.type,
            parameters=sum(parameter.numel() for parameter in group.parameters),
            lr=group.own.get("lr", value_of(group.optimizer, "lr")),
            weight_decay=group.own.get("weight_decay", value_of(group.optimizer, "weight_decay")),
            own={name: value for name, value in group.own.items() if name not in ("lr", "weight_decay")},
        )
        for group in groups_of(optimizer, skeleton(experiment, description))
    )
