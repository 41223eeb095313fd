"""Schedulers: how the learning rate changes. https://docs.pytorch.org/docs/stable/optim.html"""

from __future__ import annotations

from typing import Any, Literal

from engine.catalog.entry import Entry

_RUN = "the length of the run"
_LR = "the optimizer's lr"

EVERY_STEP = frozenset({"OneCycleLR", "CyclicLR"})
"""Those that are meant to move at every step; the others move once an epoch."""


def default_interval(type: str) -> Literal["epoch", "step"]:
    """Whether a scheduler of that type moves once an epoch or at every step when the document does not say."""
    return "step" if type in EVERY_STEP else "epoch"


def _scheduler(name: str, summary: str, when: str, **more: Any) -> Entry:
    return Entry(
        kind="schedulers",
        name=name,
        torch_name=f"torch.optim.lr_scheduler.{name}",
        summary=summary,
        when=when,
        **more,
    )


ENTRIES = (
    _scheduler(
        "CosineAnnealingLR",
        "The rate falls along half a cosine from lr to eta_min (Loshchilov and Hutter, 2017).",
        "The first choice: nothing to tune, and most networks end well on it.",
        inferred={"T_max": _RUN},
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
    ),
    _scheduler(
        "StepLR",
        "The rate is multiplied by gamma every step_size epochs.",
        "The classic for CNNs with SGD: a tenth after each third of the run.",
    ),
    _scheduler(
        "MultiStepLR",
        "The rate is multiplied by gamma at each of the milestones.",
        "When it is known at which epochs the loss levels off.",
        helps={"milestones": "Epochs (or steps, as interval says) after which the rate changes, in rising order."},
    ),
    _scheduler(
        "ExponentialLR",
        "The rate is multiplied by gamma after every epoch.",
        "For a smooth decay; gamma 0.95 halves the rate in 14 epochs.",
    ),
    _scheduler(
        "ReduceLROnPlateau",
        "The rate is multiplied by factor when the validation loss no longer gets better.",
        "When the length of the run is open, together with early stopping of a longer patience.",
        hidden=frozenset({"mode"}),
        helps={
            "patience": "Epochs without a better value that are borne before the rate is reduced.",
            "threshold_mode": "Whether threshold is a share of the best value (rel) or in its unit (abs).",
        },
    ),
    _scheduler(
        "LinearLR",
        "The rate goes in a straight line from start_factor to end_factor times lr.",
        "For a straight decay; for a rise at the start, warmup_epochs does it before any scheduler.",
    ),
    _scheduler(
        "PolynomialLR",
        "The rate falls to zero as a power of what is left of the run.",
        "Common for segmentation and for fine-tuning; power 1 is a straight line.",
        inferred={"total_iters": _RUN},
    ),
    _scheduler(
        "CosineAnnealingWarmRestarts",
        "Cosine decay that starts again at lr every T_0 epochs, each round T_mult times longer.",
        "When several good minima are wanted from one run, or its length is open.",
    ),
    _scheduler(
        "CyclicLR",
        "The rate swings between base_lr and max_lr (Smith, 2017).",
        "When a network gets stuck: each swing shakes it loose.",
        inferred={
            "base_lr": "a quarter of the optimizer's lr",
            "max_lr": _LR,
            "step_size_up": "two epochs of steps",
            "cycle_momentum": "on where the optimizer has momentum or betas",
        },
        hidden=frozenset({"scale_fn", "scale_mode"}),
        helps={"mode": "Swings of equal height, halved each time, or scaled by gamma to the power of the step."},
    ),
    _scheduler(
        "ConstantLR",
        "The rate is factor times lr for total_iters epochs, then lr.",
        "For a gentle start without a ramp.",
    ),
)
