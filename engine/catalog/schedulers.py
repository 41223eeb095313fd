"""Schedulers: how the learning rate changes. https://docs.pytorch.org/docs/stable/optim.html"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Lt
from pydantic import Field

from engine.catalog.entry import Entry, Parameter
from engine.experiment.document import Choice, Scheduler

_RUN = "the length of the run"
_LR = "the optimizer's lr"

EVERY_STEP = frozenset({"OneCycleLR", "CyclicLR"})
"""Schedulers that step after every step of the optimizer; the others step once an epoch."""

COMPOSITES = frozenset({"SequentialLR", "ChainedScheduler"})
"""Schedulers made of other schedulers."""

ALONE = COMPOSITES | EVERY_STEP | {"ReduceLROnPlateau"}
"""Schedulers that cannot be part of another: they set the rate of the run, or need a metric."""

COUNTED = frozenset({"T_max", "T_0", "total_iters", "step_size", "step_size_up", "step_size_down", "milestones"})
"""Parameters that count steps of the scheduler; a number below 1 is a share of its run."""

_SHARE = " A number below 1 is a share of the run."
_COUNT = Annotated[int, Ge(1)] | Annotated[float, Gt(0), Lt(1)]
_COUNTS: dict[str, Any] = dict.fromkeys(COUNTED, _COUNT) | {"milestones": tuple[_COUNT, ...]}
_PARTS: Any = tuple[str | Annotated[dict[str, Any], Field()], ...]
_PARTS_HELP = "Each with a type and its parameters; any but OneCycleLR, CyclicLR and "


def count(value: Any, moves: int) -> Any:
    """A counted parameter as a number of steps of the scheduler; shares are of `moves`.

    >>> count(0.25, 40), count([10, 0.75], 40), count(7, 40)
    (10, [10, 30], 7)
    """
    if isinstance(value, (list, tuple)):
        return [count(item, moves) for item in value]
    return max(1, round(value * moves)) if isinstance(value, float) else value


SETS_RATE = frozenset({"OneCycleLR", "CyclicLR"})
"""Schedulers whose max_lr, if set, is the highest rate in place of the optimizer's lr."""


def rate_field(scheduler: Choice | None) -> str:
    """The field that sets the learning rate: `optimizer.lr`, or `scheduler.max_lr` in its place."""
    sets = scheduler is not None and scheduler.type in SETS_RATE and scheduler.parameters.get("max_lr") is not None
    return "scheduler.max_lr" if sets else "optimizer.lr"


def default_interval(type: str) -> Literal["epoch", "step"]:
    """The default of `interval`: whether a scheduler of that type steps once an epoch or at every step."""
    return "step" if type in EVERY_STEP else "epoch"


def moves_by_step(scheduler: Scheduler) -> bool:
    """Whether a scheduler steps after every step of the optimizer; if not, once an epoch."""
    return (scheduler.interval or default_interval(scheduler.type)) == "step"


def warmup_steps(scheduler: Scheduler | None, steps_per_epoch: int) -> int:
    """Steps of the warm-up, after which a scheduler starts; 0 without a scheduler."""
    return round(scheduler.warmup_epochs * steps_per_epoch) if scheduler is not None else 0


def warmup_factor(step: int, steps: int) -> float:
    """Factor on the learning rate of a step, counted from 0, where the warm-up takes `steps` steps.

    It rises in a straight line and is 1 from the first step after the warm-up on.

    >>> [warmup_factor(step, 3) for step in range(5)]
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """
    return min(1.0, (step + 1) / (steps + 1)) if steps else 1.0


def _scheduler(name: str, summary: str, when: str, **more: Any) -> Entry:
    return Entry(
        kind="schedulers",
        name=name,
        torch_name=f"torch.optim.lr_scheduler.{name}",
        summary=summary,
        when=when,
        types=_COUNTS | more.pop("types", {}),
        helps={
            "T_max": f"Scheduler steps from lr to eta_min.{_SHARE}",
            "T_0": f"Scheduler steps until the first restart.{_SHARE}",
            "total_iters": f"Scheduler steps until the last value, which the rate then keeps.{_SHARE}",
            "step_size": f"Scheduler steps between two changes.{_SHARE}",
            "step_size_up": f"Scheduler steps in which the rate rises.{_SHARE}",
            "step_size_down": f"Scheduler steps in which the rate falls; by default as step_size_up.{_SHARE}",
            "milestones": f"Epochs (or steps, by interval) after which the rate changes, in ascending order.{_SHARE}",
        }
        | more.pop("helps", {}),
        **more,
    )


ENTRIES = (
    _scheduler(
        "CosineAnnealingLR",
        "The rate falls along half a cosine from lr to eta_min (Loshchilov and Hutter, 2017).",
        "The first choice: it has no parameter to tune and suits most networks.",
        inferred={"T_max": _RUN},
        formula="lr(t) = eta_min + ½·(lr - eta_min)·(1 + cos(π·t / T_max))",
        when_not="When the length of the run is not known: ReduceLROnPlateau.",
    ),
    _scheduler(
        "OneCycleLR",
        "The rate rises to max_lr and then falls; momentum does the opposite (Smith and Topin, 2018).",
        "For short runs at a high rate; set max_lr just below the rate at which training diverges.",
        inferred={
            "total_steps": _RUN,
            "max_lr": _LR,
            "cycle_momentum": "on where the optimizer has momentum or betas",
        },
        hidden=frozenset({"epochs", "steps_per_epoch"}),
        helps={"anneal_strategy": "Whether the rate follows a cosine (cos) or a straight line (linear)."},
        formula="max_lr/div_factor → max_lr over pct_start of the run\n"
        "→ max_lr/(div_factor·final_div_factor) over the rest",
        when_not="For runs that may be extended: its last rate is nearly 0. Use CosineAnnealingLR.",
    ),
    _scheduler(
        "StepLR",
        "The rate is multiplied by gamma every step_size epochs.",
        "For CNNs with SGD: usually gamma 0.1 after each third of the run.",
        inferred={"step_size": "a third of the run"},
        formula="lr(t) = lr·gamma^⌊t / step_size⌋",
        when_not="When it is not known where to change the rate: CosineAnnealingLR.",
    ),
    _scheduler(
        "MultiStepLR",
        "The rate is multiplied by gamma at each of the milestones.",
        "When it is known at which epochs the loss stops falling.",
        inferred={"milestones": "half and three quarters of the run"},
        formula="lr(t) = lr·gamma^(number of milestones ≤ t)",
        when_not="When the milestones are not known: CosineAnnealingLR.",
    ),
    _scheduler(
        "ExponentialLR",
        "The rate is multiplied by gamma after every epoch.",
        "For a smooth decay; gamma 0.95 halves the rate in 14 epochs.",
        formula="lr(t) = lr·gamma^t",
        when_not="For runs of unknown length: if gamma is too small, learning stops early. Use ReduceLROnPlateau.",
    ),
    _scheduler(
        "ReduceLROnPlateau",
        "The rate is multiplied by factor when a metric no longer improves.",
        "When the length of the run is not known, with early stopping of a longer patience.",
        hidden=frozenset({"mode"}),
        added=(
            Parameter(
                name="monitor",
                annotation=str,
                help="The metric to watch: val_loss, val_accuracy, train_loss, ….",
                inferred="val_loss, or train_loss without validation samples",
            ),
        ),
        helps={
            "patience": "Epochs without a better value before the rate is reduced.",
            "threshold_mode": "Whether threshold is a share of the best value (rel) or in its unit (abs).",
        },
        formula="lr ← max(lr·factor, min_lr)\nafter more than patience epochs without a better value",
        when_not="When the rates must be known before the run, or the metric is noisy: CosineAnnealingLR.",
    ),
    _scheduler(
        "LinearLR",
        "The rate changes linearly from start_factor · lr to end_factor · lr.",
        "For a linear decay. For a linear rise at the start, use warmup_epochs, with any scheduler.",
        formula="lr(t) = lr·(start_factor + (end_factor - start_factor)·s)\ns = min(t, total_iters) / total_iters",
        when_not="For a warm-up before another scheduler: warmup_epochs.",
    ),
    _scheduler(
        "PolynomialLR",
        "The rate falls to 0 as a power of the remaining share of the run.",
        "For segmentation and fine-tuning; power 1 is a linear decay.",
        inferred={"total_iters": _RUN},
        formula="lr(t) = lr·(1 - min(t, total_iters) / total_iters)^power",
        when_not="When the last epochs should still learn: CosineAnnealingLR with eta_min.",
    ),
    _scheduler(
        "CosineAnnealingWarmRestarts",
        "Cosine decay that restarts at lr after T_0 epochs; each cycle is T_mult times longer.",
        "For several good minima in one run, or a run of unknown length.",
        formula="lr(t) = eta_min + ½·(lr - eta_min)·(1 + cos(π·T_cur / T_i))\n"
        "T_cur: epochs since the last restart, T_i = T_0, T_0·T_mult, …",
        when_not="For a run of known length: CosineAnnealingLR, which ends at a low rate.",
    ),
    _scheduler(
        "CyclicLR",
        "The rate rises and falls between base_lr and max_lr (Smith, 2017).",
        "When the loss stops falling early: each rise can leave a poor minimum.",
        inferred={
            "base_lr": "a quarter of the optimizer's lr",
            "max_lr": _LR,
            "step_size_up": "two epochs",
            "cycle_momentum": "on where the optimizer has momentum or betas",
        },
        hidden=frozenset({"scale_fn", "scale_mode"}),
        helps={
            "mode": "Height of the cycles: constant (triangular), halved (triangular2), times gamma^step (exp_range)."
        },
        formula="lr(t) = base_lr + (max_lr - base_lr)·scale·\n        max(0, 1 - |t / step_size - 2·cycle + 1|)\n"
        "cycle = ⌊1 + t / (2·step_size)⌋",
        when_not="For the last epochs of a run, since it does not end at a low rate: OneCycleLR.",
    ),
    _scheduler(
        "ConstantLR",
        "The rate is factor · lr for total_iters epochs, then lr.",
        "For a low rate at the start without a linear rise.",
        formula="lr(t) = lr·factor for t < total_iters, then lr",
        when_not="For a constant rate: leave out the scheduler.",
    ),
    _scheduler(
        "SequentialLR",
        "Schedulers one after another, each for a part of the run that starts at its milestone.",
        "For a rise and then a decay, or a constant rate and then a decay: "
        'schedulers = [{type = "LinearLR", total_iters = 0.99}, "CosineAnnealingLR"], milestones = [0.1].',
        when_not="For a linear warm-up: warmup_epochs is enough.",
        formula="lr(t) = scheduler_i(t - milestone_i), milestone_i ≤ t < milestone_{i+1}",
        types={"schedulers": _PARTS},
        inferred={"milestones": "parts of equal length"},
        helps={
            "schedulers": f"{_PARTS_HELP}ReduceLROnPlateau. Shares and inferred values are of its part of the run.",
            "milestones": f"Scheduler steps at which the next scheduler starts, one fewer than schedulers.{_SHARE}",
        },
    ),
    _scheduler(
        "ChainedScheduler",
        "Several schedulers at the same time: their factors multiply.",
        "For a slow decay with a second curve on it, as ExponentialLR and ConstantLR.",
        when_not="For schedulers one after another: SequentialLR.",
        formula="lr(t) = lr · f₁(t) · f₂(t) · …",
        types={"schedulers": _PARTS},
        helps={"schedulers": f"{_PARTS_HELP}ReduceLROnPlateau."},
    ),
)
