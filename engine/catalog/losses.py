"""Losses: what training makes small. https://docs.pytorch.org/docs/stable/nn.html#loss-functions"""

from __future__ import annotations

from typing import Any, Literal

from engine.catalog.entry import Entry, Task

CLASSIFICATION: tuple[Task, ...] = ("classification",)
NUMBERS: tuple[Task, ...] = ("regression", "forecasting")

BY_TASK: dict[Task, str] = {
    "classification": "CrossEntropyLoss",
    "regression": "MSELoss",
    "forecasting": "MSELoss",
}
"""What `loss = "auto"` means."""

ONE_OUTPUT = frozenset({"BCELoss", "BCEWithLogitsLoss"})
"""Losses of two classes that are told apart by a single output."""


def _loss(name: str, tasks: tuple[Task, ...], summary: str, when: str, **more: Any) -> Entry:
    entry: dict[str, Any] = {"kind": "losses", "name": name, "torch_name": f"torch.nn.{name}", "tasks": tasks}
    return Entry(**(entry | {"summary": summary, "when": when} | more))


ENTRIES = (
    _loss(
        "CrossEntropyLoss",
        CLASSIFICATION,
        "The negative log of the probability that the network gives to the right class.",
        "The first choice for classes. The last layer gives one raw score a class, without Softmax; "
        "label_smoothing around 0.1 keeps the network from being too sure.",
        hidden=frozenset({"ignore_index"}),
    ),
    _loss(
        "NLLLoss",
        CLASSIFICATION,
        "The negative log-likelihood of log-probabilities that the network itself puts out.",
        "When the last layer is LogSoftmax; together they are CrossEntropyLoss.",
        hidden=frozenset({"ignore_index"}),
    ),
    _loss(
        "BCEWithLogitsLoss",
        CLASSIFICATION,
        "Binary cross-entropy of one raw score, with the sigmoid inside.",
        "For exactly two classes with a single output and no Sigmoid at the end: steadier than Sigmoid and BCELoss.",
    ),
    _loss(
        "BCELoss",
        CLASSIFICATION,
        "Binary cross-entropy of one probability.",
        "For exactly two classes when the last layer is a Sigmoid; without mixed precision, which it does not bear.",
    ),
    _loss(
        "MultiMarginLoss",
        CLASSIFICATION,
        "The hinge loss of several classes: the right score must lead the others by a margin.",
        "For margins as in a support vector machine, where probabilities are not needed.",
        types={"p": Literal[1, 2]},
        helps={"p": "The power of the violation: 1 or 2.", "margin": "How far the right score must lead."},
    ),
    _loss(
        "MSELoss",
        NUMBERS,
        "The mean of the squared errors.",
        "The first choice for numbers: large errors weigh most, and the best answer is the mean.",
    ),
    _loss(
        "L1Loss",
        NUMBERS,
        "The mean of the absolute errors.",
        "When outliers should not rule: every unit of error weighs the same, and the best answer is the median.",
    ),
    _loss(
        "SmoothL1Loss",
        NUMBERS,
        "Squared errors up to beta, absolute ones beyond it, divided by beta.",
        "As HuberLoss, scaled so that the slope for large errors is always 1; common for boxes in detection.",
    ),
    _loss(
        "HuberLoss",
        NUMBERS,
        "Squared errors up to delta, absolute ones beyond it.",
        "When a few targets are far off: smooth near zero as MSELoss, calm about outliers as L1Loss.",
    ),
    _loss(
        "PoissonNLLLoss",
        NUMBERS,
        "The negative log-likelihood of counts that follow a Poisson distribution.",
        "When the targets are counts, 0 and up; with log_input the network puts out the log of the rate.",
    ),
)
