"""The choices of automatic mixed precision, and the effect of each on the device of an experiment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from engine.devices import Precision, in_hardware, scales_gradients
from engine.experiment.document import Experiment, Training
from engine.experiment.draft import Draft
from engine.plan.context import CheckContext
from engine.plan.rules.precision import precision_is_not_supported
from engine.plan.stages.resources import resolved


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionChoice:
    """One value of `training.amp`."""

    amp: str
    chosen: bool
    precision: Precision | None
    """Precision of the forward pass; None if it is not supported."""
    says: str
    """Its effect, as a sentence without a full stop."""


def precision_choices(experiment: Experiment) -> tuple[PrecisionChoice, ...]:
    """Every choice, resolved as for a plan."""
    return tuple(_choice(experiment, amp) for amp in get_args(Training.model_fields["amp"].annotation))


def _choice(experiment: Experiment, amp: str) -> PrecisionChoice:
    chosen = amp == experiment.training.amp
    training = experiment.training.model_copy(update={"amp": amp})
    experiment = experiment.model_copy(update={"training": training})
    context = resolved(CheckContext(draft=Draft(experiment), experiment=experiment))
    refused = (*context.mistakes, *precision_is_not_supported(context))
    if refused:
        reason = "; ".join(filter(None, (refused[0].found, refused[0].expected)))
        return PrecisionChoice(amp=amp, chosen=chosen, precision=None, says=f"not supported: {reason}")
    return PrecisionChoice(
        amp=amp, chosen=chosen, precision=context.precision, says=_says(context.precision, context.device)
    )


def _says(precision: Precision, device: str) -> str:
    if precision == "float32":
        return "float32 in every operation"
    speed = (
        "faster for large layers"
        if in_hardware(precision, device)
        else f"slower, since this {'GPU' if device.startswith('cuda') else 'device'} has no hardware for it"
    )
    scaler = "; a GradScaler keeps small gradients" if scales_gradients(precision) else ""
    return f"the forward pass in {precision}: {speed}{scaler}"
