"""The scheduler against the length of the run: one that never acts, or acts too late."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeGuard

from engine.catalog.bind import moves_of
from engine.catalog.schedulers import moves_by_step
from engine.experiment.document import Scheduler
from engine.experiment.mistakes import Mistake, put, value_text
from engine.plan.rules.subject import Subject, check, epochs_text, number


def run_of(subject: Subject, scheduler: Scheduler) -> tuple[int, str]:
    """How often a scheduler moves in the run, and that in words."""
    if moves_by_step(scheduler) and not subject.steps_per_epoch:
        return 0, ""
    count = moves_of(scheduler, epochs=subject.epochs, steps_per_epoch=max(1, subject.steps_per_epoch))
    if moves_by_step(scheduler):
        return count, f"it moves {count:,} times, once a step"
    after = " after the warm-up" if count < subject.epochs else ""
    return count, f"the run has {epochs_text(count)}{after}"


def _whole(value: object) -> TypeGuard[int]:
    """Whether it counts moves: a fraction is a share of the run, which always lies in it."""
    return isinstance(value, int) and not isinstance(value, bool)


@check
def step_is_beyond_the_run(subject: Subject) -> Iterator[Mistake]:
    """A StepLR or a restart that comes only when the run is over."""
    scheduler = subject.experiment.scheduler
    name = {"StepLR": "step_size", "CosineAnnealingWarmRestarts": "T_0"}.get(scheduler.type) if scheduler else None
    if scheduler is None or name is None:
        return
    value = scheduler.parameters.get(name)
    count, run = run_of(subject, scheduler)
    # One epoch has no epoch after it in which any rate could be another; a run that short is a trial.
    if _whole(value) and count > 1 and value >= count:
        never = "the rate never changes" if scheduler.type == "StepLR" else "it never restarts"
        fix = f"Set it to {max(1, count // 3)}, for example."
        found = f"found {value_text(value)}"
        remedy = put(max(1, count // 3))
        yield Mistake(f"scheduler.{name}", found, f"{run}, so {never}", fix, scheduler.type, "warning", remedy=remedy)


@check
def milestones_are_beyond_the_run(subject: Subject) -> Iterator[Mistake]:
    """A MultiStepLR of which no milestone lies in the run."""
    scheduler = subject.experiment.scheduler
    if scheduler is None or scheduler.type != "MultiStepLR":
        return
    milestones = scheduler.parameters.get("milestones")
    count, run = run_of(subject, scheduler)
    if not isinstance(milestones, list | tuple) or not milestones or count < 2:
        return
    if all(_whole(m) and m >= count for m in milestones):
        fix = f"Set it to [{max(1, count // 2)}, {max(2, 3 * count // 4)}], for example."
        expected = f"{run}, so the rate never changes"
        found = f"found {value_text(milestones)}"
        remedy = put([max(1, count // 2), max(2, 3 * count // 4)])
        yield Mistake("scheduler.milestones", found, expected, fix, scheduler.type, "warning", remedy=remedy)


@check
def plateau_is_longer_than_the_run(subject: Subject) -> Iterator[Mistake]:
    """A ReduceLROnPlateau whose patience outlasts the run, or that of early stopping."""
    scheduler, stopping = subject.experiment.scheduler, subject.experiment.training.early_stopping
    if scheduler is None or scheduler.type != "ReduceLROnPlateau":
        return
    patience = number(scheduler, "patience", 10)
    if patience is None:
        return
    path, found = "scheduler.patience", f"found {value_text(patience)}"
    if "patience" not in scheduler.parameters:
        found = f"it is {value_text(patience)} if left out"
    count, run = run_of(subject, scheduler)
    if count > 1 and patience >= count - 1:
        fix = f"Set it to {max(1, count // 5)}, for example."
        expected, remedy = f"{run}, so the rate never changes", put(max(1, count // 5))
        yield Mistake(path, found, expected, fix, scheduler.type, "warning", remedy=remedy)
    elif stopping is not None and patience >= stopping.patience:
        expected = f"training.early_stopping.patience = {stopping.patience} ends the run before the rate falls"
        fix = f"Set it to {max(1, stopping.patience // 2)}, or be more patient there."
        remedy = put(max(1, stopping.patience // 2))
        yield Mistake(path, found, expected, fix, scheduler.type, "warning", remedy=remedy)


@check
def factor_changes_nothing(subject: Subject) -> Iterator[Mistake]:
    """A gamma of 1 multiplies the rate by nothing."""
    scheduler = subject.experiment.scheduler
    if scheduler is None or scheduler.type not in ("StepLR", "MultiStepLR", "ExponentialLR"):
        return
    if number(scheduler, "gamma") == 1:
        usual = 0.95 if scheduler.type == "ExponentialLR" else 0.1
        fix, expected = f"Set it to {usual}, for example.", "the rate never changes"
        yield Mistake("scheduler.gamma", "found 1", expected, fix, scheduler.type, "warning", remedy=put(usual))
