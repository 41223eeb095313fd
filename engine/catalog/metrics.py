"""Metrics: numbers that say how good a network is. `engine.training.metrics` computes them."""

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
        "Bits per token, or per character where tokens are characters: the mean of -log₂ p of the next token.",
        "To compare language models with each other and with baselines of counts; 1 bit less is half the perplexity.",
        formula="1/N · Σ -log₂ p(token | tokens before it)",
        when_not="To compare models with different tokens: a text has fewer words than characters, of more bits each.",
    ),
    _metric(
        "accuracy",
        ("classification", "language modelling"),
        "max",
        "The share of samples whose class is predicted correctly; in a language model, of tokens.",
        "When the classes have about the same number of samples.",
        formula="(samples predicted correctly) / (all samples)",
        when_not="When classes are rare: always predicting the largest class scores high. Use f1.",
    ),
    _metric(
        "f1",
        ("classification",),
        "max",
        "The harmonic mean of precision and recall, averaged over the classes (macro).",
        "When classes are rare: every class counts the same.",
        formula="1/K · Σₖ 2·TPₖ / (2·TPₖ + FPₖ + FNₖ)\n"
        "TP, FP, FN: true positives, false positives, false negatives of class k",
        when_not="When every sample should count the same: accuracy.",
    ),
    _metric(
        "rmse",
        _NUMBERS,
        "min",
        "The root of the mean squared error, in the unit of the target.",
        "When a large error is worse than many small errors.",
        formula="√(1/N · Σ (x - y)²)",
        when_not="With outliers in the targets, which dominate it: mae.",
    ),
    _metric(
        "mae",
        _NUMBERS,
        "min",
        "The mean absolute error, in the unit of the target.",
        "When every unit of error counts the same.",
        formula="1/N · Σ |x - y|",
        when_not="When a large error is worse than many small errors: rmse.",
    ),
    _metric(
        "r2",
        _NUMBERS,
        "max",
        "The share of the target's variance that is explained; always predicting the mean scores 0. "
        "With several targets it is the mean over them; r2_NAME is the value of one.",
        "To compare targets of different units.",
        formula="1 - Σ (y - x)² / Σ (y - mean(y))²\n"
        "0 where y does not vary (1 without any error); undefined for one sample",
        when_not="For the error in the unit of the target: rmse or mae.",
    ),
)


def of_task(task: str) -> tuple[str, ...]:
    """The names of the metrics of a task."""
    return tuple(entry.name for entry in ENTRIES if task in entry.tasks)


def monitors(task: str) -> tuple[str, ...]:
    """The names that early stopping can watch for a task: val_loss, val_accuracy, …, train_loss, …"""
    names = ("loss", *of_task(task))
    return tuple(f"{part}_{name}" for part in ("val", "train") for name in names)


def goal(monitor: str) -> Literal["min", "max"]:
    """Whether a smaller or a larger value of a monitored metric is better; for a loss, a smaller one.

    >>> goal("val_accuracy"), goal("train_loss")
    ('max', 'min')
    """
    name = monitor.removeprefix("val_").removeprefix("train_")
    return next((entry.goal for entry in ENTRIES if entry.name == name and entry.goal), "min")
