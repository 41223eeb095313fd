"""The names of an optimizer's parameter groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine import GroupPlan


def group_name(group: GroupPlan, groups: Sequence[GroupPlan]) -> str:
    """Return the parameters of a group in words: `0..3, Conv2d`, `all other layers: biases and norms`."""
    words = []
    if group.layers is not None:
        words.append(", ".join(map(str, group.layers)))
    elif any(other.layers is not None for other in groups):
        words.append("all other layers")
    if group.weights:
        words.append(group.weights)
    return ": ".join(words) or "all other weights"


def several_optimizers(groups: Sequence[GroupPlan]) -> bool:
    """Whether the groups use more than one optimizer; Muon is combined with another one."""
    return len({group.optimizer for group in groups}) > 1
