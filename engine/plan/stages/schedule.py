"""The schedule stage: the parameter groups of the optimizer and the learning rate of each of their steps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from engine.experiment.document import Experiment
from engine.plan.completion import complete
from engine.plan.context import PLACEHOLDER, CheckContext
from engine.plan.groups import GroupPlan, group_plans
from engine.plan.planned_rates import PlannedRates, with_rate_of_group
from engine.plan.rules.registry import checked


def schedule(context: CheckContext) -> CheckContext:
    """Make the parameter groups; plan the rate of every step unless optimizer or scheduler have a mistake."""
    fits = context.outermost and all(m.severity != "error" for layer in context.layers for m in layer.mistakes)
    built = context.optimizer is not None and not context.has_error("optimizer")
    if context.description is not None and fits and built:
        context = replace(context, groups=group_plans(context.experiment, context.description))
    context = checked("schedule", context)
    open_ = any(mistake.path.startswith(("optimizer", "scheduler")) for mistake in context.mistakes)
    if open_ or not context.steps_per_epoch:
        return context
    experiment, steps_per_epoch = context.experiment, context.steps_per_epoch
    return replace(
        context,
        lr=_planned_rates(_rate_parts(experiment), steps_per_epoch),
        group_rates=_group_rates(experiment, context.groups or (), steps_per_epoch),
    )


def _rate_parts(experiment: Experiment) -> str:
    """The parts of an experiment that the learning rate depends on, as JSON."""
    scheduler = complete("schedulers", experiment.scheduler)
    parts: dict[str, Any] = {
        "optimizer": complete("optimizers", experiment.optimizer).model_dump(),
        "scheduler": scheduler.model_dump() if scheduler is not None else None,
        "training": {"epochs": experiment.training.epochs},
    }
    return json.dumps(parts)


def _group_rates(experiment: Experiment, groups: Sequence[GroupPlan], steps_per_epoch: int) -> tuple[PlannedRates, ...]:
    if len(groups) < 2:
        return ()
    rates = [group.lr if group.lr is not None else groups[0].lr for group in groups]
    seen = [with_rate_of_group(experiment, rate, of_first=rates[0]) for rate in rates]
    return tuple(_planned_rates(_rate_parts(one), steps_per_epoch) for one in seen)


@lru_cache(maxsize=32)
def _planned_rates(rate_parts: str, steps_per_epoch: int) -> PlannedRates:
    """Cached, so that checking again after an edit of the model does not run the scheduler again."""
    parts = {**PLACEHOLDER.model_dump(), **json.loads(rate_parts)}
    return PlannedRates(Experiment.model_validate(parts), steps_per_epoch)
