"""The optimizer of a run: one of torch's, or two of them that step together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from engine.catalog.bind import build_optimizer
from engine.catalog.dynamo import plain_step
from engine.catalog.optimizers import HIDDEN_ONLY, OTHERS
from engine.experiment import document
from engine.experiment.document import Choice
from engine.model.parameter_groups import groups_of, parameter_groups


def optimizer_of(choice: document.Optimizer, network: nn.Module, *, fused: bool) -> Optimizer:
    """Build the optimizer of a network that is on its device; Muon is combined with one for the other parameters."""
    if choice.type not in HIDDEN_ONLY:
        return build_optimizer(choice, parameter_groups(choice, network), fused=fused)
    groups = groups_of(choice, network)
    parts = []
    for part in (choice, choice.others or Choice(type=OTHERS)):
        own = [group.for_torch for group in groups if group.optimizer.type == part.type]
        if own:
            parts.append(build_optimizer(part, own, fused=fused))
    return CombinedOptimizer(parts)


class CombinedOptimizer(Optimizer):
    """Several optimizers as one, with the parameter groups and states of all; a step is a step of each.

    Schedulers, gradient scaling and checkpoints see one torch optimizer whose groups have different options. Its
    `defaults` are those of the first part.
    """

    def __init__(self, parts: Sequence[Optimizer]) -> None:
        self.parts = tuple(parts)
        super().__init__([group for part in parts for group in part.param_groups], {})
        self.defaults = dict(self.parts[0].defaults)
        self._steps = [plain_step(part) for part in self.parts]
        self._share()

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step of each part."""
        for step in self._steps:
            step()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore a `state_dict()`."""
        super().load_state_dict(state_dict)
        self._share()

    def _share(self) -> None:
        """Let the parts work on this optimizer's groups and state."""
        groups = iter(self.param_groups)
        for part in self.parts:
            part.param_groups = list(islice(groups, len(part.param_groups)))
            part.state = self.state
