"""The optimizer's parameters against each other and against what is usual for it."""

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
"""Learning rates beyond which an optimizer hardly ever learns anything: below it stands still, above it diverges."""

_SAY = {"SGD": "0.1", "Adadelta": "1", "Muon": "0.02", "LBFGS": "1"}
"""A rate to begin with, where it is not 1e-3."""

_COUPLED = frozenset({"Adam", "NAdam", "RAdam"})


@rule_after("choices")
def optimizer_is_refused(context: CheckContext) -> Iterator[Mistake]:
    """An optimizer that is not in the catalog, or whose parameters torch does not accept."""
    yield from context.optimizer_mistakes


@rule
def rate_is_out_of_range(context: CheckContext) -> Iterator[Mistake]:
    """A learning rate far from what the optimizer is used with."""
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
            expected = f"{choice.type} usually learns between {least:g} and {most:g}"
            fix = f"Set it to {_SAY.get(choice.type, '1e-3')}, for example."
            remedy = put(float(_SAY.get(choice.type, "1e-3")))
            yield Mistake(path, found, expected, fix, choice.type, "warning", remedy=remedy)


@rule
def decay_goes_through_the_gradient(context: CheckContext) -> Iterator[Mistake]:
    """Weight decay as Adam has it is scaled down where gradients are large (Loshchilov and Hutter, 2019)."""
    optimizer = context.experiment.optimizer
    decay = number(optimizer, "weight_decay", 0.0)
    if optimizer.type not in _COUPLED or not decay or optimizer.parameters.get("decoupled_weight_decay") is True:
        return
    found = f"in {optimizer.type} it goes through the gradients, which weakens it where they are large"
    fix = (
        'Use optimizer.type = "AdamW".' if optimizer.type == "Adam" else "Set optimizer.decoupled_weight_decay = true."
    )
    adam = optimizer.type == "Adam"
    remedy = put("AdamW", "optimizer.type") if adam else put(True, "optimizer.decoupled_weight_decay")
    yield Mistake("optimizer.weight_decay", found, "", fix, optimizer.type, "warning", remedy=remedy)


@rule
def clipping_hides_the_curvature(context: CheckContext) -> Iterator[Mistake]:
    """LBFGS learns from differences of gradients: those of clipped ones tell of another function."""
    optimizer, settings = context.experiment.optimizer, context.experiment.regularization
    if optimizer.type not in NEEDS_CLOSURE:
        return
    for name in ("clip_grad_norm", "clip_grad_value"):
        value = getattr(settings, name)
        if value is not None:
            found = f"found {value_text(value)}"
            expected = f"{optimizer.type} learns the curvature from gradients as they are"
            fix = 'Remove it; optimizer.line_search_fn = "strong_wolfe" keeps steps from growing too long.'
            yield Mistake(f"regularization.{name}", found, expected, fix, remedy=drop())


@rule
def batches_differ_by_noise(context: CheckContext) -> Iterator[Mistake]:
    """LBFGS on many small batches: what it takes for curvature is how they differ, and it soon leaves the finite."""
    optimizer, training = context.experiment.optimizer, context.experiment.training
    if optimizer.type not in NEEDS_CLOSURE or context.description is None or context.steps_per_epoch <= _WHOLE:
        return
    samples, batch = context.description.train_samples, context.experiment.data.batch_size * training.accumulation_steps
    expected = f"{optimizer.type} takes the noise between steps of {batch:,} for curvature"
    fix = f"Set it to {samples:,}, or to less and training.accumulation_steps to what makes it up."
    found = f"there are {samples:,} samples to train on"
    yield Mistake("data.batch_size", found, expected, fix, severity="warning", remedy=put(samples))


_WHOLE = 4
"""Steps an epoch up to which one is of a good part of the samples."""
