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
"""Those that are meant to move at every step; the others move once an epoch."""


COMPOSITES = frozenset({"SequentialLR", "ChainedScheduler"})
"""Those that are made of other schedulers."""

ALONE = COMPOSITES | EVERY_STEP | {"ReduceLROnPlateau"}
"""Those that cannot be part of another: they set the rate by themselves, or wait for a metric."""

COUNTED = frozenset({"T_max", "T_0", "total_iters", "step_size", "step_size_up", "step_size_down", "milestones"})
"""Parameters that count moves of the scheduler; a number below 1 is a share of its run."""

_SHARE = " A number below 1 is that share of the run."
_COUNT = Annotated[int, Ge(1)] | Annotated[float, Gt(0), Lt(1)]
_COUNTS: dict[str, Any] = dict.fromkeys(COUNTED, _COUNT) | {"milestones": tuple[_COUNT, ...]}
_PARTS: Any = tuple[str | Annotated[dict[str, Any], Field()], ...]
_PARTS_HELP = "Each as a scheduler of its own: a type and its parameters; all but OneCycleLR, CyclicLR and "


def count(value: Any, moves: int) -> Any:
    """A counted parameter as the number of moves that torch takes: shares are of `moves`.

    >>> count(0.25, 40), count([10, 0.75], 40), count(7, 40)
    (10, [10, 30], 7)
    """
    if isinstance(value, (list, tuple)):
        return [count(item, moves) for item in value]
    return max(1, round(value * moves)) if isinstance(value, float) else value


SETS_RATE = frozenset({"OneCycleLR", "CyclicLR"})
"""Those that take the highest rate from their own max_lr, where that is given, and not from the optimizer's lr."""


def rate_field(scheduler: Choice | None) -> str:
    """The field of a document that sets the learning rate: `optimizer.lr`, or `scheduler.max_lr` where that rules."""
    sets = scheduler is not None and scheduler.type in SETS_RATE and scheduler.parameters.get("max_lr") is not None
    return "scheduler.max_lr" if sets else "optimizer.lr"


def default_interval(type: str) -> Literal["epoch", "step"]:
    """Whether a scheduler of that type moves once an epoch or at every step when the document does not say."""
    return "step" if type in EVERY_STEP else "epoch"


def moves_by_step(scheduler: Scheduler) -> bool:
    """Whether a scheduler moves at every step of the optimizer; if not, it moves once an epoch."""
    return (scheduler.interval or default_interval(scheduler.type)) == "step"


def warmup_steps(scheduler: Scheduler | None, steps_per_epoch: int) -> int:
    """Steps of the warm-up before a scheduler begins to move; 0 without a scheduler."""
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
            "T_max": f"Moves from lr down to eta_min.{_SHARE}",
            "T_0": f"Moves of the first round.{_SHARE}",
            "total_iters": f"Moves until the end is reached; from then on the rate stays.{_SHARE}",
            "step_size": f"Moves between two changes.{_SHARE}",
            "step_size_up": f"Moves of the rise.{_SHARE}",
            "step_size_down": f"Moves of the fall; as many as of the rise if left out.{_SHARE}",
            "milestones": f"Epochs (or steps, as interval says) after which the rate changes, in rising order.{_SHARE}",
        }
        | more.pop("helps", {}),
        **more,
    )


ENTRIES = (
    _scheduler(
        "CosineAnnealingLR",
        "The rate falls along half a cosine from lr to eta_min (Loshchilov and Hutter, 2017).",
        "The first choice: nothing to tune, and most networks end well on it.",
        inferred={"T_max": _RUN},
        formula="lr(t) = eta_min + ½·(lr - eta_min)·(1 + cos(π·t / T_max))",
        when_not="Where the length of the run is open: ReduceLROnPlateau.",
    ),
    _scheduler(
        "OneCycleLR",
        "The rate rises to max_lr and falls far below it, momentum the other way round (Smith and Topin, 2018).",
        "For short runs at a high rate; set max_lr near the largest rate that does not diverge.",
        inferred={
            "total_steps": _RUN,
            "max_lr": _LR,
            "cycle_momentum": "on where the optimizer has momentum or betas",
        },
        hidden=frozenset({"epochs", "steps_per_epoch"}),
        helps={"anneal_strategy": "Whether the rate follows a cosine or a straight line."},
        formula="max_lr/div_factor → max_lr over pct_start of the run\n"
        "→ max_lr/(div_factor·final_div_factor) over the rest",
        when_not="For runs that may be gone on with: after its end there is no rate left. Take CosineAnnealingLR.",
    ),
    _scheduler(
        "StepLR",
        "The rate is multiplied by gamma every step_size epochs.",
        "The classic for CNNs with SGD: a tenth after each third of the run.",
        inferred={"step_size": "a third of the run"},
        formula="lr(t) = lr·gamma^⌊t / step_size⌋",
        when_not="Without a known number of epochs: CosineAnnealingLR needs no steps to be chosen.",
    ),
    _scheduler(
        "MultiStepLR",
        "The rate is multiplied by gamma at each of the milestones.",
        "When it is known at which epochs the loss levels off.",
        inferred={"milestones": "half and three quarters of the run"},
        formula="lr(t) = lr·gamma^(number of milestones ≤ t)",
        when_not="Where nothing tells the milestones: CosineAnnealingLR.",
    ),
    _scheduler(
        "ExponentialLR",
        "The rate is multiplied by gamma after every epoch.",
        "For a smooth decay; gamma 0.95 halves the rate in 14 epochs.",
        formula="lr(t) = lr·gamma^t",
        when_not="For runs of unknown length: with gamma too small it stops learning early. Take ReduceLROnPlateau.",
    ),
    _scheduler(
        "ReduceLROnPlateau",
        "The rate is multiplied by factor when a metric no longer gets better.",
        "When the length of the run is open, together with early stopping of a longer patience.",
        hidden=frozenset({"mode"}),
        added=(
            Parameter(
                name="monitor",
                annotation=str,
                help="The metric that is watched: val_loss, val_accuracy, train_loss, …, whose goal is known.",
                inferred="val_loss, or train_loss where nothing is held back to validate on",
            ),
        ),
        helps={
            "patience": "Epochs without a better value that are borne before the rate is reduced.",
            "threshold_mode": "Whether threshold is a share of the best value (rel) or in its unit (abs).",
        },
        formula="lr ← max(lr·factor, min_lr)\nafter more than patience epochs without a better value",
        when_not="Where the rate of each epoch must be known beforehand, or the metric is noisy: CosineAnnealingLR.",
    ),
    _scheduler(
        "LinearLR",
        "The rate goes in a straight line from start_factor to end_factor times lr.",
        "For a straight decay; for a rise at the start, warmup_epochs does it before any scheduler.",
        formula="lr(t) = lr·(start_factor + (end_factor - start_factor)·s)\ns = min(t, total_iters) / total_iters",
        when_not="For a warm-up before another scheduler: warmup_epochs.",
    ),
    _scheduler(
        "PolynomialLR",
        "The rate falls to zero as a power of what is left of the run.",
        "Common for segmentation and for fine-tuning; power 1 is a straight line.",
        inferred={"total_iters": _RUN},
        formula="lr(t) = lr·(1 - min(t, total_iters) / total_iters)^power",
        when_not="Where the end should still learn a little: CosineAnnealingLR with eta_min.",
    ),
    _scheduler(
        "CosineAnnealingWarmRestarts",
        "Cosine decay that starts again at lr every T_0 epochs, each round T_mult times longer.",
        "When several good minima are wanted from one run, or its length is open.",
        formula="lr(t) = eta_min + ½·(lr - eta_min)·(1 + cos(π·T_cur / T_i))\n"
        "T_cur epochs since the last restart, T_i = T_0, T_0·T_mult, …",
        when_not="For one run of known length: CosineAnnealingLR, which ends low.",
    ),
    _scheduler(
        "CyclicLR",
        "The rate swings between base_lr and max_lr (Smith, 2017).",
        "When a network gets stuck: each swing shakes it loose.",
        inferred={
            "base_lr": "a quarter of the optimizer's lr",
            "max_lr": _LR,
            "step_size_up": "two epochs",
            "cycle_momentum": "on where the optimizer has momentum or betas",
        },
        hidden=frozenset({"scale_fn", "scale_mode"}),
        helps={"mode": "Swings of equal height, halved each time, or scaled by gamma to the power of the step."},
        formula="lr(t) = base_lr + (max_lr - base_lr)·scale·\n        max(0, 1 - |t / step_size - 2·cycle + 1|)\n"
        "cycle = ⌊1 + t / (2·step_size)⌋",
        when_not="To end well: it does not come to rest. OneCycleLR does.",
    ),
    _scheduler(
        "ConstantLR",
        "The rate is factor times lr for total_iters epochs, then lr.",
        "For a gentle start without a ramp.",
        formula="lr(t) = lr·factor for t < total_iters, then lr",
        when_not="To keep the rate as it is: leave the scheduler out.",
    ),
    _scheduler(
        "SequentialLR",
        "One scheduler after another, each from its milestone on and over its own stretch of the run.",
        "For a rise and then a decay, or a plateau before it: "
        'schedulers = [{type = "LinearLR", total_iters = 0.99}, "CosineAnnealingLR"], milestones = [0.1].',
        when_not="For a plain linear warm-up warmup_epochs is enough.",
        formula="lr(t) = scheduler_i(t - milestone_i), milestone_i ≤ t < milestone_{i+1}",
        types={"schedulers": _PARTS},
        inferred={"milestones": "stretches of equal length"},
        helps={
            "schedulers": f"{_PARTS_HELP}ReduceLROnPlateau. What is inferred or a share goes by its stretch.",
            "milestones": f"Moves at which the next scheduler takes over, one fewer than schedulers.{_SHARE}",
        },
    ),
    _scheduler(
        "ChainedScheduler",
        "Several schedulers at once: their factors multiply.",
        "For a slow decay with a second curve on top, as ExponentialLR over ConstantLR.",
        when_not="To run one after the other, SequentialLR.",
        formula="lr(t) = lr · f₁(t) · f₂(t) · …",
        types={"schedulers": _PARTS},
        helps={"schedulers": f"{_PARTS_HELP}ReduceLROnPlateau."},
    ),
)
