"""The loss against the task of the data and against the last layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from engine.catalog import catalog
from engine.catalog.class_weights import numbered, shortened
from engine.catalog.compatibility import loss_mistakes
from engine.catalog.entry import Task
from engine.catalog.losses import BY_TASK, IGNORES_NONE, NUMBERS, ONE_OUTPUT
from engine.data.settling import stated_task
from engine.experiment.mistakes import Mistake, append, drop, unknown_name, value_text
from engine.experiment.paths import parse_path
from engine.experiment.tree import Place, backwards
from engine.plan.context import CheckContext
from engine.plan.rules.registry import rule, rule_after

_READINGS: dict[Task, str] = {"classification": "classes", "regression": "a quantity to predict"}

_BEFORE_LOSS = {"NLLLoss": ("LogSoftmax", "CrossEntropyLoss"), "BCELoss": ("Sigmoid", "BCEWithLogitsLoss")}
"""Losses of probabilities, the layer that outputs them, and the loss that combines both."""

_INSIDE_LOSS = {
    "CrossEntropyLoss": {
        "Softmax": "applied twice, it slows down learning",
        "LogSoftmax": "applied twice, it has no effect",
    },
    "BCEWithLogitsLoss": {"Sigmoid": "applied twice, it slows down learning"},
}
"""Layers that these losses apply, and the effect of the layer before them."""

_NEEDS_SCORES = frozenset({"CrossEntropyLoss", "BCEWithLogitsLoss", "MultiMarginLoss", "SoftMarginLoss"})

_RANGES = {
    "ReLU": "negative values",
    "ReLU6": "values outside of 0 to 6",
    "Sigmoid": "values outside of 0 to 1",
    "Hardsigmoid": "values outside of 0 to 1",
    "LogSigmoid": "positive values",
    "Tanh": "values outside of -1 to 1",
    "Hardtanh": "values outside of -1 to 1",
    "Softsign": "values outside of -1 to 1",
    "Softmax": "values outside of 0 to 1",
    "LogSoftmax": "positive values",
}
"""What an activation cannot output; without Softplus, which is used for positive targets."""


def last_layer(context: CheckContext) -> Place | None:
    """The layer whose output is the input of the loss, also inside containers; None if there is none."""
    layers = backwards(context.experiment.model.layers)
    return next((place for place in layers if place.layer.type != "Identity"), None)


@rule_after("choices")
def loss_is_refused(context: CheckContext) -> Iterator[Mistake]:
    """A loss that is not in the catalog, or parameters that torch does not accept."""
    if context.experiment.loss.type != "auto":
        yield from loss_mistakes(context.experiment.loss)


@rule_after("choices")
def loss_of_another_task(context: CheckContext) -> Iterator[Mistake]:
    """A loss that is not for the task of the data."""
    loss, task, said = context.experiment.loss.type, context.task, stated_task(context.experiment.data)
    entry = catalog("losses").get(loss)
    if entry is None or task is None or task in entry.tasks:
        return
    fix, expected = f'Use {BY_TASK[task]}, or "auto".', f"the task is {task}"
    if said is not None:
        expected = f'with data.task = "{said}" the target is {_READINGS[said]}'
        other: Task = "regression" if said == "classification" else "classification"
        if other in entry.tasks:
            fix = f'{fix[:-1]}; or set data.task = "{other}", with which the target is {_READINGS[other]}.'
    yield Mistake("loss.type", f"{loss} is for {' and '.join(entry.tasks)}", expected, fix)


@rule_after("choices")
def ten_classes_with_a_loss_of_two(context: CheckContext) -> Iterator[Mistake]:
    """A loss with one output for another number of classes than two."""
    loss = context.experiment.loss.type
    if loss in ONE_OUTPUT and _is_for_the_task(context) and context.classes not in (None, 2):
        found = f"{loss} is for two classes"
        yield Mistake("loss.type", found, f"the data has {context.classes}", "Use CrossEntropyLoss.")


def _suits(context: CheckContext) -> bool:
    """Whether the loss is for the task of the data and for as many classes."""
    loss = context.experiment.loss.type
    return _is_for_the_task(context) and not (loss in ONE_OUTPUT and context.classes not in (None, 2))


def _is_for_the_task(context: CheckContext) -> bool:
    entry = catalog("losses").get(context.experiment.loss.type)
    return entry is not None and context.task is not None and context.task in entry.tasks


@rule_after("choices")
def classes_that_are_not_in_the_data(context: CheckContext) -> Iterator[Mistake]:
    """Weights or indices of classes that the data does not have."""
    choice, classes = context.experiment.loss, context.classes
    if classes is None or not _suits(context):
        return
    names = context.description.classes if context.description is not None else ()
    weight, ignored = choice.parameters.get("weight"), choice.parameters.get("ignore_index", IGNORES_NONE)
    if isinstance(weight, Mapping):
        for name in weight:
            if name not in names:
                yield _no_class(name, names)
    elif isinstance(weight, (list, tuple)) and len(weight) != classes:
        found = f"found {len(weight)} weight{'s' if len(weight) != 1 else ''}"
        expected = f"the data has {classes} classes{_listed(names)}"
        fix = f'Set one weight per class, "balanced", or weights by name: {_example(names)}.'
        yield Mistake("loss.weight", found, expected, fix, choice.type)
    values = tuple(weight.values()) if isinstance(weight, Mapping) else weight
    if isinstance(values, (list, tuple)) and len(values) >= classes and not any(values):
        fix = 'Set a weight above 0, or "balanced".'
        yield Mistake("loss.weight", "every weight is 0", "the loss has no sample to learn from", fix, choice.type)
    if isinstance(ignored, int) and ignored != IGNORES_NONE and ignored not in range(classes):
        expected = f"class indices are 0 to {classes - 1}{numbered(names)}"
        fix = "Set it to the index of a class, or remove it."
        yield Mistake("loss.ignore_index", f"found {value_text(ignored)}", expected, fix, choice.type)


def _no_class(name: str, names: Sequence[str]) -> Mistake:
    path = f"loss.weight.{name}"
    if len(parse_path(path) or ()) == len(("loss", "weight", "name")):
        return unknown_name(path, name, names, "a class")
    return replace(unknown_name("loss.weight", name, names, "a class"), remedy=None)


def _example(names: Sequence[str]) -> str:
    name = names[0] if names else "cat"
    key = name if name and all(c.isascii() and (c.isalnum() or c in "-_") for c in name) else value_text(name)
    return f"{{{key} = 2.0}}"


def _listed(names: Sequence[str]) -> str:
    return f": {shortened(names)}" if names else ""


@rule
def probabilities_are_missing(context: CheckContext) -> Iterator[Mistake]:
    """NLLLoss without LogSoftmax, or BCELoss without Sigmoid: its input are not probabilities."""
    loss, last = context.experiment.loss.type, last_layer(context)
    if last is None or loss not in _BEFORE_LOSS or context.description is None:
        return
    needed, instead = _BEFORE_LOSS[loss]
    if last.layer.type != needed and _fits(context):
        found = f"{loss} needs {needed} as the last layer"
        fix = f"Add {needed} at the end, or use {instead}."
        remedy = append(needed, at=last.path)
        yield Mistake("loss.type", found, f"{last.path} is {last.layer.type}", fix, remedy=remedy)


def _fits(context: CheckContext) -> bool:
    """Whether the loss is for this data; if not, another rule reports that."""
    description, loss = context.description, context.experiment.loss.type
    if description is None or description.task != "classification":
        return False
    return loss != "BCELoss" or len(description.classes) == 2


@rule
def activation_is_in_the_loss(context: CheckContext) -> Iterator[Mistake]:
    """Softmax before CrossEntropyLoss, Sigmoid before BCEWithLogitsLoss: applied twice."""
    loss, last = context.experiment.loss.type, last_layer(context)
    inside = _INSIDE_LOSS.get(loss, {})
    if last is not None and last.layer.type in inside:
        found = f"{loss} applies {last.layer.type} itself"
        expected, type = inside[last.layer.type], last.layer.type
        yield Mistake(last.path, found, expected, "Remove it.", type, "warning", remedy=drop())


@rule
def activation_limits_the_predictions(context: CheckContext) -> Iterator[Mistake]:
    """An activation as the last layer, whose outputs cannot reach every target."""
    loss, last = context.experiment.loss.type, last_layer(context)
    if last is None or last.layer.type not in _RANGES or last.layer.type in _INSIDE_LOSS.get(loss, {}):
        return
    type = last.layer.type
    numbers = context.description is not None and context.description.task in NUMBERS
    if numbers and loss != "PoissonNLLLoss":
        expected = "such targets cannot be reached"
    elif loss in _NEEDS_SCORES:
        expected = f"{loss} expects logits of any value"
    else:
        return
    fix = "Remove it."
    found = f"the last layer cannot output {_RANGES[type]}"
    yield Mistake(last.path, found, expected, fix, type, "warning", remedy=drop())


@rule
def dropout_drops_predictions(context: CheckContext) -> Iterator[Mistake]:
    """Dropout as the last layer: predictions are set to 0 in training."""
    last = last_layer(context)
    if last is not None and "Dropout" in last.layer.type:
        found = "as the last layer it sets predictions to 0 in training"
        fix = f"Move it before the layer that outputs them, or remove {last.path}."
        yield Mistake(last.path, found, "the loss is computed on them", fix, last.layer.type, "warning")
