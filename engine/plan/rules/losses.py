"""The loss against the last layer: what it applies itself, what it needs before it, what answers cannot be given."""

from __future__ import annotations

from collections.abc import Iterator

from engine.catalog.losses import NUMBERS
from engine.experiment.mistakes import Mistake, append, drop
from engine.experiment.tree import Place, backwards
from engine.plan.rules.subject import Subject, check

_BEFORE_LOSS = {"NLLLoss": ("LogSoftmax", "CrossEntropyLoss"), "BCELoss": ("Sigmoid", "BCEWithLogitsLoss")}
"""Losses of probabilities, the layer that makes them, and the loss that is both."""

_INSIDE_LOSS = {
    "CrossEntropyLoss": {"Softmax": "done twice it learns slowly", "LogSoftmax": "done twice it changes nothing"},
    "BCEWithLogitsLoss": {"Sigmoid": "done twice it learns slowly"},
}
"""Layers that these losses apply themselves."""

_NEEDS_SCORES = frozenset({"CrossEntropyLoss", "BCEWithLogitsLoss", "MultiMarginLoss", "SoftMarginLoss"})

_RANGES = {
    "ReLU": "none below 0",
    "ReLU6": "only 0 to 6",
    "Sigmoid": "only 0 to 1",
    "Hardsigmoid": "only 0 to 1",
    "LogSigmoid": "none above 0",
    "Tanh": "only -1 to 1",
    "Hardtanh": "only -1 to 1",
    "Softsign": "only -1 to 1",
    "Softmax": "only 0 to 1",
    "LogSoftmax": "none above 0",
}
"""Which numbers an activation gives; Softplus is left out, which is taken where every target is positive."""


def last_layer(subject: Subject) -> Place | None:
    """The layer whose output the loss gets, containers entered; None for a network that does nothing."""
    layers = backwards(subject.experiment.model.layers)
    return next((place for place in layers if place.layer.type != "Identity"), None)


@check
def probabilities_are_missing(subject: Subject) -> Iterator[Mistake]:
    """NLLLoss without LogSoftmax, BCELoss without Sigmoid: the loss of something that is no probability."""
    loss, last = subject.experiment.loss.type, last_layer(subject)
    if last is None or loss not in _BEFORE_LOSS or subject.description is None:
        return
    needed, instead = _BEFORE_LOSS[loss]
    if last.layer.type != needed and _fits(subject):
        found = f"{loss} wants {needed} as the last layer"
        fix = f"Add {needed} at the end, or use {instead}."
        remedy = append(needed, at=last.path)
        yield Mistake("loss.type", found, f"{last.path} is {last.layer.type}", fix, remedy=remedy)


def _fits(subject: Subject) -> bool:
    """Whether the loss is one for this data at all; where it is not, that has been said and is enough."""
    description, loss = subject.description, subject.experiment.loss.type
    if description is None or description.task != "classification":
        return False
    return loss != "BCELoss" or len(description.classes) == 2


@check
def activation_is_in_the_loss(subject: Subject) -> Iterator[Mistake]:
    """Softmax before CrossEntropyLoss, Sigmoid before BCEWithLogitsLoss: applied twice."""
    loss, last = subject.experiment.loss.type, last_layer(subject)
    inside = _INSIDE_LOSS.get(loss, {})
    if last is not None and last.layer.type in inside:
        found = f"{loss} applies {last.layer.type} itself"
        expected, type = inside[last.layer.type], last.layer.type
        yield Mistake(last.path, found, expected, "Remove it.", type, "warning", remedy=drop())


@check
def activation_cuts_the_answers(subject: Subject) -> Iterator[Mistake]:
    """An activation after the last layer with weights keeps the answers in a range that the targets may leave."""
    loss, last = subject.experiment.loss.type, last_layer(subject)
    if last is None or last.layer.type not in _RANGES or last.layer.type in _INSIDE_LOSS.get(loss, {}):
        return
    type = last.layer.type
    numbers = subject.description is not None and subject.description.task in NUMBERS
    if numbers and loss != "PoissonNLLLoss":
        expected = "targets beyond that are never met"
    elif loss in _NEEDS_SCORES:
        expected = f"{loss} wants scores of any size"
    else:
        return
    fix = "Remove it."
    found = f"as the last layer it gives numbers, {_RANGES[type]}"
    yield Mistake(last.path, found, expected, fix, type, "warning", remedy=drop())


@check
def dropout_drops_answers(subject: Subject) -> Iterator[Mistake]:
    """Dropout as the last layer: answers are set to 0 while training."""
    last = last_layer(subject)
    if last is not None and "Dropout" in last.layer.type:
        found = "as the last layer it sets answers to 0 while training"
        fix = f"Move it before the layer that gives them, or remove {last.path}."
        yield Mistake(last.path, found, "the loss is of those", fix, last.layer.type, "warning")
