"""The data and its split against the loss and the layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from engine.catalog.losses import IGNORES_NONE, OF_CLASSES
from engine.data import load_data, to_download
from engine.experiment.document import Choice
from engine.experiment.mistakes import Mistake, Refused, drop, put, value_text
from engine.plan.context import CheckContext
from engine.plan.rules.registry import number, rule

_NAMED = 3


@rule
def nothing_counts(context: CheckContext) -> Iterator[Mistake]:
    """A training or validation part whose samples all have weight 0 in the loss, or are ignored by it."""
    description, loss = context.description, context.experiment.loss
    if description is None or description.task not in OF_CLASSES:
        return
    left_out = _left_out(loss)
    if not left_out:
        return
    names = description.classes
    for part, counts in _counts(context).items():
        present = [index for index, count in enumerate(counts) if count]
        if not present or any(index not in left_out for index in present):
            continue
        samples = sum(counts)
        of = "class" if len(present) == 1 else "classes"
        shown = ", ".join(names[i] if i < len(names) else str(i) for i in present[:_NAMED])
        shown += f" and {len(present) - _NAMED} more" if len(present) > _NAMED else ""
        what = "token" if description.task == "language modelling" else "sample"
        path, setting = left_out[present[0]]
        every = f"all {samples:,} {what}s" if samples > 1 else f"the only {what}"
        found = f"{setting} leaves out {every} of the {part} part ({of} {shown})"
        yield _mistake(context, path, found, part, loss.type)
        return


def _mistake(context: CheckContext, path: str, found: str, part: str, loss: str) -> Mistake:
    if part == "training":
        fix = "Give one of these classes a weight, or train on samples of other classes."
        return Mistake(path, found, "the loss has no sample to learn from", fix, loss)
    stopping, scheduler = context.experiment.training.early_stopping, context.experiment.scheduler
    expected = "there is no val_loss to find the best epoch by"
    fix = "Validate on samples of other classes."
    if stopping is not None and stopping.monitor == "val_loss":
        expected += "; early stopping never ends the run"
        fix = 'Validate on samples of other classes, or set training.early_stopping.monitor = "val_accuracy".'
    if scheduler is not None and scheduler.type == "ReduceLROnPlateau":
        expected += "; ReduceLROnPlateau has no val_loss to watch" * (_watched(scheduler) == "val_loss")
    return Mistake(path, found, expected, fix, loss, "warning")


def _watched(scheduler: Choice) -> Any:
    return scheduler.parameters.get("monitor", "val_loss")


def _left_out(loss: Choice) -> Mapping[int, tuple[str, str]]:
    """Each class that the loss leaves out: the field that leaves it out, and its value as text."""
    found: dict[int, tuple[str, str]] = {}
    weight, ignored = loss.parameters.get("weight"), loss.parameters.get("ignore_index", IGNORES_NONE)
    if isinstance(weight, (list, tuple)):
        zeros = [index for index, value in enumerate(weight) if value == 0]
        found |= {index: ("loss.weight", f"a weight of 0 ({value_text(weight)})") for index in zeros}
    if isinstance(ignored, int) and ignored != IGNORES_NONE:
        found[ignored] = ("loss.ignore_index", f"ignore_index = {ignored}")
    if number(loss, "pos_weight") == 0:
        found[1] = ("loss.pos_weight", "a pos_weight of 0")
    return found


def _counts(context: CheckContext) -> Mapping[Literal["training", "validation"], list[int]]:
    """Number of samples of each class in each part. The data is in memory, since the data stage described it."""
    from engine.data.data_warnings import class_counts

    experiment = context.experiment
    if to_download(experiment.data):
        return {}
    try:
        dataset = load_data(experiment.data, experiment.seed)
    except Refused:
        return {}
    parts = {"training": dataset.train, "validation": dataset.validation}
    return {part: class_counts(dataset, indices).tolist() for part, indices in parts.items()}  # type: ignore[misc]


@rule
def published_weights_normalise_themselves(context: CheckContext) -> Iterator[Mistake]:
    """Pixels that are standardized twice: by the data, and by a backbone for its published weights."""
    description, data = context.description, context.experiment.data
    if description is None or not data.normalize or description.input_kind != "image" or description.stored != "uint8":
        return
    for place in context.places:
        if place.layer.type == "torchvision" and place.layer.parameters.get("weights", "none") != "none":
            yield Mistake(
                "data.normalize",
                "pixels are standardized by mean and std of the training part",
                f"{place.path} expects pixels from 0 to 1 and standardizes them for its published weights",
                "Set data.normalize = false.",
                severity="warning",
                remedy=put(False),
            )
            return


@rule
def validation_share_with_fold(context: CheckContext) -> Iterator[Mistake]:
    """A validation share next to a fold, which is the validation part."""
    data = context.experiment.data
    # A complete document has the default.
    if data.fold is None or data.validation == type(data).model_fields["validation"].default:
        return
    found, expected = (
        f"found {value_text(data.validation)}",
        f"fold {data.fold} is the validation part, so data.validation is not used",
    )
    yield Mistake("data.validation", found, expected, "Remove it.", severity="warning", remedy=drop())
