"""The scheduler against the optimizer, the metrics and the length of the run."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, TypeGuard

from engine.catalog import catalog, find
from engine.catalog.bind import build_scheduler, moves_of, scratch_parameter, stretches
from engine.catalog.choices import TORCH_REFUSES, blame, check_parameters, check_type
from engine.catalog.schedulers import ALONE, COMPOSITES, moves_by_step
from engine.experiment.document import Choice, Scheduler
from engine.experiment.mistakes import Mistake, drop, put, value_text
from engine.plan.context import CheckContext
from engine.plan.rules.monitors import metric_mistakes
from engine.plan.rules.registry import epochs_text, number, rule, rule_after


def run_of(context: CheckContext, scheduler: Scheduler) -> tuple[int, str]:
    """Number of scheduler steps in the run, and a clause with it."""
    if moves_by_step(scheduler) and not context.steps_per_epoch:
        return 0, ""
    count = moves_of(scheduler, epochs=context.epochs, steps_per_epoch=max(1, context.steps_per_epoch))
    if moves_by_step(scheduler):
        return count, f"it steps {count:,} times, at every step of the optimizer"
    after = " after the warm-up" if count < context.epochs else ""
    return count, f"the run has {epochs_text(count)}{after}"


def _whole(value: object) -> TypeGuard[int]:
    """Whether it counts scheduler steps: a fraction is a share of the run."""
    return isinstance(value, int) and not isinstance(value, bool)


def _moves(context: CheckContext, scheduler: Scheduler) -> int:
    return moves_of(scheduler, epochs=context.epochs, steps_per_epoch=max(1, context.steps_per_epoch))


@rule_after("choices")
def scheduler_is_refused(context: CheckContext) -> Iterator[Mistake]:
    """A scheduler that is not in the catalog, or parameters of wrong types."""
    yield from context.scheduler.mistakes


@rule_after("choices")
def parts_do_not_suit(context: CheckContext) -> Iterator[Mistake]:
    """A composite scheduler with parts that cannot be parts, or milestones that do not separate them."""
    scheduler = context.experiment.scheduler
    if scheduler is None or scheduler.type not in COMPOSITES or context.scheduler.mistakes:
        return
    path, parts = "scheduler.schedulers", scheduler.parameters["schedulers"]
    if not parts:
        yield Mistake(path, "the list is empty", "expected at least one scheduler", "Add a scheduler.", scheduler.type)
        return
    for index, part in enumerate(parts):
        yield from _part_mistakes(part, f"{path}[{index}]", scheduler.type)
    milestones = scheduler.parameters.get("milestones")
    if scheduler.type == "SequentialLR" and milestones is not None:
        at = stretches(scheduler, _moves(context, scheduler))
        where, fix = "scheduler.milestones", "Correct it, or remove it for parts of equal length."
        found = f"found {value_text(milestones)}"
        if len(at) != len(parts) - 1:
            expected = f"expected {len(parts) - 1} for {len(parts)} schedulers"
            yield Mistake(where, found, expected, fix, scheduler.type)
        elif at != sorted(set(at)):
            yield Mistake(where, found, "expected ascending numbers", fix, scheduler.type)


def _part_mistakes(part: Any, here: str, composite: str) -> list[Mistake]:
    if not isinstance(part, str) and not isinstance(part.get("type"), str):
        fix = f"Choose one: {', '.join(n for n in catalog('schedulers') if n not in ALONE)}."
        return [Mistake(here, "it has no type", "expected the name of a scheduler", fix, composite)]
    own = Choice.model_validate(part)
    entry, wrong = check_type("schedulers", own, here)
    if entry is not None and own.type in ALONE:
        why = "it needs a metric" if own.type == "ReduceLROnPlateau" else "it sets the rates of the whole run"
        return [Mistake(here, f"{own.type} cannot be a part", why, "Use it alone.", composite)]
    return wrong if entry is None else list(check_parameters(entry, own.parameters, here).mistakes)


@rule_after("choices")
def scheduler_watches_no_metric(context: CheckContext) -> Iterator[Mistake]:
    """A scheduler by a metric that the run does not measure."""
    monitor = context.scheduler.parameters.get("monitor")
    if isinstance(monitor, str):
        yield from metric_mistakes(monitor, "scheduler.monitor", context)


@rule_after("choices")
def total_steps_are_too_few(context: CheckContext) -> Iterator[Mistake]:
    """A OneCycleLR that ends before the run."""
    scheduler = context.experiment.scheduler
    total = context.scheduler.parameters.get("total_steps")
    if scheduler is not None and total is not None and total < (moves := _moves(context, scheduler)):
        fix = "Remove total_steps (it is inferred)."
        found = f"found {value_text(total)}"
        expected = f"the scheduler steps {moves} times"
        yield Mistake("scheduler.total_steps", found, expected, fix, scheduler.type, remedy=drop())


@rule_after("choices")
def warmup_is_longer_than_the_run(context: CheckContext) -> Iterator[Mistake]:
    """A warm-up as long as the run."""
    scheduler, epochs = context.experiment.scheduler, context.epochs
    if scheduler is not None and scheduler.type in catalog("schedulers") and scheduler.warmup_epochs >= epochs:
        found = f"found {value_text(scheduler.warmup_epochs)}"
        expected = f"the run has {epochs} epoch{'s' if epochs > 1 else ''}"
        shorter = put(float(epochs // 5)) if epochs >= 5 else drop()
        path, fix = "scheduler.warmup_epochs", "Make the warm-up shorter."
        yield Mistake(path, found, expected, fix, scheduler.type, remedy=shorter)


@rule_after("choices")
def torch_refuses_the_scheduler(context: CheckContext) -> Iterator[Mistake]:
    """A scheduler that torch cannot build for this optimizer and a run of this length."""
    scheduler, optimizer = context.experiment.scheduler, context.optimizer
    if scheduler is None or optimizer is None or any(m.path.startswith("scheduler") for m in context.mistakes):
        return
    parameters = context.scheduler.parameters
    known = find("optimizers", context.experiment.optimizer.type).parameters
    settings = {name: value for name, value in optimizer.defaults.items() if name in known}

    def attempt(**tried: Any) -> None:
        fields = {"type": scheduler.type, "interval": scheduler.interval, "warmup_epochs": scheduler.warmup_epochs}
        build_scheduler(
            Scheduler.model_validate({**fields, **tried}),
            type(optimizer)([scratch_parameter()], **settings),
            epochs=context.epochs,
            steps_per_epoch=max(1, context.steps_per_epoch),
        )

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            attempt(**parameters)
    except TORCH_REFUSES as error:
        yield blame(find("schedulers", scheduler.type), parameters, error, attempt, "scheduler")


@rule
def step_is_beyond_the_run(context: CheckContext) -> Iterator[Mistake]:
    """A first change or restart after the end of the run."""
    scheduler = context.experiment.scheduler
    name = {"StepLR": "step_size", "CosineAnnealingWarmRestarts": "T_0"}.get(scheduler.type) if scheduler else None
    if scheduler is None or name is None:
        return
    value = scheduler.parameters.get(name)
    count, run = run_of(context, scheduler)
    # With one epoch no rate can change; such a run is a trial.
    if _whole(value) and count > 1 and value >= count:
        never = "the learning rate never changes" if scheduler.type == "StepLR" else "it never restarts"
        fix = f"Set it to {max(1, count // 3)}, for example."
        found = f"found {value_text(value)}"
        remedy = put(max(1, count // 3))
        yield Mistake(f"scheduler.{name}", found, f"{run}, so {never}", fix, scheduler.type, "warning", remedy=remedy)


@rule
def milestones_are_beyond_the_run(context: CheckContext) -> Iterator[Mistake]:
    """A MultiStepLR with all milestones after the end of the run."""
    scheduler = context.experiment.scheduler
    if scheduler is None or scheduler.type != "MultiStepLR":
        return
    milestones = scheduler.parameters.get("milestones")
    count, run = run_of(context, scheduler)
    if not isinstance(milestones, list | tuple) or not milestones or count < 2:
        return
    if all(_whole(m) and m >= count for m in milestones):
        fix = f"Set it to [{max(1, count // 2)}, {max(2, 3 * count // 4)}], for example."
        expected = f"{run}, so the learning rate never changes"
        found = f"found {value_text(milestones)}"
        remedy = put([max(1, count // 2), max(2, 3 * count // 4)])
        yield Mistake("scheduler.milestones", found, expected, fix, scheduler.type, "warning", remedy=remedy)


@rule
def plateau_is_longer_than_the_run(context: CheckContext) -> Iterator[Mistake]:
    """A ReduceLROnPlateau with a patience longer than the run or than that of early stopping."""
    scheduler, stopping = context.experiment.scheduler, context.experiment.training.early_stopping
    if scheduler is None or scheduler.type != "ReduceLROnPlateau":
        return
    patience = number(scheduler, "patience", 10)
    if patience is None:
        return
    path, found = "scheduler.patience", f"found {value_text(patience)}"
    if "patience" not in scheduler.parameters:
        found = f"the default is {value_text(patience)}"
    count, run = run_of(context, scheduler)
    if count > 1 and patience >= count - 1:
        fix = f"Set it to {max(1, count // 5)}, for example."
        expected, remedy = f"{run}, so the learning rate never changes", put(max(1, count // 5))
        yield Mistake(path, found, expected, fix, scheduler.type, "warning", remedy=remedy)
    elif stopping is not None and patience >= stopping.patience:
        expected = f"training.early_stopping.patience = {stopping.patience} ends the run before the rate is reduced"
        fix = f"Set it to {max(1, stopping.patience // 2)}, or increase the patience of early stopping."
        remedy = put(max(1, stopping.patience // 2))
        yield Mistake(path, found, expected, fix, scheduler.type, "warning", remedy=remedy)


@rule
def factor_changes_nothing(context: CheckContext) -> Iterator[Mistake]:
    """A gamma of 1, with which the rate does not change."""
    scheduler = context.experiment.scheduler
    if scheduler is None or scheduler.type not in ("StepLR", "MultiStepLR", "ExponentialLR"):
        return
    if number(scheduler, "gamma") == 1:
        usual = 0.95 if scheduler.type == "ExponentialLR" else 0.1
        fix, expected = f"Set it to {usual}, for example.", "the learning rate never changes"
        yield Mistake("scheduler.gamma", "found 1", expected, fix, scheduler.type, "warning", remedy=put(usual))
