"""Losses: what training makes small. https://docs.pytorch.org/docs/stable/nn.html#loss-functions"""

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
"""What `loss = "auto"` means."""

ONE_OUTPUT = frozenset({"BCELoss", "BCEWithLogitsLoss", "SoftMarginLoss"})
"""Losses of two classes that are told apart by a single output."""

IGNORES_NONE = -100
"""torch's default of ignore_index: no class has that number."""

_Weight = Annotated[float, Ge(0), Field(allow_inf_nan=False)]
_CLASS_WEIGHTS: Any = {"weight": Literal["balanced"] | tuple[_Weight, ...] | dict[str, _Weight]}
_CLASS_WEIGHTS_HELP = {
    "weight": "One weight a class, in the order of the classes; weights by name, {cat = 2.0}, others being 1; "
    'or "balanced": n / (K · n_k), which makes each of the '
    "K classes count the same, from its n_k of the n training samples."
}
_IGNORE_HELP = {
    "ignore_index": "Samples of the class of this number count in no loss; the metrics still count them. "
    "At -100 every class counts."
}


def _loss(name: str, tasks: tuple[Task, ...], summary: str, when: str, **more: Any) -> Entry:
    entry: dict[str, Any] = {"kind": "losses", "name": name, "torch_name": f"torch.nn.{name}", "tasks": tasks}
    return Entry(**(entry | {"summary": summary, "when": when} | more))


ENTRIES = (
    _loss(
        "CrossEntropyLoss",
        OF_CLASSES,
        "The negative log of the probability that the network gives to the right class.",
        "The first choice for classes. The last layer gives one raw score a class, without Softmax; "
        "label_smoothing around 0.1 keeps the network from being too sure.",
        types=_CLASS_WEIGHTS,
        helps=_CLASS_WEIGHTS_HELP | _IGNORE_HELP,
        formula="-log softmax(x)[y], softmax(x)[k] = exp(x[k]) / Σⱼ exp(x[j])\n"
        "with label smoothing ε: (1 - ε)·that + ε/K · Σₖ -log softmax(x)[k]",
        when_not="With a single output for two classes: BCEWithLogitsLoss. After LogSoftmax: NLLLoss.",
    ),
    _loss(
        "NLLLoss",
        OF_CLASSES,
        "The negative log-likelihood of log-probabilities that the network itself puts out.",
        "When the last layer is LogSoftmax; together they are CrossEntropyLoss.",
        types=_CLASS_WEIGHTS,
        helps=_CLASS_WEIGHTS_HELP | _IGNORE_HELP,
        elsewhere={"label_smoothing": "Remove it, or use CrossEntropyLoss without LogSoftmax at the end."},
        formula="-x[y], x the log-probabilities",
        when_not="Where the last layer gives raw scores: CrossEntropyLoss, which is steadier than two steps.",
    ),
    _loss(
        "BCEWithLogitsLoss",
        CLASSIFICATION,
        "Binary cross-entropy of one raw score, with the sigmoid inside.",
        "For exactly two classes with a single output and no Sigmoid at the end: steadier than Sigmoid and BCELoss.",
        types={"pos_weight": Literal["balanced"] | _Weight},
        helps={
            "pos_weight": 'What a sample of the second class counts, one of the first counting 1; or "balanced": '
            "the training samples of the first class by those of the second."
        },
        formula="-[p·y·log σ(x) + (1 - y)·log(1 - σ(x))]\nσ(x) = 1 / (1 + exp(-x)), y = 0 or 1, p = pos_weight",
        when_not="For more than two classes: CrossEntropyLoss.",
    ),
    _loss(
        "BCELoss",
        CLASSIFICATION,
        "Binary cross-entropy of one probability.",
        "For exactly two classes when the last layer is a Sigmoid; without mixed precision, which it does not bear.",
        formula="-[y·log x + (1 - y)·log(1 - x)], x a probability, y = 0 or 1",
        when_not="For new networks: BCEWithLogitsLoss without the Sigmoid does not run out of digits near 0 and 1.",
    ),
    _loss(
        "MultiMarginLoss",
        CLASSIFICATION,
        "The hinge loss of several classes: the right score must lead the others by a margin.",
        "For margins as in a support vector machine, where probabilities are not needed.",
        types={"p": Literal[1, 2]} | _CLASS_WEIGHTS,
        helps=_CLASS_WEIGHTS_HELP
        | {"p": "The power of the violation: 1 or 2.", "margin": "How far the right score must lead."},
        formula="1/K · Σ_{k≠y} max(0, margin - x[y] + x[k])^p",
        when_not="Where probabilities are wanted, or labels are noisy: CrossEntropyLoss.",
    ),
    _loss(
        "SoftMarginLoss",
        CLASSIFICATION,
        "The logistic loss of one raw score, positive for the second of two classes.",
        "For two classes with a single output, in the form of the literature on margins; its value is that of "
        "BCEWithLogitsLoss.",
        formula="log(1 + exp(-y · x)), y = -1 or 1",
        when_not="With unbalanced classes BCEWithLogitsLoss, which has pos_weight.",
    ),
    _loss(
        "MSELoss",
        NUMBERS,
        "The mean of the squared errors.",
        "The first choice for numbers: large errors weigh most, and the best answer is the mean.",
        formula="(x - y)²",
        when_not="With outliers, each of which counts by its square: SmoothL1Loss, HuberLoss or L1Loss.",
    ),
    _loss(
        "L1Loss",
        NUMBERS,
        "The mean of the absolute errors.",
        "When outliers should not rule: every unit of error weighs the same, and the best answer is the median.",
        formula="|x - y|",
        when_not="Where the last digits matter: its gradient does not shrink near the answer. Take SmoothL1Loss.",
    ),
    _loss(
        "SmoothL1Loss",
        NUMBERS,
        "Squared errors up to beta, absolute ones beyond it, divided by beta.",
        "As HuberLoss, scaled so that the slope for large errors is always 1; common for boxes in detection.",
        formula="½·(x - y)² / beta where |x - y| < beta, else |x - y| - ½·beta",
        when_not="Without outliers: MSELoss has no threshold to choose.",
    ),
    _loss(
        "HuberLoss",
        NUMBERS,
        "Squared errors up to delta, absolute ones beyond it.",
        "When a few targets are far off: smooth near zero as MSELoss, calm about outliers as L1Loss.",
        formula="½·(x - y)² where |x - y| < delta, else delta·(|x - y| - ½·delta)",
        when_not="Without outliers: MSELoss has no threshold to choose.",
    ),
    _loss(
        "PoissonNLLLoss",
        NUMBERS,
        "The negative log-likelihood of counts that follow a Poisson distribution.",
        "When the targets are counts, 0 and up; with log_input the network puts out the log of the rate.",
        formula="exp(x) - y·x with log_input, else x - y·log(x + eps)",
        when_not="For targets that are no counts, or vary much more than their mean: MSELoss or HuberLoss.",
    ),
)
