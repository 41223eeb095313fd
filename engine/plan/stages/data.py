"""The data stage: the data described, the task and the loss settled."""

from __future__ import annotations

from dataclasses import replace

from engine.catalog.losses import BY_TASK
from engine.data.settling import known_data
from engine.experiment.document import Choice
from engine.plan.context import CheckContext


def data(context: CheckContext) -> CheckContext:
    """Describe the data; what its files say about the task may settle the task, and the task an "auto" loss."""
    experiment = context.experiment
    known = known_data(experiment, context.recorded)
    if known.data is not experiment.data:
        experiment = experiment.model_copy(update={"data": known.data})
    if experiment.loss.type == "auto" and known.task is not None:
        experiment = experiment.model_copy(update={"loss": Choice(type=BY_TASK[known.task])})
    return replace(
        context,
        experiment=experiment,
        mistakes=known.mistakes,
        description=known.description,
        task=known.task,
        classes=known.classes,
    )
