"""The training loop.

    for each epoch:
        for each batch, in the order that seed and epoch give:
            forward, loss, backward, clip, step, schedule
            at most ten times a second: `step` event, then what viewers ask for
        `step` event of the last step, validate, `epoch` event, checkpoint
        stop, when patience has run out or the threshold is reached

Nothing in a step waits for the device: losses and outputs stay there until they are fetched together.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from time import monotonic
from typing import Final, Literal, Protocol

import torch
from torch import Tensor, nn

from engine.catalog.denominators import counted_of, denominator_of, mean_of, sum_of
from engine.catalog.optimizers import NEEDS_CLOSURE
from engine.experiment.document import Experiment
from engine.plan.plan import VALIDATION_BATCHES
from engine.protocol.commands import Command
from engine.protocol.events import Epoch, Event, Log, Reason, Step
from engine.training.averaging import Average, Statistics
from engine.training.batches import Batch, Batches
from engine.training.finite import Guard, NotFinite, all_finite
from engine.training.finite_samples import samples_not_finite
from engine.training.learner import Position
from engine.training.metrics import Metrics
from engine.training.micro_batches import pieces
from engine.training.mixing import Mixing
from engine.training.precision import MixedPrecision, evaluation
from engine.training.regularization import Regularizer
from engine.training.replay import Replay
from engine.training.reporting import EpochLosses
from engine.training.runtime_config import RuntimeConfig
from engine.training.schedule import LearningRate
from engine.training.stopping import Stopping

TICK_S = 0.1
"""Time between two looks at the losses and at what viewers ask for."""

GRAD_NORM_S = 1.0
"""Time between two looks at the norm of the gradients where nothing clips it: it reads every gradient, which on a large
network of cheap steps (an embedding) would cost some percent of the run at every tick."""


RELEASED: Final = "released"
ExitReason = Reason | Literal["released"]
"""Why a loop is left: the run has come to an end, or is paused and gives back what it has on the device; then another
loop goes on where this one stood."""


class LoopHost(Protocol):
    """Whoever runs the loop: hears its events, and answers for the people who watch."""

    inbox: deque[Command]

    def emit(self, event: Event) -> None: ...

    def poll(self) -> ExitReason | None:
        """Do what viewers ask for; why the loop is to be left, if it is."""

    def epoch_ended(self, *, improved: bool) -> None:
        """The position stands at the start of the next epoch: a good moment for a checkpoint."""


class Loop:
    """Trains a network for an experiment, from a position to the end of the run or until it is told to stop."""

    def __init__(
        self,
        experiment: Experiment,
        *,
        network: nn.Module,
        batches: Batches,
        criterion: nn.Module,
        optimizer: torch.optim.Optimizer,
        rate: LearningRate,
        precision: MixedPrecision,
        regularizer: Regularizer,
        mixing: Mixing | None,
        average: Average | None,
        stopping: Stopping,
        metrics: Callable[[], Metrics],
        runtime: RuntimeConfig,
        host: LoopHost,
    ) -> None:
        self.seed = experiment.seed
        self.epochs = experiment.training.epochs
        self.batch_size = experiment.data.batch_size
        self.accumulation_steps = experiment.training.accumulation_steps
        self.needs_closure = experiment.optimizer.type in NEEDS_CLOSURE
        self.network = network
        self.batches = batches
        self.criterion = criterion
        self.denominator = denominator_of(criterion)
        self.loss_sum = criterion if self.denominator is None else sum_of(criterion)
        self.counted = counted_of(criterion)
        self.optimizer = optimizer
        self.rate = rate
        self.precision = precision
        self.regularizer = regularizer
        self.mixing = mixing
        self.average = average
        self.stopping = stopping
        self.metrics = metrics()
        self.val_metrics = metrics()
        self.runtime = runtime
        self.host = host

        self.position = Position()
        self.losses = EpochLosses()
        self.paused_s = 0.0
        scales = precision.scaler is not None
        self.guard = None if scales or batches.device == "mps" else _guard(optimizer, network, batches.device)
        self.window: list[Batch] = []
        """What the step under way, or the last one, was taken on."""
        self.stepping = False
        """Whether the optimizer itself is at work on its weights."""
        self.micro_batches = 1
        """Pieces in which each batch is taken, where it does not fit into memory."""
        self.validation_size = self.batch_size * VALIDATION_BATCHES
        self.rewinds = 0
        """How often the run has gone back to a checkpoint because something was not finite."""
        self.validating = False
        """Whether a validation is under way, and what it measures anew is not whole: no moment for a checkpoint."""
        self._grad_norm: Tensor | None = None
        self._next_tick = self._next_grad_norm = 0.0
        self._unsaid = (0.0, 0.0, 0)
        self._fetched_at = (0, 0)
        self._said_at, self._said_paused_s = 0.0, 0.0

    def run(self) -> ExitReason:
        """Train to the end of the run, or until the loop is to be left; says why.

        The last step of each epoch is said before the epoch is, and the last one of all before this returns.

        Raises:
            NotFinite: the loss stopped being finite.
        """
        self._said_at, self._said_paused_s = monotonic(), self.paused_s
        try:
            return self._run()
        finally:
            self.report_step()

    def _run(self) -> ExitReason:
        if self.stopping.over:
            # Resumed after it had stopped early: there is no other end to reach.
            return Reason.EARLY_STOPPED
        while self.position.epoch <= self.epochs:
            began, paused = monotonic(), self.paused_s
            samples = self.losses.samples
            if reason := self._train():
                return reason
            self.flush_losses()
            self.report_step()
            self.require_finite_weights()
            train_s = monotonic() - began - (self.paused_s - paused)
            # An epoch that was gone on with has samples of another process, which cost this one no time.
            samples_per_s = (self.losses.samples - samples) / max(train_s, 1e-9)
            if said := self.batches.reading(train_s):
                self.host.emit(said)
            if reason := self._finish_epoch(began, paused, samples_per_s):
                return reason
        return Reason.COMPLETED

    @property
    def averaged(self) -> bool:
        """Whether there are averaged weights by now."""
        return self.result is not self.network

    @property
    def result(self) -> nn.Module:
        """The network that is validated and kept: with the averaged weights, once there are any."""
        return self.average.network if self.average is not None and self.average.count else self.network

    def _train(self) -> ExitReason | None:
        self.network.train()
        for window in self._windows():
            self.step(window)
            if monotonic() >= self._next_tick or self.host.inbox:
                self.flush_losses()
                if reason := self.host.poll():
                    return reason
                self._next_tick = monotonic() + TICK_S
        return None

    def _windows(self) -> Iterator[list[Batch]]:
        """The batches of each step of the epoch that are still to be taken; one, unless gradients are accumulated."""
        done = self.position.step_in_epoch * self.accumulation_steps
        batches: Iterator[Batch] = self.batches.training(self.batch_size, self.seed, self.position.epoch, skip=done)
        if self.mixing is not None:
            batches = map(self.mixing, batches)
        while window := list(islice(batches, self.accumulation_steps)):
            yield window

    def step(self, window: list[Batch]) -> None:
        """One step of the optimizer: on one batch, or on several whose gradients are added up.

        What is raised leaves the step untaken.

        Raises:
            NotFinite: its update would not be finite.
        """
        self.window = window
        self.position.step += 1
        self.position.step_in_epoch += 1
        try:
            if self.needs_closure:
                self._step_with_closure(window)
            else:
                self._step(window)
        except BaseException:
            self.position.step -= 1
            self.position.step_in_epoch -= 1
            raise

    def _step(self, window: list[Batch]) -> None:
        """Forward, loss, backward, clip, step, schedule."""
        self.gradients(window)
        self.precision.unscale()
        self._require_finite_gradients()
        if self.regularizer.max_norm is None and monotonic() >= self._next_grad_norm:
            self._look_at_norm()
        if self.regularizer.clips and (norm := self.regularizer.clip()) is not None:
            self._grad_norm = norm
        self._take()
        self.optimizer.zero_grad()
        self._step_done()

    def _take(self, *closure: Callable[[], Tensor]) -> None:
        self.stepping = not closure
        self.precision.step(*closure)
        self.stepping = False

    def _require_finite_gradients(self) -> None:
        if self.guard is not None and not self.guard.passes():
            self.flush_losses()
            raise self._not_finite("A gradient", self.position.step)

    def _step_with_closure(self, window: list[Batch]) -> None:
        """As `_step`, with an optimizer that asks for loss and gradients itself, again and again: LBFGS.

        What is reported is of the first time; the others see the same dropout, see Replay.
        """
        replay = Replay(self.network, self.batches.device)

        def closure() -> Tensor:
            first = replay.rewind()
            self.optimizer.zero_grad()
            objectives = self.gradients(window, report=first)
            if first:
                self._require_finite_gradients()
            if first and monotonic() >= self._next_grad_norm:
                self._look_at_norm()
            return torch.stack([objective.detach() for objective in objectives]).sum()

        self._take(closure)
        replay.done()
        self.optimizer.zero_grad()
        self._step_done()

    def gradients(self, window: list[Batch], *, report: bool = True, parts: int | None = None) -> list[Tensor]:
        """Add up the gradients of the mean loss over all batches of a window: forward, loss, backward.

        Returns what was differentiated: the loss and its penalties, part by part. `report`: take down loss and
        metrics. `parts`: the pieces that each batch is taken in, `micro_batches` if left out.
        """
        weights = [batch.weight(self.denominator) for batch in window]
        whole, samples = sum(weights[1:], weights[0]), sum(batch.size for batch in window)
        window = pieces(window, self.micro_batches if parts is None else parts)
        objectives, reports, losses = [], [], []
        for batch in window:
            with self.precision.autocast():
                output = self.network(*batch.inputs)
                # Each adds what it adds to the mean over all: the gradients are those of one large batch.
                loss = batch.loss(self.criterion, output) if len(window) == 1 else self._part(batch, output, whole)
                objective = self.regularizer.objective(loss, batch.size / samples)
            self.precision.backward(objective)
            objectives.append(objective)
            losses.append(loss.detach())
            reports.append((output.detach(), batch.target))
        if report:  # at the end, since a window that runs out of memory is taken once more
            self.losses.add(sum(losses[1:], losses[0]), whole, samples, self.position.step)
            for output, target in reports:
                self.metrics.add(output, target)
        return objectives

    def _part(self, batch: Batch, output: Tensor, whole: Tensor | float) -> Tensor:
        """What a batch adds to the mean loss over several, whose weights come to `whole`."""
        if not isinstance(whole, Tensor):
            return batch.loss(self.criterion, output) * (batch.size / whole)
        return mean_of(self.loss_sum, batch.loss(self.loss_sum, output), whole)

    def _look_at_norm(self) -> None:
        self._grad_norm = self.regularizer.grad_norm()
        self._next_grad_norm = monotonic() + GRAD_NORM_S

    def _step_done(self) -> None:
        self.rate.step_done()
        if self.average is not None:
            self.average.step_done(self.position.epoch)

    def flush_losses(self) -> None:
        """Fetch the losses that wait on the device, and say their mean if a `step` event is due.

        Raises:
            NotFinite: one of them is not finite; it has been said by then.
        """
        total, weight, samples, broken = self.losses.fetch()
        gradients = self.guard is None or self.guard.fetch()
        if samples:
            self._unsaid = (self._unsaid[0] + total, self._unsaid[1] + weight, self._unsaid[2] + samples)
            self._fetched_at = self.position.epoch, self.position.step
        if broken is not None or monotonic() >= self._said_at + TICK_S:
            self.report_step()
        if broken is not None:
            raise self._not_finite("The loss", broken)
        if not gradients:
            raise self._not_finite("A gradient", self.position.step)

    def _not_finite(self, what: str, step: int) -> NotFinite:
        remedy = (
            "optimizer.line_search_fn, and larger batches" if self.needs_closure else "regularization.clip_grad_norm"
        )
        return NotFinite(self.position.epoch, step, self.rate.last, remedy, what, self.rate.field)

    def require_finite_weights(self) -> None:
        """To be called before weights are judged or kept. Waits for the device.

        Raises:
            NotFinite: the last step has made a weight something that is no number.
        """
        if not all_finite([p for p in self.network.parameters() if p.requires_grad]):
            raise self._not_finite("A weight", self.position.step)

    def report_step(self) -> None:
        """Say the steps of which the losses are fetched and no event was said yet, if there are any."""
        if not self._unsaid[2]:
            return
        (total, weight, samples), now = self._unsaid, monotonic()
        elapsed = now - self._said_at - (self.paused_s - self._said_paused_s)
        self._unsaid, self._said_at, self._said_paused_s = (0.0, 0.0, 0), now, self.paused_s
        self.host.emit(
            Step(
                epoch=self._fetched_at[0],
                step=self._fetched_at[1],
                loss=total / weight if weight else math.nan,
                lr=self.rate.last,
                grad_norm=None if self._grad_norm is None else float(self._grad_norm),
                samples_per_s=samples / max(elapsed, 1e-9),
            )
        )

    def _finish_epoch(self, began: float, paused: float, samples_per_s: float) -> ExitReason | None:
        if self.average is not None:
            self.average.epoch_done(self.position.epoch)
        validation, reason = self._validate()
        if reason:
            return reason
        at = self.position
        measured = {"train_loss": self.losses.mean}
        measured |= {f"train_{name}": value for name, value in self.metrics.compute().items()}
        measured |= {f"val_{name}": value for name, value in validation.items()}
        self.stopping.update(at.epoch, measured)
        event = Epoch.model_validate(
            {
                "epoch": at.epoch,
                "step": at.step,
                "lr": self.rate.last,
                "seconds": monotonic() - began - (self.paused_s - paused),
                "samples_per_s": samples_per_s,
                "best": self.stopping.best,
                "best_epoch": self.stopping.best_epoch,
                "patience_used": self.stopping.patience_used,
            }
            | measured
        )
        self.rate.epoch_done(measured)
        self.losses = EpochLosses()
        self.metrics.reset()
        self.position = Position(epoch=at.epoch + 1, step=at.step)
        self.host.emit(event)
        self.host.epoch_ended(improved=self.stopping.best_epoch == at.epoch)
        return Reason.EARLY_STOPPED if self.stopping.over else None

    def _validate(self) -> tuple[dict[str, float], ExitReason | None]:
        """Loss and metrics on the validation part; given up when the loop is to be left, and done again by the next."""
        self.val_metrics.reset()
        losses = EpochLosses()
        counted: Tensor | bool = self.counted is None
        network = self.result
        with evaluation(network), self._measuring():
            if reason := self._measure_statistics():
                return {}, reason
            for index, batch in enumerate(self.batches.validation(self.validation_size)):
                with self.precision.autocast():
                    output = network(*batch.inputs)
                    loss = batch.loss(self.criterion, output)
                losses.add(loss, batch.weight(self.denominator), batch.size, index)
                if self.counted is not None:
                    counted = counted | self.counted(batch.target).any()
                self.val_metrics.add(output, batch.target)
                if reason := self._look_up():
                    return {}, reason
            *_, broken = losses.fetch()
            if not losses.samples:
                return {}, None
            if broken is not None and not self.stopping.not_finite_on:
                self._say_not_finite(network, broken)
            # A mean over nothing is no number.
            mean = {"loss": losses.mean} if losses.weight and counted else {}
            return mean | self.val_metrics.compute(), None

    def _say_not_finite(self, network: nn.Module, index: int) -> None:
        """Name the samples of a validation batch whose loss is not finite, once."""
        batch = next(islice(self.batches.validation(self.validation_size), index, None))
        with self.precision.autocast():
            output = network(*batch.inputs)
        begin = index * self.validation_size
        found = samples_not_finite(self.criterion, batch, output, begin, self.batches.dataset.description)
        self.stopping.not_finite_on = found.samples
        self.host.emit(Log(level="warning", message=found.sentence))

    @contextmanager
    def _measuring(self) -> Iterator[None]:
        self.validating = True
        try:
            yield
        finally:
            self.validating = False

    def _measure_statistics(self) -> ExitReason | None:
        """Let the BatchNorm layers of an averaged network see the training samples, where the average needs it."""
        if self.average is None or not self.average.count or not self.average.needs_statistics:
            return None
        size, epoch = self.validation_size, self.position.epoch
        with Statistics(self.average.network) as statistics:
            for batch in self.batches.training(size, self.seed, epoch):
                with self.precision.autocast():
                    statistics.see(batch)
                if reason := self._look_up():
                    statistics.give_up()
                    return reason
        return None

    def _look_up(self) -> ExitReason | None:
        """See to the viewers between two batches of the validation, when it is time."""
        if monotonic() < self._next_tick and not self.host.inbox:
            return None
        if reason := self.host.poll():
            return reason
        self._next_tick = monotonic() + TICK_S
        return None


def _guard(optimizer: torch.optim.Optimizer, network: nn.Module, device: str) -> Guard:
    return Guard(optimizer, list(network.parameters()), waits=device == "cpu")
