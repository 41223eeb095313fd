"""The metric of early stopping against the task, the data and the threshold."""

from __future__ import annotations

from collections.abc import Iterator

from engine.catalog.metrics import goal, monitors
from engine.experiment.mistakes import Mistake, put, unknown_name, value_text
from engine.plan.context import CheckContext
from engine.plan.rules.registry import rule

_AT_MOST_1 = frozenset({"accuracy", "f1", "r2"})
_AT_LEAST_0 = frozenset({"mae", "rmse"})


def metric_mistakes(monitor: str, path: str, context: CheckContext) -> Iterator[Mistake]:
    """A metric that the task does not have, or a validation metric without validation samples."""
    if context.task is None:
        return
    names = monitors(context.task)
    if monitor not in names:
        yield unknown_name(path, monitor, names, f"a metric of {context.task}")
    elif monitor.startswith("val_") and not context.validates:
        fix = "Set data.validation to 0.2, for example, or monitor train_loss."
        found, expected = f"{monitor} cannot be measured", "there are no validation samples"
        yield Mistake(path, found, expected, fix, remedy=put(0.2, "data.validation"))


@rule
def monitor_is_not_measured(context: CheckContext) -> Iterator[Mistake]:
    """Early stopping by a metric that the run does not measure."""
    stopping = context.experiment.training.early_stopping
    if stopping is not None:
        yield from metric_mistakes(stopping.monitor, "training.early_stopping.monitor", context)


@rule
def threshold_is_out_of_reach(context: CheckContext) -> Iterator[Mistake]:
    """A threshold of early stopping that its metric cannot reach."""
    stopping = context.experiment.training.early_stopping
    if stopping is None:
        return
    metric = stopping.monitor.removeprefix("val_").removeprefix("train_")
    threshold = stopping.threshold
    if threshold is None or stopping.mode not in ("auto", goal(stopping.monitor)):
        return
    path, found = "training.early_stopping.threshold", f"found {value_text(threshold)}"
    if metric in _AT_MOST_1 and threshold > 1:
        fix = f"Set it to {threshold / 100:g}." if threshold <= 100 else "Set it to 0.95, for example."
        remedy = put(threshold / 100 if threshold <= 100 else 0.95)
        yield Mistake(path, found, f"{metric} is at most 1", fix, severity="warning", remedy=remedy)
    if metric in _AT_LEAST_0 and threshold < 0:
        yield Mistake(path, found, f"{metric} is at least 0", "Set it to a number above 0.", severity="warning")
