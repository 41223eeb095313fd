"""The learning-rate finder: the loss at rates that grow from step to step.

Source: Smith, "Cyclical learning rates for training neural networks", 2017, section 3.3,
https://arxiv.org/abs/1506.01186
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import fmean, stdev
from typing import Literal

from engine.experiment.mistakes import Mistake, Refused
from engine.plan import Plan
from engine.probes.isolation import Isolated
from engine.probes.records import RateFound, RateStep
from engine.probes.trial import Trial, require_plan_without_mistakes

LOWEST, HIGHEST, STEPS = 1e-7, 10.0, 160
"""Defaults: the first and the last rate, and the most steps."""

BETA = 0.9
"""Decay of the smoothed loss: it spans ten steps, half a power of ten. A larger decay would raise the suggestion,
since an average lags."""

SETTLED = 10
"""Steps before the smoothed loss is used: an average of fewer is unreliable."""

DIVERGED = 4.0
"""The finder stops where the smoothed loss is this many times its best."""

NEIGHBOURS = 3
"""Steps to each side over which a slope is fitted, so that a single batch does not decide."""

LEAST_DESCENT = 0.01
"""A decrease by less than this share of the initial loss does not count."""


def find_rate(
    plan: Plan, *, lowest: float = LOWEST, highest: float = HIGHEST, steps: int = STEPS
) -> Iterator[RateStep | RateFound]:
    """Train a separate model on the run's first batches while the rate grows exponentially, and suggest a rate.

    The steps are those of the training loop: the weights, order, dropout, penalties, clipping and precision of a run of
    this plan, but no scheduler. Parameter groups keep the ratios of their rates. The finder varies and suggests the
    field that sets the rate: optimizer.lr, or the max_lr of a scheduler that has one. Between two records the process
    is in its previous state, see `Isolated`.

    The suggestion is the rate before the minimum at which the smoothed loss falls most steeply over the logarithm of
    the rate. At the minimum the loss no longer falls; a tenth of that rate is another common choice.

    Args:
        lowest, highest: the first and the last value of the field.
        steps: most steps to take; it ends earlier if the loss diverges.

    Raises:
        Refused: the plan has mistakes, or its optimizer has no rate to find.
    """
    require_plan_without_mistakes(plan)
    _needs_a_rate(plan)
    return _find(plan, lowest, highest, steps)


def _find(plan: Plan, lowest: float, highest: float, steps: int) -> Iterator[RateStep | RateFound]:
    isolated = Isolated(plan.device)
    with isolated:
        trial = Trial(plan)
        windows = trial.windows()
        factors = _factors(plan, trial)
    taken: list[RateStep] = []
    average, best = 0.0, math.inf
    ended: Literal["diverged", "not_finite", "completed"] = "completed"
    for step in range(1, steps + 1):
        lr = lowest * (highest / lowest) ** ((step - 1) / max(1, steps - 1))
        with isolated:
            for group, factor in zip(trial.optimizer.param_groups, factors, strict=True):
                group["lr"] = lr * factor
            loss = trial.step(next(windows)).loss
        average = BETA * average + (1 - BETA) * loss
        smoothed = average / (1 - BETA**step)
        taken.append(RateStep(step=step, steps=steps, lr=lr, loss=loss, smoothed=smoothed))
        yield taken[-1]
        if not math.isfinite(smoothed):
            ended = "not_finite"
            break
        if step > SETTLED:
            if smoothed > best + (DIVERGED - 1) * abs(best):
                ended = "diverged"
                break
            best = min(best, smoothed)
    found = suggestion(taken, ended)
    yield found.model_copy(update={"field": trial.rate_field, "notes": tuple(_notes(plan, trial, found.lr))})


def suggestion(taken: Sequence[RateStep], ended: Literal["diverged", "not_finite", "completed"]) -> RateFound:
    """Return the rate that follows from the steps; none if the loss does not fall by more than it varies."""
    steps = [step for step in taken if math.isfinite(step.smoothed)]
    if not taken or len(steps) < 2 * SETTLED:
        found = "is not finite" if ended == "not_finite" else "diverges"
        at = f" at rates from {taken[-1].lr:.2g}" if taken else ""
        message = f"No suggestion: the loss {found}{at}. Check the data and the initializer first."
        return RateFound(lr=None, ended=ended, message=message)
    first, last = steps[0].lr, steps[-1].lr
    begin = [step.loss for step in steps[: 2 * SETTLED]]
    start, spread = fmean(begin), stdev(begin)
    lowest = min(range(SETTLED, len(steps)), key=lambda i: steps[i].smoothed)
    slopes = {i: _slope(steps, i) for i in range(SETTLED, lowest + 1)}
    steepest = min(slopes, key=slopes.__getitem__)
    fall = start - steps[lowest].smoothed
    if fall <= max(spread, LEAST_DESCENT * abs(start)) or slopes[steepest] >= 0:
        message = (
            f"No suggestion: between {first:.2g} and {last:.2g} the loss never falls by more than it varies from "
            f"batch to batch ({spread:.2g}). Try the one-batch test: it shows whether the model learns at all."
        )
        return RateFound(lr=None, ended=ended, message=message)
    minimum = steps[lowest].lr
    chosen = steps[steepest]
    end = {
        "diverged": f"It diverges from {last:.2g}.",
        "not_finite": f"It is not finite after {last:.2g}.",
        "completed": f"It did not diverge up to {last:.2g}.",
    }[ended]
    message = (
        f"The loss falls most steeply at {chosen.lr:.2g} and is lowest at {minimum:.2g}. Another common choice is a "
        f"tenth of the latter: {minimum / 10:.2g}. {end}"
    )
    return RateFound(
        lr=float(f"{chosen.lr:.2g}"),
        loss=chosen.smoothed,
        lr_at_minimum=minimum,
        tenth_of_minimum=minimum / 10,
        ended=ended,
        message=message,
    )


def _slope(steps: Sequence[RateStep], i: int) -> float:
    """Return the slope of the smoothed loss per power of ten of the rate, around a step, by least squares."""
    near = steps[max(0, i - NEIGHBOURS) : i + NEIGHBOURS + 1]
    x = [math.log10(step.lr) for step in near]
    y = [step.smoothed for step in near]
    middle, height = fmean(x), fmean(y)
    spread = sum((a - middle) ** 2 for a in x)
    return sum((a - middle) * (b - height) for a, b in zip(x, y, strict=True)) / spread if spread else 0.0


def _needs_a_rate(plan: Plan) -> None:
    optimizer = plan.experiment.optimizer
    if optimizer.type == "Rprop":
        found = "Rprop has a step size for each weight, and uses lr only at the first step"
        raise Refused(Mistake("optimizer.lr", found, "there is no rate to find", "Leave it at its default."))
    if "lr" not in optimizer.parameters:
        found = f"{optimizer.type} has no lr"
        raise Refused(Mistake("optimizer.type", found, "there is no rate to find", "Choose another optimizer."))


def _factors(plan: Plan, trial: Trial) -> list[float]:
    """Return each group's rate as a multiple of the field that is varied; 1 where that is 0."""
    groups = trial.optimizer.param_groups
    # With max_lr the first group has exactly that rate, and the others are proportional to it.
    by_lr = trial.rate_field == "optimizer.lr"
    whole = float(plan.experiment.optimizer.parameters["lr"]) if by_lr else float(groups[0]["lr"])
    return [float(group["lr"]) / whole if whole else 1.0 for group in groups]


def _notes(plan: Plan, trial: Trial, suggested: float | None) -> Iterator[str]:
    # The rates in the optimizer have grown, but their ratios have not changed.
    rates = {float(group["lr"]) for group in trial.optimizer.param_groups}
    by_lr = trial.rate_field == "optimizer.lr"
    if len(rates) > 1 and (not by_lr or float(plan.experiment.optimizer.parameters["lr"])):
        if by_lr:
            yield "The rates of groups changed in proportion. Change them by the same factor as optimizer.lr."
        else:
            yield f"{trial.rate_field} is the rate of the first parameter group; the others stay proportional to it."
    scheduler = plan.experiment.scheduler
    lowest = scheduler.parameters.get("base_lr") if scheduler is not None else None
    if suggested is not None and isinstance(lowest, int | float) and lowest >= suggested:
        yield f"scheduler.base_lr = {lowest:g} is not below it. Lower that too."
