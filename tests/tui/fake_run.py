"""A run that is played back instead of trained: the events of digits-cnn, without an engine."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence

from engine.protocol.commands import PAUSE_MODES, Command, SetLR
from engine.protocol.events import (
    Checkpoint,
    CommandDone,
    Device,
    Epoch,
    Event,
    Finished,
    Log,
    Reason,
    RunStarted,
    Step,
)
from engine.protocol.outcomes import CheckpointStarted, Continued, Ending, LRChanged, MemoryReleased, Paused, Text

START = 1_795_450_537.0
EPOCHS = 30
STEPS_PER_EPOCH = 23
TRAIN_SAMPLES = 1438
LR = 3e-3
DIRECTORY = "runs/2026-11-23T16-15-30-digits-cnn"


def planned_lr(step: int, steps: int) -> float:
    """The cosine of CosineAnnealingLR, a step at a time."""
    return LR / 2 * (1 + math.cos(math.pi * (step - 1) / steps))


def run_started(epochs: int = EPOCHS, steps_per_epoch: int = STEPS_PER_EPOCH, **fields: object) -> RunStarted:
    steps = epochs * steps_per_epoch
    corners = sorted({round(1 + index * (steps - 1) / 127) for index in range(128)})
    defaults: dict[str, object] = {
        "time": START,
        "run": "2026-11-23T16-15-30-digits-cnn",
        "directory": DIRECTORY,
        "experiment": {
            "name": "digits-cnn",
            "data": {"source": "digits", "batch_size": 64},
            "loss": {"type": "CrossEntropyLoss", "label_smoothing": 0.05},
            "optimizer": {"type": "AdamW", "lr": 3e-3, "weight_decay": 0.01},
            "scheduler": {"type": "CosineAnnealingLR"},
            "training": {"epochs": epochs, "early_stopping": {"monitor": "val_loss", "patience": 8}},
        },
        "device": "cpu",
        "precision": "float32",
        "threads": 2,
        "parameters": 18_346,
        "train_samples": TRAIN_SAMPLES,
        "val_samples": 359,
        "steps_per_epoch": steps_per_epoch,
        "epochs": epochs,
        "lr_plan": tuple((step, planned_lr(step, steps)) for step in corners),
    }
    return RunStarted.model_validate(defaults | fields)


def script(
    epochs: int = EPOCHS,
    steps_per_epoch: int = STEPS_PER_EPOCH,
    *,
    steps_per_event: int = 2,
    seconds_per_step: float = 0.02,
    nan_at: int | None = None,
    patience: int | None = 8,
    finish: bool = True,
    seed: int = 0,
) -> Iterator[Event]:
    """The events of a run of digits-cnn, in the order of a session, with their times.

    `nan_at` is the step at which the loss becomes NaN, which fails the run; `patience` ends it early.
    """
    chance = random.Random(seed)
    steps = epochs * steps_per_epoch
    yield Log(time=START - 2, message="digits: 1,797 images of 1×8×8, 10 classes; 1,438 to train on, 359 to validate")
    yield Log(time=START - 1, message="Naive baseline: always the largest class, accuracy 0.102")
    yield run_started(epochs, steps_per_epoch)
    best, best_epoch, last_device_time = math.inf, 0, START
    for step in range(1, steps + 1):
        epoch, time = (step - 1) // steps_per_epoch + 1, START + step * seconds_per_step
        if nan_at == step:
            yield Step(time=time, epoch=epoch, step=step, loss=math.nan, lr=planned_lr(step, steps), samples_per_s=3000)
            yield Finished(
                time=time,
                reason=Reason.FAILED,
                epoch=epoch,
                step=step,
                best_epoch=best_epoch or None,
                best=best if best_epoch else None,
                seconds=time - START,
                message=f"The loss is NaN at step {step}. Lower optimizer.lr, or set regularization.clip_grad_norm.",
            )
            return
        ends_epoch = step % steps_per_epoch == 0
        is_due = step == 1 or step % steps_per_event == 0
        if is_due or ends_epoch:
            dice = chance if is_due else random.Random(step)
            falling = 2.0 * math.exp(-step / 60) + 0.34 * math.exp(-step / 400)
            yield Step(
                time=time,
                epoch=epoch,
                step=step,
                loss=0.3 * (1 + 0.12 * dice.gauss(0, 1)) * (0.4 + 0.6 * falling) + 0.9 * falling,
                lr=planned_lr(step, steps),
                grad_norm=0.4 + 2 * math.exp(-step / 90) * dice.random(),
                samples_per_s=24_310 + 400 * dice.gauss(0, 1),
            )
        if time - last_device_time >= 2:
            last_device_time = time
            memory = 412_000_000 + int(1e6 * (time - START))
            load = min(1.0, 0.9 + 0.08 * chance.random())
            yield Device(time=time, memory_bytes=memory, memory_total_bytes=25_000_000_000, load=load)
        if ends_epoch:
            fall = math.exp(-epoch / 4)
            val_loss = 0.40 + 1.3 * fall + 0.02 * chance.random() + max(0, epoch - 16) * 0.012
            if val_loss < best:
                best, best_epoch = val_loss, epoch
            accuracy = 0.985 - 0.6 * fall + 0.004 * chance.random()
            yield Epoch.model_validate(
                {
                    "time": time + seconds_per_step / 2,
                    "epoch": epoch,
                    "step": step,
                    "train_loss": 0.34 + 1.5 * fall,
                    "val_loss": val_loss,
                    "train_accuracy": min(1.0, accuracy + 0.012 * (1 - fall)),
                    "val_accuracy": accuracy,
                    "train_f1": accuracy,
                    "val_f1": accuracy - 0.002,
                    "lr": planned_lr(step, steps),
                    "seconds": steps_per_epoch * seconds_per_step,
                    "samples_per_s": 24_310.0,
                    "best": best,
                    "best_epoch": best_epoch,
                    "patience_used": epoch - best_epoch,
                }
            )
            if best_epoch == epoch:
                path = f"{DIRECTORY}/checkpoints/epoch-{epoch}"
                yield Checkpoint(time=time + seconds_per_step / 2, kind="best", epoch=epoch, step=step, path=path)
            if patience is not None and epoch - best_epoch >= patience:
                break
    if finish:
        stopped = step < steps
        yield Finished(
            time=time + 0.1,
            reason=Reason.EARLY_STOPPED if stopped else Reason.COMPLETED,
            epoch=epoch,
            step=step,
            best_epoch=best_epoch,
            best=best,
            seconds=time + 0.1 - START,
            message=f"val_loss was best at epoch {best_epoch} and did not get better in {patience} epochs."
            if stopped
            else f"All {epochs} epochs are done.",
        )


class FakeRun:
    """A source that plays a script: each `drain` returns the events that are due. It answers as a session does.

    With a clock, events are due by their times; without one, `play`, `play_until` and `emit` make them due.
    """

    def __init__(self, events: Iterator[Event] | Sequence[Event], clock: Callable[[], float] | None = None) -> None:
        self._events = iter(events)
        self._clock = clock
        self._started_at: float | None = None
        self._first_time: float | None = None
        self._next: Event | None = None
        self._due: list[Event] = []
        self._step = (0, 0)
        self._lr = LR
        self._paused_at: float | None = None
        self._scale = 1.0
        self.stale = self.suspended = False
        self.sent: list[Command] = []

    def play(self, count: int = 10**9) -> None:
        """Make the next `count` events due."""
        for _ in range(count):
            event = next(self._events, None)
            if event is None:
                return
            self._due.append(event)

    def play_until(self, is_last: Callable[[Event], bool]) -> None:
        """Make the events due up to and including the first that `is_last` accepts."""
        for event in self._events:
            self._due.append(event)
            if is_last(event):
                return

    def emit(self, *events: Event) -> None:
        """Make these due now."""
        self._due.extend(events)

    def drain(self) -> list[Event]:
        if self._clock is not None:
            self._play_by_the_clock(self._clock())
        due, self._due = self._due, []
        scaled = [e.model_copy(update={"lr": e.lr * self._scale}) if isinstance(e, Step | Epoch) else e for e in due]
        for event in scaled:
            if isinstance(event, Step):
                self._step, self._lr = (event.epoch, event.step), event.lr
        return scaled

    def _play_by_the_clock(self, now: float) -> None:
        if self._paused_at is not None:
            return
        while True:
            if self._next is None:
                self._next = next(self._events, None)
                if self._next is None:
                    return
                if self._started_at is None:
                    self._started_at, self._first_time = now, self._next.time
            assert self._started_at is not None and self._first_time is not None
            if self._next.time - self._first_time > now - self._started_at:
                return
            self._due.append(self._next)
            self._next = None

    def send(self, command: Command) -> None:
        self.sent.append(command)
        now = self._clock() if self._clock is not None else 0.0
        epoch, step = self._step
        outcome, value = Text(text=""), None
        if isinstance(command, SetLR):
            self._scale *= command.value / self._lr
            outcome, value = LRChanged(before=self._lr, after=command.value), command.value
            self._lr = command.value
        elif command.command in PAUSE_MODES:
            self._paused_at, outcome = now, MemoryReleased(device="cpu") if command.command == "release" else Paused()
        elif command.command == "continue":
            if self._paused_at is not None and self._started_at is not None:
                self._started_at += now - self._paused_at
            self._paused_at, outcome = None, Continued()
        elif command.command == "checkpoint":
            outcome = CheckpointStarted()
        elif command.command == "stop":
            outcome = Ending(reason=Reason.STOPPED)
        self._due.append(
            CommandDone(
                time=START + step * 0.02, command=command.command, value=value, epoch=epoch, step=step, outcome=outcome
            )
        )
        if command.command == "stop":
            self._events, self._next = iter(()), None
            message = f"Stopped at step {step} by a command; the model is saved."
            self._due.append(
                Finished(
                    time=START + step * 0.02,
                    reason=Reason.STOPPED,
                    epoch=epoch,
                    step=step,
                    seconds=1.0,
                    message=message,
                )
            )
