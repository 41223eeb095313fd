"""The records of probes: small, frozen, the same in memory and as a line of JSON.

    rate_step          one step of the learning-rate finder
    rate_found         its suggestion, the last record
    layer_checked      the gradients of one layer, of the loss, or of the whole model
    gradients_checked  how many passed, the last record
    batch_step         one step of the one-batch test
    batch_done         its result, the last record

Steps count from 1. A number that is not finite is written as the string "NaN", "Infinity" or "-Infinity".
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Outcome = Literal["passed", "kink", "failed", "skipped"]


class Record(BaseModel):
    """A result of a probe."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings", extra="forbid")

    def to_json(self) -> str:
        """One line of JSON, without the newline."""
        return self.model_dump_json()


class RateStep(Record):
    event: Literal["rate_step"] = "rate_step"
    step: int
    steps: int
    """Most steps that the probe takes."""
    lr: float
    loss: float
    smoothed: float
    """Exponential moving average of the losses so far, corrected for its start at 0."""


class RateFound(Record):
    event: Literal["rate_found"] = "rate_found"
    lr: float | None
    """The suggestion: where the smoothed loss falls most steeply; None if it does not fall."""
    field: str = "optimizer.lr"
    """The field of the document that sets the rate, for which the suggestion is."""
    loss: float | None = None
    """The smoothed loss at that rate."""
    lr_at_minimum: float | None = None
    """The rate with the lowest smoothed loss; too high to train with."""
    tenth_of_minimum: float | None = None
    """A tenth of `lr_at_minimum`: another common choice."""
    ended: Literal["diverged", "not_finite", "completed"]
    message: str
    notes: tuple[str, ...] = ()


class LayerChecked(Record):
    event: Literal["layer_checked"] = "layer_checked"
    index: int
    """From 1 to `checks`."""
    checks: int
    number: str
    """The layer's number: `4`, in a container `4.0`; empty for the loss and for the whole model."""
    label: str
    outcome: Outcome
    """`kink`: the function has no unique gradient at this point, and the check passes nearby."""
    elements: int = 0
    """Number of elements of inputs and parameters whose gradient was checked."""
    fast: bool = False
    """Whether all were checked together along one random direction, not one by one."""
    difference: float | None = None
    """The largest difference between autograd's gradient and the numerical one, where they differ."""
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
    """Most steps that the probe takes."""
    loss: float
    """The loss before the step."""
    score: float
    """The share of correct answers; for numeric targets, the explained share of their variance."""


class BatchDone(Record):
    event: Literal["batch_done"] = "batch_done"
    memorised: bool
    step: int
    loss: float
    score: float
    guess: float
    """The loss of an answer that ignores the sample."""
    message: str
    advice: tuple[str, ...] = ()
    """Reasons why the batch was not memorised, the most likely first."""
