"""The training loop.

    for each epoch:
        for each batch, in the order that follows from seed and epoch:
            train_step: forward, loss, backward, clip, step, schedule
            at most ten times a second: emit a `step` event, poll for commands
        evaluate: loss and metrics on the validation part
        early stopping, `epoch` event, scheduler, checkpoint

Nothing in a step waits for the device: losses and outputs stay there until they are fetched together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from time import monotonic

from engine.protocol.events import Log, Reason
from engine.training.accumulation import StepResult, batches_of_steps
from engine.training.batches import Batch, Batches
from engine.training.closure_step import closure_step
from engine.training.evaluation import Evaluation, evaluate
from engine.training.learner import Learner, Position
from engine.training.metrics import Metrics
from engine.training.mixing import Mixing
from engine.training.reporting import EpochLosses, ExitReason, LoopHost, StepReporter, epoch_event
from engine.training.runtime_config import RuntimeConfig
from engine.training.stopping import Stopping
from engine.training.train_step import train_step

TICK_S = 0.1
"""Seconds between two fetches of losses and polls for commands."""


@dataclass(kw_only=True, eq=False)
class Loop(Learner):
    """Trains a network from its position to the end of the run, or until its host asks it to stop."""

    batches: Batches
    mixing: Mixing | None
    metrics: Metrics
    val_metrics: Metrics
    stopping: Stopping
    host: LoopHost
    runtime: RuntimeConfig
    seed: int
    epochs: int
    batch_size: int
    accumulation_steps: int
    validation_size: int
    """Samples in a batch of the validation part."""
    losses: EpochLosses = field(default_factory=EpochLosses)
    reporter: StepReporter = field(default_factory=StepReporter)
    accumulation_batches: list[Batch] = field(default_factory=list)
    """The batches of the current step, or of the last one."""
    rewinds: int = 0
    """How often the run returned to a checkpoint because something was not finite."""
    validating: bool = False
    """Whether an evaluation is in progress, which no checkpoint can store."""
    _next_tick: float = 0.0

    def run(self) -> ExitReason:
        """Train to the end of the run, or until the host stops the loop. Returns why it ended.

        Raises:
            NotFinite: the loss, a gradient or a weight is no longer finite.
        """
        self.reporter.restart()
        try:
            return self._run()
        finally:
            self.report_step()

    def _run(self) -> ExitReason:
        clock = self.reporter.clock
        while self.position.epoch <= self.epochs and not self.stopping.over:
            # The first part of a resumed epoch was trained in another process: it counts neither as time nor as speed.
            began, samples_before = clock.now(), self.losses.samples
            if reason := self._train_epoch():
                return reason
            train_s = clock.now() - began
            samples_per_s = (self.losses.samples - samples_before) / max(train_s, 1e-9)
            if log := self.batches.reading(train_s):
                self.host.emit(log)
            evaluation = self._validate()
            if evaluation.exit_reason:
                return evaluation.exit_reason
            self._end_epoch(evaluation, seconds=clock.now() - began, samples_per_s=samples_per_s)
        return Reason.EARLY_STOPPED if self.stopping.over else Reason.COMPLETED

    def _train_epoch(self) -> ExitReason | None:
        self.network.train()
        for batches in self.epoch_batches(self.position.epoch, skip=self.position.step_in_epoch):
            self.step(batches)
            if reason := self._poll_if_due():
                return reason
        self.flush_losses()
        self.report_step()
        self.require_finite_weights()
        return None

    def epoch_batches(self, epoch: int, *, skip: int = 0) -> Iterator[list[Batch]]:
        """Return the batches of each step of an epoch, without the first `skip` steps."""
        batches = self.batches.training(self.batch_size, self.seed, epoch, skip=skip * self.accumulation_steps)
        if self.mixing is not None:
            batches = map(self.mixing, batches)
        return batches_of_steps(batches, self.accumulation_steps)

    def step(self, batches: list[Batch]) -> None:
        """Take one step and record its loss and outputs. After an error the position is that before the step.

        Raises:
            NotFinite: the gradients are not finite; no weight was changed.
        """
        self.accumulation_batches = batches
        self.position.advance(1)
        try:
            take_step = closure_step if self.needs_closure else train_step
            result = take_step(self, batches, measure_norm=self.reporter.norm_is_due())
            self.record(result)
            if not result.finite:
                self.flush_losses()
                raise self.not_finite("A gradient", self.position.step)
        except BaseException:
            self.position.advance(-1)
            raise

    def record(self, result: StepResult) -> None:
        """Add the loss and the outputs of a step to those of the epoch."""
        self.losses.add(result.loss, result.weight, result.samples, self.position.step)
        for output, target in result.outputs:
            self.metrics.add(output, target)
        if result.grad_norm is not None:
            self.reporter.grad_norm = result.grad_norm

    def flush_losses(self) -> None:
        """Fetch the losses that wait on the device, and emit a `step` event if one is due.

        Raises:
            NotFinite: one of them is not finite; its `step` event was emitted.
        """
        losses = self.losses.fetch()
        gradients_finite = self.guard is None or self.guard.fetch()
        self.reporter.add(losses, self.position)
        if losses.first_nonfinite is not None or self.reporter.elapsed_s >= TICK_S:
            self.report_step()
        if losses.first_nonfinite is not None:
            raise self.not_finite("The loss", losses.first_nonfinite)
        if not gradients_finite:
            raise self.not_finite("A gradient", self.position.step)

    def report_step(self) -> None:
        """Emit the `step` event of the losses that were fetched since the last one, if there are any."""
        if event := self.reporter.event(self.rate.last):
            self.host.emit(event)

    def _validate(self) -> Evaluation:
        if self.average is not None:
            self.average.epoch_done(self.position.epoch)
        self.validating = True
        try:
            return evaluate(
                self,
                self.batches,
                metrics=self.val_metrics,
                batch_size=self.validation_size,
                seed=self.seed,
                find_nonfinite=not self.stopping.not_finite_on,
                poll=self._poll_if_due,
            )
        finally:
            self.validating = False

    def _end_epoch(self, evaluation: Evaluation, *, seconds: float, samples_per_s: float) -> None:
        if evaluation.nonfinite is not None:
            self.stopping.not_finite_on = evaluation.nonfinite.samples
            self.host.emit(Log(level="warning", message=evaluation.nonfinite.sentence))
        at, measured = self.position, {"train_loss": self.losses.mean}
        measured |= {f"train_{name}": value for name, value in self.metrics.compute().items()}
        measured |= {f"val_{name}": value for name, value in evaluation.metrics.items()}
        self.stopping.update(at.epoch, measured)
        event = epoch_event(
            at, measured, self.stopping, lr=self.rate.last, seconds=seconds, samples_per_s=samples_per_s
        )
        self.rate.epoch_done(measured)
        self.losses = EpochLosses()
        self.metrics.reset()
        self.position = Position(epoch=at.epoch + 1, step=at.step)
        self.host.emit(event)
        self.host.epoch_ended(improved=self.stopping.best_epoch == at.epoch)

    def _poll_if_due(self) -> ExitReason | None:
        """Let the host act on commands, a few times a second. Returns why to leave the loop, if it is to be left."""
        if monotonic() < self._next_tick and not self.host.inbox:
            return None
        self.flush_losses()
        if (reason := self.host.poll()) is None:
            self._next_tick = monotonic() + TICK_S
        return reason
