"""Metrics: how good a network is, in numbers that people read. Computed by `engine.training.metrics`."""

from __future__ import annotations

from typing import Any, Literal

from engine.catalog.entry import Entry, Task

_LEARN = "https://scikit-learn.org/stable/modules/model_evaluation.html"
_NUMBERS: tuple[Task, ...] = ("regression", "forecasting")


def _metric(
    name: str, tasks: tuple[Task, ...], goal: Literal["min", "max"], summary: str, when: str, **more: Any
) -> Entry:
    fields: dict[str, Any] = {"tasks": tasks, "goal": goal, "summary": summary, "when": when}
    return Entry(kind="metrics", name=name, torch_name=_LEARN, **fields, **more)


ENTRIES = (
    _metric(
        "bits",
        ("language modelling",),
        "min",
        "Bits that a token takes, coded as well as the network foretells it (per character where those are tokens).",
        "To compare language models, with one another and with what is counted: each bit less halves the guessing.",
        formula="1/N · Σ -log₂ p(token | those before)",
        when_not="Between models of other tokens: words take more bits than characters, and are fewer.",
    ),
    _metric(
        "accuracy",
        ("classification", "language modelling"),
        "max",
        "The share of the samples whose class is right; of the next tokens, in a language model.",
        "When the classes are about equally frequent.",
        formula="(samples whose class is right) / (all samples)",
        when_not="When classes are rare: always saying the largest one scores high. Take f1.",
    ),
    _metric(
        "f1",
        ("classification",),
        "max",
        "The harmonic mean of precision and recall, averaged over the classes (macro).",
        "When classes are rare: each counts the same, however few samples it has.",
        formula="1/K · Σₖ 2·TPₖ / (2·TPₖ + FPₖ + FNₖ)\n"
        "TP, FP, FN: true positives, false positives, false negatives of class k",
        when_not="When every sample, not every class, should count the same: accuracy.",
    ),
    _metric(
        "rmse",
        _NUMBERS,
        "min",
        "The root of the mean squared error, in the unit of the target.",
        "When large errors are worse than many small ones.",
        formula="√(1/N · Σ (x - y)²)",
        when_not="With outliers in the targets, which rule it: mae.",
    ),
    _metric(
        "mae",
        _NUMBERS,
        "min",
        "The mean absolute error, in the unit of the target.",
        "When every unit of error costs the same.",
        formula="1/N · Σ |x - y|",
        when_not="When a large error costs more than many small ones: rmse.",
    ),
    _metric(
        "r2",
        _NUMBERS,
        "max",
        "The share of the target's variance that is explained; 0 is as good as always saying the mean. Of several "
        "targets it is the mean of each one's own, which stand beside it as r2_NAME.",
        "To compare between targets of different units.",
        formula="1 - Σ (y - x)² / Σ (y - mean(y))²\n"
        "0 where y does not vary (1 without any error); no number for one sample",
        when_not="When the error is wanted in the target's own unit: rmse or mae.",
    ),
)


def of_task(task: str) -> tuple[str, ...]:
    """The metrics that are measured for a task, by name."""
    return tuple(entry.name for entry in ENTRIES if task in entry.tasks)


def monitors(task: str) -> tuple[str, ...]:
    """Everything that early stopping can watch for a task: val_loss, val_accuracy, …, train_loss, …"""
    names = ("loss", *of_task(task))
    return tuple(f"{part}_{name}" for part in ("val", "train") for name in names)


def goal(monitor: str) -> Literal["min", "max"]:
    """Whether less or more of a monitored number is better; losses are better when less.

    >>> goal("val_accuracy"), goal("train_loss")
    ('max', 'min')
    """
    name = monitor.removeprefix("val_").removeprefix("train_")
    return next((entry.goal for entry in ENTRIES if entry.name == name and entry.goal), "min")
