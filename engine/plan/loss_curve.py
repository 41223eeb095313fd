"""What a loss costs, drawn: its value for one sample, over the error or over what the right class is given.

Every number is torch's own: the loss is built as for a run and asked for one sample at a time.
K classes.
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
    """Whether it is the experiment's own, rather than one beside it to compare with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossCurve:
    """The experiment's loss, and others beside it."""

    axis: str
    """What `x` is: the error, the probability or the score of the right class."""
    x: tuple[float, ...]
    lines: tuple[LossLine, ...]
    """The experiment's own come first."""
    notes: tuple[str, ...] = ()


def loss_curve(choice: Choice, description: Description, class_counts: Sequence[int] = ()) -> LossCurve:
    """A loss of the catalog, with its own parameters, over what it judges.

    Args:
        class_counts: training samples of each class, from which "balanced" weights follow.
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
    """The loss of each row of `outputs` (P, K) by itself, against its target."""
    criterion = build_loss(choice, class_counts)
    return tuple(float(criterion(outputs[i : i + 1], targets[i : i + 1])) for i in range(len(outputs)))


def _of_errors(choice: Choice) -> LossCurve:
    errors = torch.tensor(_ERRORS).reshape(-1, 1)
    right = torch.zeros_like(errors)
    others = [Choice(type=name) for name in _COMPARED if name != choice.type]
    lines = (LossLine(name=other.type, values=_values(other, errors, right)) for other in others)
    own = LossLine(name=choice.type, values=_values(choice, errors, right), chosen=True)
    return LossCurve(axis="error: output less target", x=_ERRORS, lines=(own, *lines))


def _of_counts(choice: Choice) -> LossCurve:
    """Counts are not judged by the error alone: a rate of 2 for a count of 1 is worse than one of 11 for 10."""
    log_input = choice.parameters.get("log_input", True)
    outputs = _ERRORS if log_input else tuple(0.05 * i for i in range(1, 121))
    column = torch.tensor(outputs).reshape(-1, 1)
    own = LossLine(name=choice.type, values=_values(choice, column, torch.ones_like(column)), chosen=True)
    means = "the log of the rate" if log_input else "the rate"
    return LossCurve(axis=f"output ({means}), where 1 is counted", x=outputs, lines=(own,))


def _of_one_output(choice: Choice, description: Description, class_counts: Sequence[int]) -> LossCurve:
    """Two classes and one output, positive for the second."""
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
        notes.append(f"pos_weight lets a sample of {positive} count {lines[0].values[49] / values[49]:.3g} times.")
    axis = "score for the right class" if by_score else "probability of the right class"
    return LossCurve(axis=axis, x=x, lines=tuple(lines), notes=tuple(notes))


def _of_margins(choice: Choice, description: Description, class_counts: Sequence[int]) -> LossCurve:
    """The right class leads all others, which have one score, by so much."""
    right = _a_class_that_counts(choice, description)
    scores = torch.zeros(len(_ERRORS), description.outputs, dtype=torch.float32)
    scores[:, right] = torch.tensor(_ERRORS)
    targets = torch.full((len(_ERRORS),), right)
    own = LossLine(name=choice.type, values=_values(choice, scores, targets, class_counts), chosen=True)
    beside = Choice(type="CrossEntropyLoss")
    lines = (own, LossLine(name=beside.type, values=_values(beside, scores, targets)))
    notes = tuple(_weight_notes(choice, description, class_counts))
    return LossCurve(axis="lead of the right class's score", x=_ERRORS, lines=lines, notes=notes)


def _of_probabilities(choice: Choice, description: Description, class_counts: Sequence[int]) -> LossCurve:
    """The right class has a probability, and the others share evenly what is left of 1."""
    right = _a_class_that_counts(choice, description)
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
    return LossCurve(axis="probability of the right class", x=_PROBABILITIES, lines=tuple(lines), notes=notes)


def _a_class_that_counts(choice: Choice, description: Description) -> int:
    weight = choice.parameters.get("weight")
    ignored = choice.parameters.get("ignore_index")
    for number in range(description.outputs):
        if number != ignored and (not isinstance(weight, (list, tuple)) or weight[number] > 0):
            return number
    return 0


def _weight_notes(choice: Choice, description: Description, class_counts: Sequence[int]) -> Iterator[str]:
    """What a weight for each class comes to: the curve is that of one sample, in which its own weight cancels out."""
    weight = choice.parameters.get("weight")
    if weight == "balanced":
        weight = balanced_weights(class_counts) if class_counts else None
    if weight is None:
        return
    named = sorted(zip(weight, description.classes, strict=False), reverse=True)
    (most, heaviest), (least, lightest) = named[0], named[-1]
    yield f"In a batch, a sample of {heaviest} counts {most:.3g}, one of {lightest} {least:.3g}."
