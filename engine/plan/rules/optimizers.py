"""The optimizer against its usual values, clipping and the batches."""

from __future__ import annotations

from collections.abc import Iterator

from engine.catalog.optimizers import NEEDS_CLOSURE
from engine.catalog.schedulers import rate_field
from engine.experiment.document import Choice
from engine.experiment.mistakes import Mistake, drop, put, value_text
from engine.plan.context import CheckContext
from engine.plan.rules.registry import number, rule, rule_after

_USUAL_LR = {
    "SGD": (1e-5, 2.0),
    "Adam": (1e-6, 0.1),
    "AdamW": (1e-6, 0.1),
    "NAdam": (1e-6, 0.1),
    "RAdam": (1e-6, 0.1),
    "Adamax": (1e-6, 0.2),
    "RMSprop": (1e-6, 0.1),
    "Adagrad": (1e-5, 1.0),
    "Adadelta": (1e-3, 10.0),
    "Muon": (1e-5, 0.3),
    "LBFGS": (1e-3, 2.0),
}
"""Smallest and largest learning rate that is usual: below, weights hardly change; above, training diverges."""

_FIRST_LR = {"SGD": "0.1", "Adadelta": "1", "Muon": "0.02", "LBFGS": "1"}
"""Learning rates to start with, where they are not 1e-3."""

_COUPLED = frozenset({"Adam", "NAdam", "RAdam"})


@rule_after("choices")
def optimizer_is_refused(context: CheckContext) -> Iterator[Mistake]:
    """An optimizer that is not in the catalog, or parameters that torch does not accept."""
    yield from context.optimizer_mistakes


@rule
def rate_is_out_of_range(context: CheckContext) -> Iterator[Mistake]:
    """A learning rate far from the usual ones of the optimizer."""
    optimizer = context.experiment.optimizer
    scheduler = context.experiment.scheduler
    field = rate_field(scheduler)
    rate = number(optimizer, "lr") if scheduler is None or field == "optimizer.lr" else number(scheduler, "max_lr")
    rates: list[tuple[str, Choice, float | None]] = [(field, optimizer, rate)]
    if optimizer.others is not None:
        rates.append(("optimizer.others.lr", optimizer.others, number(optimizer.others, "lr")))
    for path, choice, lr in rates:
        if lr is None or lr < 0 or choice.type not in _USUAL_LR:
            continue
        least, most = _USUAL_LR[choice.type]
        if not least <= lr <= most:
            found = f"found {value_text(lr)}" if lr else "found 0, so the weights never change"
            expected = f"usual rates of {choice.type} are {least:g} to {most:g}"
            fix = f"Set it to {_FIRST_LR.get(choice.type, '1e-3')}, for example."
            remedy = put(float(_FIRST_LR.get(choice.type, "1e-3")))
            yield Mistake(path, found, expected, fix, choice.type, "warning", remedy=remedy)


@rule
def decay_goes_through_the_gradient(context: CheckContext) -> Iterator[Mistake]:
    """Weight decay of Adam, which is weak where gradients are large (Loshchilov and Hutter, 2019)."""
    optimizer = context.experiment.optimizer
    decay = number(optimizer, "weight_decay", 0.0)
    if optimizer.type not in _COUPLED or not decay or optimizer.parameters.get("decoupled_weight_decay") is True:
        return
    found = f"{optimizer.type} adds weight decay to the gradients, so large gradients weaken it"
    fix = (
        'Use optimizer.type = "AdamW".' if optimizer.type == "Adam" else "Set optimizer.decoupled_weight_decay = true."
    )
    adam = optimizer.type == "Adam"
    remedy = put("AdamW", "optimizer.type") if adam else put(True, "optimizer.decoupled_weight_decay")
    yield Mistake("optimizer.weight_decay", found, "", fix, optimizer.type, "warning", remedy=remedy)


@rule
def clipping_hides_the_curvature(context: CheckContext) -> Iterator[Mistake]:
    """Clipping with LBFGS, which estimates the curvature from differences of gradients."""
    optimizer, settings = context.experiment.optimizer, context.experiment.regularization
    if optimizer.type not in NEEDS_CLOSURE:
        return
    for name in ("clip_grad_norm", "clip_grad_value"):
        value = getattr(settings, name)
        if value is not None:
            found = f"found {value_text(value)}"
            expected = f"{optimizer.type} estimates the curvature from unclipped gradients"
            fix = 'Remove it; optimizer.line_search_fn = "strong_wolfe" limits the length of steps.'
            yield Mistake(f"regularization.{name}", found, expected, fix, remedy=drop())


@rule
def batches_differ_by_noise(context: CheckContext) -> Iterator[Mistake]:
    """LBFGS on many small batches: it takes their noise for curvature, and soon diverges."""
    optimizer, training = context.experiment.optimizer, context.experiment.training
    if optimizer.type not in NEEDS_CLOSURE or context.description is None or context.steps_per_epoch <= _FEW_STEPS:
        return
    samples, batch = context.description.train_samples, context.experiment.data.batch_size * training.accumulation_steps
    expected = f"{optimizer.type} takes the noise of steps of {batch:,} samples for curvature"
    fix = f"Set it to {samples:,}, or to less with more training.accumulation_steps."
    found = f"there are {samples:,} training samples"
    yield Mistake("data.batch_size", found, expected, fix, severity="warning", remedy=put(samples))


_FEW_STEPS = 4
"""Steps per epoch up to which a step uses enough of the samples."""
