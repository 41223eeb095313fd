"""Losses: what training minimizes. https://docs.pytorch.org/docs/stable/nn.html#loss-functions"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge
from pydantic import Field

from engine.catalog.entry import Entry, Task

CLASSIFICATION: tuple[Task, ...] = ("classification",)
OF_CLASSES: tuple[Task, ...] = ("classification", "language modelling")
NUMBERS: tuple[Task, ...] = ("regression", "forecasting")

BY_TASK: dict[Task, str] = {
    "classification": "CrossEntropyLoss",
    "regression": "MSELoss",
    "forecasting": "MSELoss",
    "language modelling": "CrossEntropyLoss",
}
"""The loss that "auto" stands for."""

ONE_OUTPUT = frozenset({"BCELoss", "BCEWithLogitsLoss", "SoftMarginLoss"})
"""Losses for two classes with a single output."""

IGNORES_NONE = -100
"""The default of ignore_index in torch; no class has this index."""

_Weight = Annotated[float, Ge(0), Field(allow_inf_nan=False)]
_CLASS_WEIGHTS: Any = {"weight": Literal["balanced"] | tuple[_Weight, ...] | dict[str, _Weight]}
_CLASS_WEIGHTS_HELP = {
    "weight": "One weight per class in their order; weights by name, {cat = 2.0}, where others are 1; "
    'or "balanced", with which all classes count the same: n / (K · n_k), '
    "where n_k of the n training samples are of class k of K."
}
_IGNORE_HELP = {
    "ignore_index": "Index of a class whose samples the loss ignores; metrics count them. At -100 no class is ignored."
}


def _loss(name: str, tasks: tuple[Task, ...], summary: str, when: str, **more: Any) -> Entry:
    entry: dict[str, Any] = {"kind": "losses", "name": name, "torch_name": f"torch.nn.{name}", "tasks": tasks}
    return Entry(**(entry | {"summary": summary, "when": when} | more))


ENTRIES = (
    _loss(
        "CrossEntropyLoss",
        OF_CLASSES,
        "The negative log of the predicted probability of the true class.",
        "The first choice for classes. The last layer outputs one logit per class, without Softmax; "
        "label_smoothing around 0.1 keeps the network from being overconfident.",
        types=_CLASS_WEIGHTS,
        helps=_CLASS_WEIGHTS_HELP | _IGNORE_HELP,
        formula="-log softmax(x)[y], softmax(x)[k] = exp(x[k]) / Σⱼ exp(x[j])\n"
        "with label smoothing ε: (1 - ε)·that + ε/K · Σₖ -log softmax(x)[k]",
        when_not="With a single output for two classes: BCEWithLogitsLoss. After LogSoftmax: NLLLoss.",
    ),
    _loss(
        "NLLLoss",
        OF_CLASSES,
        "The negative log-likelihood, from the log-probabilities that the network outputs.",
        "When the last layer is LogSoftmax; the two together are CrossEntropyLoss.",
        types=_CLASS_WEIGHTS,
        helps=_CLASS_WEIGHTS_HELP | _IGNORE_HELP,
        elsewhere={"label_smoothing": "Remove it, or use CrossEntropyLoss without LogSoftmax as the last layer."},
        formula="-x[y], x: log-probabilities",
        when_not="When the last layer outputs logits: CrossEntropyLoss, which is numerically more stable.",
    ),
    _loss(
        "BCEWithLogitsLoss",
        CLASSIFICATION,
        "Binary cross-entropy of one logit; it applies Sigmoid itself.",
        "For two classes with a single output and no Sigmoid at the end: more stable than Sigmoid and BCELoss.",
        types={"pos_weight": Literal["balanced"] | _Weight},
        helps={
            "pos_weight": "Weight of samples of the second class, where those of the first have 1; "
            'or "balanced": training samples of the first class divided by those of the second.'
        },
        formula="-[p·y·log σ(x) + (1 - y)·log(1 - σ(x))]\nσ(x) = 1 / (1 + exp(-x)), y = 0 or 1, p = pos_weight",
        when_not="For more than two classes: CrossEntropyLoss.",
    ),
    _loss(
        "BCELoss",
        CLASSIFICATION,
        "Binary cross-entropy of one probability.",
        "For two classes when the last layer is Sigmoid; it does not support mixed precision on a GPU.",
        formula="-[y·log x + (1 - y)·log(1 - x)], x: probability, y = 0 or 1",
        when_not="For new networks: BCEWithLogitsLoss without Sigmoid, which is exact near 0 and 1.",
    ),
    _loss(
        "MultiMarginLoss",
        CLASSIFICATION,
        "The hinge loss for several classes: the score of the true class should exceed the others by margin.",
        "For margins as in a support vector machine, when probabilities are not needed.",
        types={"p": Literal[1, 2]} | _CLASS_WEIGHTS,
        helps=_CLASS_WEIGHTS_HELP
        | {
            "p": "Exponent of the violation: 1 or 2.",
            "margin": "Margin between the score of the true class and the others.",
        },
        formula="1/K · Σ_{k≠y} max(0, margin - x[y] + x[k])^p",
        when_not="For probabilities or noisy labels: CrossEntropyLoss.",
    ),
    _loss(
        "SoftMarginLoss",
        CLASSIFICATION,
        "The logistic loss of one logit, which is positive for the second of two classes.",
        "For two classes with a single output, in the form used for margins; equal to BCEWithLogitsLoss.",
        formula="log(1 + exp(-y · x)), y = -1 or 1",
        when_not="With unbalanced classes: BCEWithLogitsLoss, which has pos_weight.",
    ),
    _loss(
        "MSELoss",
        NUMBERS,
        "The mean of the squared errors.",
        "The first choice for numbers: large errors count most, and the best constant prediction is the mean.",
        formula="(x - y)²",
        when_not="With outliers, whose squares dominate the loss: SmoothL1Loss, HuberLoss or L1Loss.",
    ),
    _loss(
        "L1Loss",
        NUMBERS,
        "The mean of the absolute errors.",
        "With outliers: every unit of error counts the same, and the best constant prediction is the median.",
        formula="|x - y|",
        when_not="For exact predictions: its gradient does not shrink for small errors. Use SmoothL1Loss.",
    ),
    _loss(
        "SmoothL1Loss",
        NUMBERS,
        "Squared errors up to beta, absolute errors above it, divided by beta.",
        "As HuberLoss, with a slope of 1 for large errors; common for boxes in object detection.",
        formula="½·(x - y)² / beta where |x - y| < beta, else |x - y| - ½·beta",
        when_not="Without outliers: MSELoss, which has no threshold to choose.",
    ),
    _loss(
        "HuberLoss",
        NUMBERS,
        "Squared errors up to delta, absolute errors above it.",
        "With a few outliers: smooth near 0 as MSELoss, linear for outliers as L1Loss.",
        formula="½·(x - y)² where |x - y| < delta, else delta·(|x - y| - ½·delta)",
        when_not="Without outliers: MSELoss, which has no threshold to choose.",
    ),
    _loss(
        "PoissonNLLLoss",
        NUMBERS,
        "The negative log-likelihood of counts that follow a Poisson distribution.",
        "When the targets are counts of 0 or more; with log_input the network outputs the log of the rate.",
        formula="exp(x) - y·x with log_input, else x - y·log(x + eps)",
        when_not="For other targets, and for counts whose variance is far above their mean: MSELoss or HuberLoss.",
    ),
)
