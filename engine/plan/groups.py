"""The parameter groups of an optimizer, counted on the `meta` device."""

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
    """One parameter group of the optimizer."""

    layers: tuple[str | int, ...] | None
    """Its layers, as the document names them; None for layers that no group names."""
    weights: str
    """Which weights of these layers: `hidden matrices`, `biases and norms`; empty for all others."""
    optimizer: str
    parameters: int
    lr: float | None
    """Learning rate before warm-up and scheduler."""
    weight_decay: float | None
    """None if the optimizer has no weight decay."""
    own: dict[str, Any]
    """Other parameters that differ from those of the optimizer."""


def group_plans(experiment: Experiment, description: Description) -> tuple[GroupPlan, ...]:
    """The parameter groups of a network without mistakes; empty if all weights are trained alike."""
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
