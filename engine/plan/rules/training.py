"""The length of the run, its batches and its early stopping against each other and the data."""

from __future__ import annotations

from collections.abc import Iterator

from engine.catalog.metrics import goal, monitors
from engine.experiment.mistakes import Mistake, drop, put, value_text
from engine.plan.context import CheckContext
from engine.plan.rules.registry import rule

_AT_MOST_1 = ("accuracy", "f1")


@rule
def patience_is_longer_than_the_run(context: CheckContext) -> Iterator[Mistake]:
    """Early stopping with a patience of at least the epochs: it cannot end the run."""
    stopping = context.experiment.training.early_stopping
    # A run of a few epochs is a trial.
    if stopping is None or stopping.patience < context.epochs or context.epochs < _TRIAL_EPOCHS:
        return
    found = f"found {stopping.patience}"
    expected = f"training.epochs is {context.epochs}, so early stopping never ends the run"
    fix = f"Set it to {max(1, context.epochs // 4)}, or train for more epochs."
    path, remedy = "training.early_stopping.patience", put(max(1, context.epochs // 4))
    yield Mistake(path, found, expected, fix, severity="warning", remedy=remedy)


_TRIAL_EPOCHS = 4


@rule
def gain_is_out_of_reach(context: CheckContext) -> Iterator[Mistake]:
    """A min_delta that accuracy cannot gain after the first epoch."""
    stopping = context.experiment.training.early_stopping
    if stopping is None or stopping.min_delta < 1:
        return
    metric = stopping.monitor.removeprefix("val_").removeprefix("train_")
    if metric in _AT_MOST_1:
        path, found = "training.early_stopping.min_delta", f"found {value_text(stopping.min_delta)}"
        expected = f"{metric} is at most 1, so the first epoch is always the best"
        yield Mistake(path, found, expected, "Set it to 0.001, for example.", severity="warning", remedy=put(0.001))


@rule
def best_is_the_worst(context: CheckContext) -> Iterator[Mistake]:
    """A mode with which the worst epoch is the best."""
    stopping = context.experiment.training.early_stopping
    if stopping is None or stopping.mode == "auto" or context.description is None:
        return
    if stopping.monitor in monitors(context.description.task) and stopping.mode != goal(stopping.monitor):
        found = f"found {value_text(stopping.mode)}"
        better = "larger" if goal(stopping.monitor) == "max" else "smaller"
        expected = f"{better} {stopping.monitor} is better, so the weights of the worst epoch would be saved"
        fix = 'Remove it, or set it to "auto".'
        yield Mistake("training.early_stopping.mode", found, expected, fix, severity="warning", remedy=drop())


_FEW = 16
"""Training samples below which the batch size is not the problem."""


@rule
def batch_is_larger_than_the_data(context: CheckContext) -> Iterator[Mistake]:
    """A batch of all samples: one step per epoch."""
    if context.description is None:
        return
    batch, samples = context.experiment.data.batch_size, context.description.train_samples
    if batch > samples > 0:
        expected = f"there are {samples:,} training samples, so an epoch has one step"
        # An eighth of the samples; batches of 1 fail in norm layers.
        smaller = min(64, max(samples // 8, 2)) if samples > 2 else samples
        fix = f"Set it to {smaller}, for example."
        if samples < _FEW:
            fix = f"Add samples; with so few, set it to {smaller}."
        yield Mistake("data.batch_size", f"found {batch}", expected, fix, severity="warning", remedy=put(smaller))


@rule
def accumulates_more_than_an_epoch(context: CheckContext) -> Iterator[Mistake]:
    """More batches per step than an epoch has."""
    if context.description is None:
        return
    steps = context.experiment.training.accumulation_steps
    batches = -(-context.description.train_samples // context.experiment.data.batch_size)
    if steps > batches > 0:
        expected = f"an epoch has {batches:,} batch{'' if batches == 1 else 'es'} and so one step"
        fix = f"Set it to {max(1, batches // 4)}, for example, or make data.batch_size smaller."
        path, remedy = "training.accumulation_steps", put(max(1, batches // 4))
        yield Mistake(path, f"found {steps}", expected, fix, severity="warning", remedy=remedy)


@rule
def accumulates_over_batch_norm(context: CheckContext) -> Iterator[Mistake]:
    """Batches split into parts with a layer that depends on the whole batch: the gradients would differ."""
    if context.experiment.training.on_out_of_memory != "accumulate":
        return
    norms = [p.path for p in context.places if "BatchNorm" in p.layer.type]
    found = sorted({*norms, *context.needs_two})
    if found:
        shown = ", ".join(found[:3]) + (" …" if len(found) > 3 else "")
        expected = f"norms at {shown} use the whole batch, so gradients of its parts would differ"
        fix = 'Set it to "stop", or use GroupNorm or LayerNorm.'
        path, remedy = "training.on_out_of_memory", put("stop")
        yield Mistake(path, "found 'accumulate'", expected, fix, remedy=remedy)
