"""The choices stage: loss, optimizer, scheduler and parameter groups against torch, the task and the run."""

from __future__ import annotations

from dataclasses import replace

from engine.catalog.class_weights import with_weights_listed
from engine.catalog.compatibility import optimizer_mistakes, scheduler_checked
from engine.plan.context import CheckContext
from engine.plan.rules.registry import checked


def choices(context: CheckContext) -> CheckContext:
    """Build the optimizer over a scratch parameter, check every choice, and list class weights by class."""
    experiment = context.experiment
    wrong, optimizer = optimizer_mistakes(experiment.optimizer)
    scheduler = scheduler_checked(experiment.scheduler)
    context = replace(context, optimizer=optimizer, optimizer_mistakes=tuple(wrong), scheduler=scheduler)
    context = checked("choices", context)
    loss = with_weights_listed(experiment.loss, context.description.classes if context.description else ())
    if loss is experiment.loss:
        return context
    return replace(context, experiment=experiment.model_copy(update={"loss": loss}))
