"""Events that a session emits: frozen records, the same in memory, as a line of `events.jsonl`, and with `--json`.

A metric that is not finite is written as the string "NaN", "Infinity" or "-Infinity", so that every line is JSON.
Epochs and steps count from 1. Times are seconds since the Unix epoch, UTC.

    run_started   once a session, when the model is on its device, before the first step
    step          at most ten a second, however fast the steps are; and the last step of each epoch and of each session
    epoch         after the validation of each epoch
    checkpoint    when a complete checkpoint is on disk
    command       a command of a viewer with its outcome: a code and values, see outcomes
    device        memory and load, every two seconds; less and less often while the run is paused
    log           a sentence for the person who watches
    finished      once a session, as the last event

The `step` events of an epoch come before its `epoch` event, so a `step` after the `epoch` event of epoch N belongs to
epoch N + 1. If the step of a `step` or `epoch` event is not later than an earlier one, the run went back to a
checkpoint. Earlier versions emitted the last step of an epoch after its `epoch` event, as the first of epoch N + 1, and
wrote the outcome of a command as a sentence.
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
    """At most 256 corners (step, learning rate) of the planned curve, which is straight between them."""
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
    """An epoch with its losses and, as extra fields, the metrics of the task: `train_accuracy`, `val_accuracy`, …"""

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
        """All metrics of this epoch by name, losses included."""
        losses = {"train_loss": self.train_loss} | ({} if self.val_loss is None else {"val_loss": self.val_loss})
        return losses | (self.__pydantic_extra__ or {})


class Checkpoint(_Event):
    event: Literal["checkpoint"] = "checkpoint"
    kind: Literal["last", "best"]
    epoch: int
    step: int
    path: str
    best: float | None = None
    """The best value of the monitored metric so far. Its `epoch` event may be hours old."""
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
    """The share of the device that this process uses, 0 to 1."""


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
    """The metrics of the best epoch, or of the last one where none is best; empty where this session did not
    measure it."""
    seconds: FiniteFloat
    """How long all sessions of the run took, each from when the data was loaded, pauses included."""
    better_than_baseline: bool | None = None
    """Whether the best epoch is better than a prediction without a network; None where unknown."""
    message: str


Event = RunStarted | Step | Epoch | Checkpoint | CommandDone | Device | Log | Finished

_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


def event_from_json(line: str | bytes) -> Event:
    """Read one line of `events.jsonl`.

    Raises:
        ValueError: the line is not JSON, or not an event.
    """
    return _EVENT.validate_json(line)
