"""What a session says: small frozen records, the same in memory, as a line of `events.jsonl`, and under `--json`.

A metric that is not finite is written as the string "NaN", "Infinity" or "-Infinity", so that every line is JSON.
Epochs and steps count from 1. Times are seconds since the Unix epoch, UTC.

    run_started   once, when the model stands on its device and the first step is about to be taken
    step          at most ten a second, however fast the steps are; and the last step of each epoch and of each session
    epoch         after the validation of each epoch
    checkpoint    when a checkpoint lies whole on the disk
    command       what a viewer asked for, and what came of it
    device        memory and load, every two seconds; ever more rarely while the run is held
    log           a sentence for the person who watches
    finished      once, the last one

The steps of an epoch are said before the epoch is: a `step` event after the `epoch` event of epoch N is of epoch N + 1.
A `step` or `epoch` event whose step is not later than one before it comes from a run that went back to a checkpoint.
Earlier versions said the last step of an epoch after the epoch, as the first one of epoch N + 1.
"""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, TypeAdapter

from engine.protocol.outcomes import Outcome
from engine.protocol.states import Reason as Reason


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings", extra="ignore")

    time: FiniteFloat = Field(default_factory=time.time)

    def to_json(self) -> str:
        """One line of JSON, without the newline."""
        return self.model_dump_json()


class RunStarted(_Event):
    event: Literal["run_started"] = "run_started"
    run: str
    directory: str
    experiment: dict[str, Any]
    device: str
    precision: str
    threads: int
    parameters: int
    train_samples: int
    val_samples: int
    steps_per_epoch: int
    epochs: int
    lr_plan: tuple[tuple[int, float], ...] = ()
    """(step, learning rate) at the corners of the planned curve; straight lines between them, at most 256 of them."""
    resumed_from: str | None = None


class Step(_Event):
    event: Literal["step"] = "step"
    epoch: int
    step: int
    loss: float
    """Mean over the samples since the last `step` event."""
    lr: float
    grad_norm: float | None = None
    samples_per_s: float


class Epoch(_Event):
    """Metrics of the task stand beside the losses, as `train_accuracy`, `val_accuracy`, …"""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float]

    event: Literal["epoch"] = "epoch"
    epoch: int
    step: int
    train_loss: float
    val_loss: float | None = None
    lr: float
    seconds: float
    samples_per_s: float
    best: float | None = None
    """The best value of the monitored metric so far."""
    best_epoch: int | None = None
    patience_used: int = 0

    @property
    def metrics(self) -> dict[str, float]:
        """Every measured number of this epoch by its name, the losses among them."""
        losses = {"train_loss": self.train_loss} | ({} if self.val_loss is None else {"val_loss": self.val_loss})
        return losses | (self.__pydantic_extra__ or {})


class Checkpoint(_Event):
    event: Literal["checkpoint"] = "checkpoint"
    kind: Literal["last", "best"]
    epoch: int
    step: int
    path: str
    best: float | None = None
    """The best value of the monitored metric so far: the epoch that says so may be hours back."""
    best_epoch: int | None = None


class CommandDone(_Event):
    event: Literal["command"] = "command"
    command: str
    value: float | None = None
    epoch: int
    step: int
    outcome: Outcome
    """What the command did: a code and values, see outcomes."""


class Device(_Event):
    event: Literal["device"] = "device"
    memory_bytes: int
    memory_total_bytes: int
    load: float | None = None
    """Share of the device that this process keeps busy, 0 to 1."""


class Log(_Event):
    event: Literal["log"] = "log"
    level: Literal["info", "warning", "error"] = "info"
    message: str


class Finished(_Event):
    event: Literal["finished"] = "finished"
    reason: Reason
    epoch: int
    step: int
    best_epoch: int | None = None
    best: float | None = None
    metrics: dict[str, float] = {}
    """What was measured in the best epoch, or in the last one where none is best; empty where this session did not
    measure it."""
    seconds: FiniteFloat
    """How long the run took, its sessions together: from when the data was loaded, pauses included."""
    better_than_baseline: bool | None = None
    """Whether the best epoch is better than predicting without a network; None where that is not known."""
    message: str


Event = RunStarted | Step | Epoch | Checkpoint | CommandDone | Device | Log | Finished

_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


def event_from_json(line: str | bytes) -> Event:
    """Read one line of `events.jsonl`.

    Raises:
        ValueError: the line is not JSON, or not an event.
    """
    return _EVENT.validate_json(line)
