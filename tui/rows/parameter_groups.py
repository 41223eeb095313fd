"""The parameter groups of an optimizer in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.plan.groups import GroupPlan


def group_name(group: GroupPlan, groups: Sequence[GroupPlan]) -> str:
    """What a group moves: `0..3, Conv2d`, `all other layers: biases and norms`, `hidden matrices`."""
    words = []
    if group.layers is not None:
        words.append(", ".join(map(str, group.layers)))
    elif any(other.layers is not None for other in groups):
        words.append("all other layers")
    if group.weights:
        words.append(group.weights)
    return ": ".join(words) or "all other weights"


def several_optimizers(groups: Sequence[GroupPlan]) -> bool:
    """Whether the groups are not all of one optimizer: Muon has another beside it."""
    return len({group.optimizer for group in groups}) > 1
