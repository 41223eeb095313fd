"""The choices stage: loss, optimizer, scheduler and parameter groups against torch, the task and the run."""

from __future__ import annotations

from dataclasses import replace

from engine.catalog.class_weights import with_weights_listed
from engine.catalog.compatibility import optimizer_mistakes
from engine.plan.context import CheckContext
from engine.plan.rules.registry import checked


def choices(context: CheckContext) -> CheckContext:
    """Build the optimizer over a scratch parameter, check every choice, and list class weights by class."""
    wrong, optimizer = optimizer_mistakes(context.experiment.optimizer)
    context = checked("choices", replace(context, optimizer=optimizer, optimizer_mistakes=tuple(wrong)))
    if context.description is None or context.experiment.loss.type == "auto":
        return context
    loss = with_weights_listed(context.experiment.loss, context.description.classes)
    return replace(context, experiment=context.experiment.model_copy(update={"loss": loss}))
