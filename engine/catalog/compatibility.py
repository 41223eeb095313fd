"""Check one loss, optimizer or scheduler, whatever the rest of the document: by the catalog and by torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.optim import Optimizer

from engine.catalog.bind import build_loss, build_optimizer, scratch_parameter
from engine.catalog.choices import TORCH_REFUSES, Checked, blame, check_parameters, check_type
from engine.catalog.losses import ONE_OUTPUT
from engine.experiment.document import Choice, Scheduler
from engine.experiment.mistakes import Mistake


def loss_mistakes(choice: Choice) -> list[Mistake]:
    """Mistakes of a loss, for any task. It is computed once on two samples."""
    entry, mistakes = check_type("losses", choice, "loss")
    if entry is None:
        return mistakes
    checked = check_parameters(entry, choice.parameters, "loss")
    if checked.mistakes:
        return list(checked.mistakes)

    def attempt(**parameters: Any) -> None:
        weight = parameters.get("weight")
        if isinstance(weight, Mapping):  # here the classes do not matter
            parameters = {**parameters, "weight": (weight := tuple(map(float, weight.values())) or (1.0, 1.0))}
        outputs = len(weight) if isinstance(weight, (list, tuple)) else 2
        loss = build_loss(Choice.model_validate({"type": choice.type, **parameters}), [1] * outputs)
        one_of_two = choice.type in ONE_OUTPUT or "classification" not in entry.tasks
        output = torch.full((2, 1 if one_of_two else outputs), 0.5)
        loss(output, torch.zeros(2, dtype=torch.int64) if "classification" in entry.tasks else output)

    try:
        attempt(**checked.parameters)
    except TORCH_REFUSES as error:
        return [blame(entry, checked.parameters, error, attempt, "loss")]
    return []


def optimizer_mistakes(choice: Choice, path: str = "optimizer") -> tuple[list[Mistake], Optimizer | None]:
    """Mistakes of an optimizer; if there are none, the optimizer over a scratch parameter."""
    entry, mistakes = check_type("optimizers", choice, path)
    if entry is None:
        return mistakes, None
    checked = check_parameters(entry, choice.parameters, path)
    if checked.mistakes:
        return list(checked.mistakes), None

    def attempt(**parameters: Any) -> Optimizer:
        return build_optimizer(
            Choice.model_validate({"type": choice.type, **parameters}), [scratch_parameter()], fused=False
        )

    try:
        return [], attempt(**checked.parameters)
    except TORCH_REFUSES as error:
        return [blame(entry, checked.parameters, error, attempt, path)], None


def scheduler_checked(choice: Scheduler | None) -> Checked:
    """Check type and parameters of a scheduler. Building it takes an optimizer and the length of the run."""
    if choice is None:
        return Checked()
    entry, mistakes = check_type("schedulers", choice, "scheduler")
    if entry is None:
        return Checked(tuple(mistakes), whole=False)
    return check_parameters(entry, choice.parameters, "scheduler")
