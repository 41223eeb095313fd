"""What probes say: small frozen records, the same in memory and as a line of JSON.

    rate_step          one step of the learning-rate finder
    rate_found         its suggestion, the last record
    layer_checked      the gradients of one layer, of the loss, or of the whole model
    gradients_checked  how many passed, the last record
    batch_step         one step of the one-batch test
    batch_done         its verdict, the last record

Steps count from 1. A number that is not finite is written as the string "NaN", "Infinity" or "-Infinity".
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Outcome = Literal["passed", "kink", "failed", "skipped"]


class Record(BaseModel):
    """Something that a probe found out."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings", extra="forbid")

    def to_json(self) -> str:
        """One line of JSON, without the newline."""
        return self.model_dump_json()


class RateStep(Record):
    event: Literal["rate_step"] = "rate_step"
    step: int
    steps: int
    """Steps that are taken at most."""
    lr: float
    loss: float
    smoothed: float
    """Exponential moving average of the losses so far, corrected for its beginning at 0."""


class RateFound(Record):
    event: Literal["rate_found"] = "rate_found"
    lr: float | None
    """The suggestion: where the smoothed loss falls most steeply; None where it does not fall."""
    field: str = "optimizer.lr"
    """The field of the document that sets the rate, and that the suggestion is for."""
    loss: float | None = None
    """The smoothed loss there."""
    lr_at_minimum: float | None = None
    """Where the smoothed loss is lowest, which is too high to train with."""
    tenth_of_minimum: float | None = None
    """A tenth of that: another common choice."""
    ended: Literal["diverged", "not_finite", "completed"]
    message: str
    notes: tuple[str, ...] = ()


class LayerChecked(Record):
    event: Literal["layer_checked"] = "layer_checked"
    index: int
    """From 1 to `checks`."""
    checks: int
    number: str
    """The layer's place: `4`, in a container `4.0`; empty for the loss and for the whole model."""
    label: str
    outcome: Outcome
    """`kink`: there is no one gradient at this place, and beside it the check passes."""
    elements: int = 0
    """Numbers whose gradient was checked, of inputs and parameters."""
    fast: bool = False
    """Whether all were checked together along one random direction, and not each by itself."""
    difference: float | None = None
    """The largest found between the gradient of autograd and the numerical one, where they differ."""
    message: str = ""


class GradientsChecked(Record):
    event: Literal["gradients_checked"] = "gradients_checked"
    passed: int
    kinks: int
    failed: int
    skipped: int
    message: str


class BatchStep(Record):
    event: Literal["batch_step"] = "batch_step"
    step: int
    steps: int
    """Steps that are taken at most."""
    loss: float
    """Before the step."""
    score: float
    """The share of right answers; where numbers are predicted, the share of their variance that is explained."""


class BatchDone(Record):
    event: Literal["batch_done"] = "batch_done"
    memorised: bool
    step: int
    loss: float
    score: float
    guess: float
    """The loss of an answer that does not look at the sample."""
    message: str
    advice: tuple[str, ...] = ()
    """What was found to stand in the way, the likeliest first."""
