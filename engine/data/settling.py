"""The task of data that leaves it open: decided by the loss of the document, otherwise by the data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from engine.catalog import catalog
from engine.data.description import DataRefused, Description, Task
from engine.data.load import describe
from engine.data.recorded import NOTHING_RECORDED, RecordedData
from engine.data.sources import SOURCES
from engine.experiment.document import Data, Experiment
from engine.experiment.mistakes import Mistake, Refused, put


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known about the data of a document."""

    data: Data
    """With its task, where the loss settled it."""
    description: Description | None = None
    task: Task | None = None
    classes: int | None = None
    """Their number, if known."""
    mistakes: tuple[Mistake, ...] = ()


def known_data(experiment: Experiment, recorded: RecordedData = NOTHING_RECORDED) -> Known:
    """Describe the data of an experiment, or report why it cannot be loaded and what is known about it.

    Args:
        recorded: the orders of classes and categories that a resumed run started with.
    """
    settled = settled_task(experiment)
    if settled is None:
        return _known(experiment.data, experiment.seed, recorded)
    by_loss = _known(_with_task(experiment.data, settled), experiment.seed, recorded)
    if by_loss.description is not None:
        what = "classes" if settled == "classification" else "a quantity to predict"
        target = ", ".join(by_loss.description.targets) or "y"
        note = f"{experiment.loss.type} reads {target} as {what}."
        description = replace(by_loss.description, notes=(*by_loss.description.notes, note))
        odd = tuple(_odd_classes(experiment, description))
        return replace(by_loss, description=description, mistakes=(*by_loss.mistakes, *odd))
    if by_loss.task is not None:
        return by_loss
    # The target does not suit the loss: report that in addition to the mistakes of the data.
    by_itself = _known(experiment.data, experiment.seed, recorded)
    return by_itself if by_itself.description is not None or by_itself.task not in (None, settled) else by_loss


def _odd_classes(experiment: Experiment, description: Description) -> Iterator[Mistake]:
    """Warn if only the loss says that the file holds classes."""
    if description.odd_classes:
        found = f"{description.odd_classes}; {experiment.loss.type} reads them as classes"
        fix = 'Save them as integers, or set data.task = "classification".'
        expected = "expected whole numbers of an integer type"
        yield Mistake("data.task", found, expected, fix, severity="warning", remedy=put("classification"))


def with_settled_task(experiment: Experiment) -> Experiment:
    """The experiment with the task that its loss decides, as in its plan."""
    task = settled_task(experiment)
    if task is None:
        return experiment
    return experiment.model_copy(update={"data": _with_task(experiment.data, task)})


def _with_task(data: Data, task: Task) -> Data:
    return Data.model_validate({**data.model_dump(), "task": task})


def settled_task(experiment: Experiment) -> Task | None:
    """The task that the loss decides; None if the document states it, or if source or loss leave it open."""
    source, loss = SOURCES.get(experiment.data.source), catalog("losses").get(experiment.loss.type)
    if source is None or loss is None or "task" not in source.model_fields:
        return None
    if experiment.data.parameters.get("task", "auto") != "auto":
        return None
    return next((task for task in ("classification", "regression") if task in loss.tasks), None)


def stated_task(data: Data) -> Task | None:
    """The task that the document states; None if it states none, or if its source has only one."""
    source = SOURCES.get(data.source)
    said = data.parameters.get("task") if source is not None and "task" in source.model_fields else None
    return said if said in ("classification", "regression") else None


def _known(data: Data, seed: int, recorded: RecordedData) -> Known:
    try:
        description = describe(data, seed, recorded)
    except DataRefused as refused:
        return Known(data=data, task=refused.task, classes=refused.classes, mistakes=refused.mistakes)
    except Refused as refused:
        source = SOURCES.get(data.source)
        return Known(data=data, task=source.only_task if source is not None else None, mistakes=refused.mistakes)
    classes = description.outputs if description.task == "classification" else None
    return Known(
        data=data,
        description=description,
        task=description.task,
        classes=classes,
        mistakes=description.warnings,
    )
