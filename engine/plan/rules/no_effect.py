"""Fields without effect because of another field: warnings that name it."""

from __future__ import annotations

from collections.abc import Iterator

from engine.catalog import catalog
from engine.catalog.choices import completed
from engine.catalog.optimizers import HIDDEN_ONLY
from engine.catalog.schedulers import EVERY_STEP, rate_field
from engine.experiment.document import Choice, Training
from engine.experiment.mistakes import Mistake, drop, put, value_text
from engine.plan.context import CheckContext
from engine.plan.rules.registry import number, rule

_CYCLED = {"OneCycleLR": (0.85, 0.95), "CyclicLR": (0.8, 0.9)}
"""Default limits of the momentum in schedulers that cycle it."""

_NEVER_CHANGES = "the learning rate never changes"

_WITHOUT_CHANGE = {
    ("ConstantLR", "factor"): 1.0,
    ("LinearLR", "start_factor"): 1.0,
    ("PolynomialLR", "power"): 0.0,
}
"""Values with which these schedulers do not change the learning rate."""


def value_of(choice: Choice, name: str) -> object:
    """A parameter of an optimizer, by default torch's; None if it has no such parameter."""
    if choice.type not in catalog("optimizers"):
        return None
    return completed(catalog("optimizers")[choice.type], choice.parameters).get(name)


def _default_of(choice: Choice, name: str) -> object:
    return value_of(Choice(type=choice.type), name)


@rule
def rate_is_set_by_the_scheduler(context: CheckContext) -> Iterator[Mistake]:
    """lr of an optimizer with a scheduler that sets every rate."""
    optimizer, scheduler = context.experiment.optimizer, context.experiment.scheduler
    lr = number(optimizer, "lr")
    # A complete document has every default.
    if scheduler is None or lr is None or lr == _default_of(optimizer, "lr") or optimizer.type in HIDDEN_ONLY:
        return
    max_lr, base_lr = number(scheduler, "max_lr"), number(scheduler, "base_lr")
    if rate_field(scheduler) == "optimizer.lr" or lr == max_lr or max_lr is None:
        return
    if (scheduler.type == "CyclicLR" and base_lr is None) or any("lr" in g.parameters for g in optimizer.groups):
        return
    ends = f"between {base_lr:g} and {max_lr:g}" if scheduler.type == "CyclicLR" else f"with max_lr = {max_lr:g}"
    expected = f"{scheduler.type} sets the rate of every step, {ends}, so lr has no effect"
    fix = "Remove it, or remove scheduler.max_lr, whose default is optimizer.lr."
    yield Mistake("optimizer.lr", f"found {value_text(lr)}", expected, fix, optimizer.type, "warning", remedy=drop())


@rule
def momentum_is_cycled(context: CheckContext) -> Iterator[Mistake]:
    """A momentum outside the limits of a scheduler, or limits of a momentum that is not cycled."""
    optimizer, scheduler = context.experiment.optimizer, context.experiment.scheduler
    if scheduler is None or scheduler.type not in _CYCLED:
        return
    betas = value_of(optimizer, "betas")
    of_betas = isinstance(betas, list | tuple)
    momentum = betas[0] if isinstance(betas, list | tuple) and betas else value_of(optimizer, "momentum")
    cycles = scheduler.parameters.get("cycle_momentum", bool(momentum))
    limits = [name for name in ("base_momentum", "max_momentum") if name in scheduler.parameters]
    if not cycles:
        given = (name for name in limits if scheduler.parameters[name] != _CYCLED[scheduler.type][name[0] == "m"])
        for name in given:
            why = "cycle_momentum is off" if momentum else f"{optimizer.type} has no momentum to cycle"
            found = f"found {value_text(scheduler.parameters[name])}"
            yield Mistake(
                f"scheduler.{name}",
                found,
                f"{why}, so it has no effect",
                "Remove it.",
                scheduler.type,
                "warning",
                remedy=drop(),
            )
        return
    usual = _CYCLED[scheduler.type]
    low, high = number(scheduler, "base_momentum", usual[0]), number(scheduler, "max_momentum", usual[1])
    if low is None or high is None or not isinstance(momentum, int | float) or low <= momentum <= high:
        return
    path = "optimizer.betas" if of_betas else "optimizer.momentum"
    found = f"found {value_text(optimizer.parameters.get(path.partition('.')[2], momentum))}"
    expected = f"{scheduler.type} cycles {'the first value' if of_betas else 'it'} between {low:g} and {high:g}"
    fix = (
        "Set scheduler.cycle_momentum = false to use it, or base_momentum and max_momentum of the scheduler around it."
    )
    remedy = put(False, "scheduler.cycle_momentum")
    yield Mistake(path, found, f"{expected}, so the value is never used", fix, optimizer.type, "warning", remedy=remedy)


@rule
def warmup_of_a_scheduler_that_warms_up(context: CheckContext) -> Iterator[Mistake]:
    """A warm-up before OneCycleLR or CyclicLR, which start with a rise: the rate would rise twice."""
    scheduler = context.experiment.scheduler
    if scheduler is None or scheduler.type not in EVERY_STEP or not scheduler.warmup_epochs:
        return
    over = "over pct_start of the run" if scheduler.type == "OneCycleLR" else "over step_size_up"
    expected = f"{scheduler.type} already rises from a low rate, {over}"
    found = f"found {value_text(scheduler.warmup_epochs)}"
    yield Mistake("scheduler.warmup_epochs", found, expected, "Remove it.", scheduler.type, "warning", remedy=drop())


@rule
def plateau_is_checked_once_an_epoch(context: CheckContext) -> Iterator[Mistake]:
    """ReduceLROnPlateau at every step: its metric is measured once an epoch."""
    scheduler = context.experiment.scheduler
    if scheduler is not None and scheduler.type == "ReduceLROnPlateau" and scheduler.interval == "step":
        expected = "its metric is measured once an epoch"
        yield Mistake("scheduler.interval", 'found "step"', expected, "Remove it.", scheduler.type, remedy=drop())


@rule
def scheduler_keeps_the_rate(context: CheckContext) -> Iterator[Mistake]:
    """A scheduler whose limits do not allow a change of the rate, or only in the wrong direction."""
    optimizer, scheduler = context.experiment.optimizer, context.experiment.scheduler
    if scheduler is None:
        return
    for (type, name), value in _WITHOUT_CHANGE.items():
        end = number(scheduler, "end_factor", 1.0) if type == "LinearLR" else value
        if scheduler.type == type and number(scheduler, name) == value == end:
            fix, found = "Remove it for its default, or set another value.", f"found {value:g}"
            yield Mistake(
                f"scheduler.{name}", found, "the learning rate never changes", fix, type, "warning", remedy=drop()
            )
    lr = number(optimizer, "lr", _number(_default_of(optimizer, "lr")))
    lowest = {"ReduceLROnPlateau": "min_lr", "CosineAnnealingLR": "eta_min", "CosineAnnealingWarmRestarts": "eta_min"}
    if scheduler.type == "CyclicLR":
        top, name = number(scheduler, "max_lr", lr), "base_lr"
    else:
        top, name = lr, lowest.get(scheduler.type, "")
    bottom = number(scheduler, name) if name else None
    if bottom is None or top is None or bottom < top:
        return
    ruled = rate_field(scheduler)
    happens = (
        "the learning rate rises"
        if bottom > top and scheduler.type != "ReduceLROnPlateau"
        else "the learning rate never changes"
    )
    expected = f"{ruled} is {top:g}, so {happens}"
    fix, found = f"Set it below {top:g}, or remove it for its default.", f"found {value_text(bottom)}"
    yield Mistake(f"scheduler.{name}", found, expected, fix, scheduler.type, "warning", remedy=drop())


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


@rule
def there_is_no_decay_to_change(context: CheckContext) -> Iterator[Mistake]:
    """no_bias_decay or decoupled_weight_decay where weight_decay is 0."""
    optimizer = context.experiment.optimizer
    decays = [value_of(optimizer, "weight_decay"), *(g.parameters.get("weight_decay", 0) for g in optimizer.groups)]
    entry = catalog("optimizers").get(optimizer.type)
    if entry is None or "weight_decay" not in entry.parameters or optimizer.type in HIDDEN_ONLY or any(decays):
        return
    for name, on in (
        ("no_bias_decay", optimizer.no_bias_decay),
        ("decoupled_weight_decay", optimizer.parameters.get("decoupled_weight_decay") is True),
    ):
        if on:
            expected = f"weight_decay of {optimizer.type} is 0, so it has no effect"
            fix = "Set optimizer.weight_decay to 0.01, for example, or remove it."
            yield Mistake(f"optimizer.{name}", "found true", expected, fix, optimizer.type, "warning", remedy=drop())


@rule
def dampening_without_momentum(context: CheckContext) -> Iterator[Mistake]:
    """dampening of SGD without momentum."""
    optimizer = context.experiment.optimizer
    value = number(optimizer, "dampening")
    if optimizer.type == "SGD" and value and not value_of(optimizer, "momentum"):
        expected, fix = (
            "momentum is 0, so it has no effect",
            "Set optimizer.momentum to 0.9, for example, or remove it.",
        )
        found = f"found {value_text(value)}"
        yield Mistake("optimizer.dampening", found, expected, fix, "SGD", "warning", remedy=drop())


@rule
def rewinds_are_off(context: CheckContext) -> Iterator[Mistake]:
    """max_rewinds of a run that does not rewind."""
    training = context.experiment.training
    if training.on_not_finite == "stop" and training.max_rewinds != Training.model_fields["max_rewinds"].default:
        expected = 'training.on_not_finite is "stop", so it has no effect'
        fix = 'Set training.on_not_finite = "rewind", or remove it.'
        yield Mistake(
            "training.max_rewinds", f"found {training.max_rewinds}", expected, fix, severity="warning", remedy=drop()
        )


@rule
def labels_are_smoothed_away(context: CheckContext) -> Iterator[Mistake]:
    """A label_smoothing of 1, with which every class has the same target."""
    loss = context.experiment.loss
    if loss.type == "CrossEntropyLoss" and number(loss, "label_smoothing") == 1:
        expected, fix = (
            "every class has the same target, so the labels have no effect",
            "Set it to 0.1, for example.",
        )
        yield Mistake("loss.label_smoothing", "found 1", expected, fix, loss.type, "warning", remedy=put(0.1))


@rule
def padding_mode_without_padding(context: CheckContext) -> Iterator[Mistake]:
    """padding_mode of a convolution without padding."""
    for place in context.places:
        parameters = place.layer.parameters
        mode = parameters.get("padding_mode", "zeros")
        if place.layer.type.startswith("Conv") and mode != "zeros" and parameters.get("padding", 0) in (0, "valid"):
            expected, fix = "padding is 0, so it has no effect", 'Set padding = "same", or remove it.'
            path, found = f"{place.path}.padding_mode", f"found {value_text(mode)}"
            yield Mistake(path, found, expected, fix, place.layer.type, "warning", remedy=drop())


@rule
def r2_of_one_sample(context: CheckContext) -> Iterator[Mistake]:
    """val_r2 as the monitor with one validation sample, for which it is undefined."""
    stopping, description = context.experiment.training.early_stopping, context.description
    if stopping is None or description is None or stopping.monitor != "val_r2" or description.val_samples != 1:
        return
    expected = "R² needs at least 2 samples, and the validation part has 1, so there is no best epoch"
    fix = "Add validation samples, or monitor val_loss."
    path = "training.early_stopping.monitor"
    yield Mistake(path, 'found "val_r2"', expected, fix, severity="warning", remedy=put("val_loss"))
