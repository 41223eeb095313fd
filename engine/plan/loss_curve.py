"""The curve of a loss: its value for one sample over the error, or over the prediction for the true class.

The loss is built as for a run and computed for one sample at a time.

P points of a curve, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.catalog.bind import balanced_weights, build_loss
from engine.catalog.losses import ONE_OUTPUT
from engine.data.description import Description
from engine.experiment.document import Choice

_FARTHEST = 3.0
_ERRORS = tuple(_FARTHEST * (i - 60) / 60 for i in range(121))
_PROBABILITIES = tuple(i / 100 for i in range(1, 100))
_COMPARED = ("MSELoss", "L1Loss", "SmoothL1Loss")


@dataclass(frozen=True, slots=True, kw_only=True)
class LossLine:
    """One loss over the axis."""

    name: str
    values: tuple[float, ...]
    chosen: bool = False
    """Whether it is the loss of the experiment; others are for comparison."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossCurve:
    """The loss of the experiment, and others for comparison."""

    axis: str
    """Label of `x`: the error, or the probability or score of the true class."""
    x: tuple[float, ...]
    lines: tuple[LossLine, ...]
    """Those of the experiment come first."""
    notes: tuple[str, ...] = ()


def loss_curve(choice: Choice, description: Description, class_counts: Sequence[int] = ()) -> LossCurve:
    """The curve of a loss with its parameters.

    Args:
        class_counts: training samples of each class, for "balanced" weights.
    """
    with torch.no_grad():
        if choice.type == "PoissonNLLLoss":
            return _of_counts(choice)
        if description.task != "classification":
            return _of_errors(choice)
        if choice.type in ONE_OUTPUT:
            return _of_one_output(choice, description, class_counts)
        if choice.type == "MultiMarginLoss":
            return _of_margins(choice, description, class_counts)
        return _of_probabilities(choice, description, class_counts)


def _values(choice: Choice, outputs: Tensor, targets: Tensor, class_counts: Sequence[int] = ()) -> tuple[float, ...]:
    """The loss of each row of `outputs` (P, K) and its target."""
    criterion = build_loss(choice, class_counts)
    return tuple(float(criterion(outputs[i : i + 1], targets[i : i + 1])) for i in range(len(outputs)))


def _of_errors(choice: Choice) -> LossCurve:
    errors = torch.tensor(_ERRORS).reshape(-1, 1)
    right = torch.zeros_like(errors)
    others = [Choice(type=name) for name in _COMPARED if name != choice.type]
    lines = (LossLine(name=other.type, values=_values(other, errors, right)) for other in others)
    own = LossLine(name=choice.type, values=_values(choice, errors, right), chosen=True)
    return LossCurve(axis="error: output - target", x=_ERRORS, lines=(own, *lines))


def _of_counts(choice: Choice) -> LossCurve:
    """The loss of counts depends on more than the error: a rate of 2 for a count of 1 is worse than 11 for 10."""
    log_input = choice.parameters.get("log_input", True)
    outputs = _ERRORS if log_input else tuple(0.05 * i for i in range(1, 121))
    column = torch.tensor(outputs).reshape(-1, 1)
    own = LossLine(name=choice.type, values=_values(choice, column, torch.ones_like(column)), chosen=True)
    means = "log of the rate" if log_input else "rate"
    return LossCurve(axis=f"output ({means}) for a count of 1", x=outputs, lines=(own,))


def _of_one_output(choice: Choice, description: Description, class_counts: Sequence[int]) -> LossCurve:
    """Two classes and one output, which is positive for the second."""
    by_score = choice.type == "SoftMarginLoss"
    x = _ERRORS if by_score else _PROBABILITIES
    column = torch.tensor(x, dtype=torch.float64).reshape(-1, 1)
    scores = column if by_score else torch.logit(column)
    second = torch.ones(len(x), dtype=torch.int64)
    towards, away = (column, 1 - column) if choice.type == "BCELoss" else (scores, -scores)
    lines = [LossLine(name=choice.type, values=_values(choice, towards, second, class_counts), chosen=True)]
    notes = []
    if choice.parameters.get("pos_weight") is not None:
        first, positive = description.classes[:2]
        values = _values(choice, away, second - 1, class_counts)
        lines = [
            LossLine(name=positive, values=lines[0].values, chosen=True),
            LossLine(name=first, values=values, chosen=True),
        ]
        notes.append(f"With pos_weight, a sample of {positive} counts {lines[0].values[49] / values[49]:.3g} times.")
    axis = "score of the true class" if by_score else "probability of the true class"
    return LossCurve(axis=axis, x=x, lines=tuple(lines), notes=tuple(notes))


def _of_margins(choice: Choice, description: Description, class_counts: Sequence[int]) -> LossCurve:
    """The score of the true class minus that of all other classes, which have the same score."""
    right = _class_that_counts(choice, description)
    scores = torch.zeros(len(_ERRORS), description.outputs, dtype=torch.float32)
    scores[:, right] = torch.tensor(_ERRORS)
    targets = torch.full((len(_ERRORS),), right)
    own = LossLine(name=choice.type, values=_values(choice, scores, targets, class_counts), chosen=True)
    compared = Choice(type="CrossEntropyLoss")
    lines = (own, LossLine(name=compared.type, values=_values(compared, scores, targets)))
    notes = tuple(_weight_notes(choice, description, class_counts))
    return LossCurve(axis="score of the true class - other scores", x=_ERRORS, lines=lines, notes=notes)


def _of_probabilities(choice: Choice, description: Description, class_counts: Sequence[int]) -> LossCurve:
    """The true class has a probability, and the others share the rest equally."""
    right = _class_that_counts(choice, description)
    others = description.outputs - 1
    logs = torch.empty(len(_PROBABILITIES), description.outputs)
    for row, p in zip(logs, _PROBABILITIES, strict=True):
        row.fill_(math.log((1 - p) / max(others, 1)))
        row[right] = math.log(p)
    targets = torch.full((len(_PROBABILITIES),), right)
    own = LossLine(name=choice.type, values=_values(choice, logs, targets, class_counts), chosen=True)
    lines = [own]
    if choice.type == "CrossEntropyLoss":
        smooths = choice.parameters.get("label_smoothing", 0.0)
        other = {"type": choice.type, "label_smoothing": 0.0 if smooths else 0.1}
        name = "without label_smoothing" if smooths else "with label_smoothing 0.1"
        lines.append(LossLine(name=name, values=_values(Choice.model_validate(other), logs, targets)))
    notes = tuple(_weight_notes(choice, description, class_counts))
    return LossCurve(axis="probability of the true class", x=_PROBABILITIES, lines=tuple(lines), notes=notes)


def _class_that_counts(choice: Choice, description: Description) -> int:
    weight = choice.parameters.get("weight")
    ignored = choice.parameters.get("ignore_index")
    for number in range(description.outputs):
        if number != ignored and (not isinstance(weight, (list, tuple)) or weight[number] > 0):
            return number
    return 0


def _weight_notes(choice: Choice, description: Description, class_counts: Sequence[int]) -> Iterator[str]:
    """A note on class weights, which cancel out in the curve of one sample."""
    weight = choice.parameters.get("weight")
    if weight == "balanced":
        weight = balanced_weights(class_counts) if class_counts else None
    if weight is None:
        return
    named = sorted(zip(weight, description.classes, strict=False), reverse=True)
    (most, heaviest), (least, lightest) = named[0], named[-1]
    yield f"In a batch, a sample of {heaviest} has weight {most:.3g}, one of {lightest} {least:.3g}."
