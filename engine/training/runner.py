"""Trains one run in the engine thread, from its data to its end. See `session_states` for the states it passes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import monotonic, sleep
from typing import Any

from torch import nn

from engine.data import Baseline, Dataset, baselines_of, data_manifest
from engine.data.baselines import comparison, is_better
from engine.protocol.commands import Command, SetLR, Simple
from engine.protocol.events import Epoch, Event, Log, Reason, RunStarted
from engine.runs.run_state import epoch_metrics
from engine.sizes import size_text
from engine.training.assemble import assemble
from engine.training.checkpoint import newest_checkpoint
from engine.training.checkpoint_policy import CheckpointPolicy
from engine.training.commands import Requests, handle_command
from engine.training.folder_guard import FolderGuard
from engine.training.generation import TextGenerator
from engine.training.loop import TICK_S, Loop
from engine.training.memory import (
    empty_caches,
    is_out_of_memory,
    keep_freed_memory,
    release_freed_memory,
    reserved_memory,
)
from engine.training.messages import KeptWeights, end_message, introduction, resume_messages, run_started
from engine.training.monitor import DeviceMonitor
from engine.training.nonfinite import NotFinite
from engine.training.recovery import Recovery
from engine.training.reporting import RELEASED, ExitReason
from engine.training.resuming import record
from engine.training.session_states import InvalidTransition, SessionState, StateMachine
from engine.training.stages import ActiveRun, AnyStage, NewRun, SuspendedRun
from engine.training.starting import PreparedRun
from engine.training.stopping import Stopping

RETRY_S = 10.0
"""Seconds between two attempts to build the loop on a device that has too little free memory."""


class Runner:
    """Builds the loop of a run, runs it, and handles commands and faults between two of its batches.

    It is the host of the loop; see `LoopHost`. All methods are called in the engine thread.

    Args:
        prepared: The run.
        dataset: Its data.
        states: The state of the session, which the runner changes.
        requests: What is requested of the run.
        inbox: Commands from viewers in this process.
        emit: Records an event. Thread-safe; the checkpoint writer calls it, too.
    """

    def __init__(
        self,
        prepared: PreparedRun,
        dataset: Dataset,
        *,
        states: StateMachine,
        requests: Requests,
        inbox: deque[Command],
        emit: Callable[[Event], None],
    ) -> None:
        self.plan, self.directory, self.resumption = prepared.plan, prepared.directory, prepared.resumption
        self.dataset = dataset
        self.states, self.requests, self.inbox = states, requests, inbox
        self._emit = emit
        stopping = Stopping(self.plan.experiment.training.early_stopping, has_validation=len(dataset.validation) > 0)
        self.stage: AnyStage = NewRun(stopping=stopping)
        self.policy = self._new_policy(None)
        self._guard = FolderGuard(self.directory, self.plan, emit=self.emit, on_recreated=self._fill_folder)
        self._monitor: DeviceMonitor | None = None
        self._started: RunStarted | None = None
        self._baselines: tuple[Baseline, ...] = ()
        self.best_metrics: dict[str, float] = {}
        """The metrics of the best epoch, if this session trained it."""
        self.better_than_baseline: bool | None = None
        """Whether they are better than the baselines; None before the end."""

    @property
    def loop(self) -> Loop:
        """The loop.

        Raises:
            InvalidTransition: The run has no loop in its present state.
        """
        if not isinstance(self.stage, ActiveRun):
            raise InvalidTransition(f"a session that is {self.states.state} has no loop")
        return self.stage.loop

    @property
    def network(self) -> nn.Module | None:
        """The network, if there is a loop."""
        return self.stage.loop.network if isinstance(self.stage, ActiveRun) else None

    # The host of the loop; see LoopHost.

    def emit(self, event: Event) -> None:
        """Record an event."""
        if isinstance(event, Epoch) and event.best_epoch in (None, event.epoch):
            self.best_metrics = event.metrics
        self._emit(event)

    def poll(self) -> ExitReason | None:
        """Do what viewers request, wait while the run is paused, save; return why the loop must return, or None."""
        loop = self.loop
        self._follow(loop)
        self.attend()
        self._save_if_due(loop)
        if self.requests.pause_mode is not None:
            loop.report_step()
        while self.requests.pause_mode is not None and self.requests.ending is None:
            if self.requests.pause_mode == "release":
                return RELEASED
            self.states.ensure(SessionState.PAUSED)
            began = monotonic()
            sleep(TICK_S)
            self.attend()
            self._save_if_due(loop)
            loop.reporter.clock.paused_s += monotonic() - began
        if self.requests.ending is None:
            self._follow(loop)
        return self.requests.ending

    def epoch_ended(self, *, improved: bool) -> None:
        """Save a checkpoint if it is due, and log a sample of a language model."""
        loop = self.loop
        self._follow(loop)
        self.policy.epoch_ended(loop, improved=improved)
        if isinstance(self.stage, ActiveRun) and self.stage.generator is not None:
            epoch = loop.position.epoch - 1
            self.emit(Log(message=f"Epoch {epoch} writes: {self.stage.generator.generate(loop.result, epoch)}"))
        self._save_if_due(loop)

    def _follow(self, loop: Loop) -> None:
        self.states.ensure(SessionState.VALIDATING if loop.validating else SessionState.TRAINING)

    def _save_if_due(self, loop: Loop) -> None:
        if loop.validating:
            return
        if self.requests.checkpoint:
            self.requests.checkpoint = False
            self.policy.save(loop)
        else:
            self.policy.between_steps(loop)

    # From the start to the end.

    def run(self) -> Reason:
        """Train until the run ends; return why. The run may be without a loop for a while, when it is released."""
        reason = self._begin()
        while reason is None:
            ended = self._train()
            reason = self._release(ended) if isinstance(ended, SuspendedRun) else ended
        return reason

    def _begin(self) -> Reason | None:
        """Build the loop, unless the run starts released. Return why the run ends, if it ends before that."""
        resumption, suspended = self.resumption, None
        if resumption is None:
            self._record_data()
        self._baselines = baselines_of(self.dataset)
        if resumption is not None:
            suspended = SuspendedRun.read(resumption.checkpoint, resumption.runtime, self.plan, self.dataset)
            self.stage = suspended
        released = suspended is not None and self.requests.pause_mode == "release"
        if not released:
            self.build()
        checkpoint = resumption.checkpoint if resumption is not None else None
        self._started = run_started(self.plan, self.dataset, self.directory.path, checkpoint)
        self.emit(self._started)
        if resumption is not None:
            for log in record(resumption):
                self.emit(log)
            self.policy = self._new_policy(suspended)
        if released and (ending := self._wait()):
            return ending
        if resumption is not None:
            for log in resume_messages(resumption, self.loop):
                self.emit(log)
        for log in introduction(self.plan, self.dataset, self.loop, self._baselines):
            self.emit(log)
        if resumption is None:
            self.policy.save(self.loop)
        return None

    def build(self) -> Loop:
        """Build the loop on its device: of a new run, or with the state of a suspended one."""
        suspended = self.stage if isinstance(self.stage, SuspendedRun) else None
        loop = assemble(self.plan, self.dataset, self, runtime=suspended.runtime if suspended else None)
        if suspended is not None:
            suspended.restore(loop)
        temperature, generator = self.dataset.temperature, None
        if temperature is not None:
            generator = TextGenerator(self.dataset, self.plan.device, self.plan.experiment.seed, temperature)
        self.stage = ActiveRun(loop=loop, generator=generator)
        self._monitor = self._monitor or DeviceMonitor(self.plan.device)
        return loop

    def _new_policy(self, suspended: SuspendedRun | None) -> CheckpointPolicy:
        training = self.plan.experiment.training
        return CheckpointPolicy(
            self.directory.checkpoints,
            every_s=training.checkpoint_every_s,
            within_epoch_s=training.checkpoint_within_epoch_s,
            emit=self.emit,
            resumed_from=suspended.checkpoint if suspended else None,
            best_epoch=suspended.stopping.best_epoch if suspended else None,
        )

    def _train(self) -> Reason | SuspendedRun:
        """Run the loop until it returns, and again after each fault from which it can recover.

        Return why the run ends, or its state if its memory is to be released.
        """
        loop = self.loop
        recovery = Recovery(self.plan, loop, rewind=self.rewind, emit=self.emit)
        while True:
            not_finite: NotFinite | None = None
            try:
                reason = self.poll() or loop.run()
                if reason != RELEASED:
                    return reason
                loop.flush_losses()
                return SuspendedRun.capture(loop, self.policy.save(loop))
            except NotFinite as error:
                not_finite = error.with_traceback(None)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            # Outside of the except block, because a traceback keeps the tensors of its step.
            if not_finite is not None:
                recovery.after_not_finite(not_finite)
            else:
                recovery.after_out_of_memory()

    def rewind(self) -> str | None:
        """Restore the newest intact checkpoint into the loop; return its name, or None if there is none."""
        self.policy.close()
        checkpoint = newest_checkpoint(self.directory.checkpoints)
        if checkpoint is None:
            return None
        suspended = SuspendedRun.read(checkpoint, self.loop.runtime, self.plan, self.dataset)
        suspended.restore(self.loop)
        self.policy = self._new_policy(suspended)
        self.best_metrics = {}  # they may be of an epoch that is trained again
        return checkpoint.name

    # Without a loop.

    def _release(self, suspended: SuspendedRun) -> Reason | None:
        """Remove the loop and release its memory, then wait. Return why the run ends, or None if it trains again."""
        device = self.plan.device
        before = reserved_memory(device)
        self.loop.batches.close()
        self.stage = suspended
        empty_caches(device)
        if device == "cpu":
            release_freed_memory()
        released = size_text(max(0, before - reserved_memory(device)))
        self.emit(Log(message=f"Paused at step {suspended.position.step}: {released} of {device} memory is released."))
        return self._wait()

    def _wait(self) -> Reason | None:
        """Wait until a loop is needed, and build it. Return why the run ends, if it ends before that."""
        retry_at, reported = 0.0, False
        self.states.to(SessionState.RELEASED)
        while self.requests.ending is None:
            self.attend()
            self.policy.retry()
            needed = self.requests.pause_mode != "release" or bool(self.requests.for_loop)
            self.states.ensure(SessionState.REBUILDING if needed else SessionState.RELEASED)
            if not needed or monotonic() < retry_at:
                sleep(TICK_S)
                continue
            if self._build_if_it_fits():
                self.inbox.extendleft(reversed(self.requests.for_loop))
                self.requests.for_loop.clear()
                return None
            retry_at = monotonic() + RETRY_S
            if not reported:
                message = (
                    f"{self.plan.device} has too little free memory for the run. The run waits, and tries again every "
                    f"{RETRY_S:.0f} s."
                )
                self.emit(Log(level="warning", message=message))
                reported = True
        return self.requests.ending

    def _build_if_it_fits(self) -> bool:
        keep_freed_memory()
        try:
            self.build()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        else:
            return True
        empty_caches(self.plan.device)
        return False

    # Between two batches, and while there is no loop.

    def attend(self) -> None:
        """Handle commands, check the run's folder, and emit a `device` event if one is due."""
        self._poll_commands()
        self._guard.check_if_due()
        paused = self.requests.pause_mode is not None
        if self._monitor is not None and (event := self._monitor.read_if_due(paused=paused)):
            self.emit(event)

    def _poll_commands(self) -> None:
        while self.inbox:
            self._handle(self.inbox.popleft())
        for command in self.directory.new_commands():
            if isinstance(command, (Simple, SetLR)):
                self._handle(command)
            else:
                self.emit(Log(level="warning", message=command.reason))

    def _handle(self, command: Command) -> None:
        if done := handle_command(command, self.requests, self.stage, self.policy, self.plan.device):
            self.emit(done)

    def _record_data(self) -> None:
        """Record which sample is in which part, and what was learned from them; a resumed run reads this."""
        try:
            data_manifest.save_manifest(self.dataset, self.directory.path)
        except OSError as error:
            why = error.strerror or str(error)
            self.emit(Log(level="warning", message=f"The split of the data cannot be recorded ({why})."))

    def _fill_folder(self) -> None:
        """Write what is known of the run into its new folder, and save a checkpoint there."""
        if self._started is not None:
            self.emit(self._started)
        message = f"{self.directory.path} is created again. Its old content is gone, or is where it was moved to."
        self.emit(Log(level="warning", message=message))
        self._record_data()
        self.policy.save_best_again()
        if isinstance(self.stage, SuspendedRun):
            self.policy.save_state(self.stage.saved)
        else:
            self.requests.checkpoint = True

    # The end.

    def end(self, reason: Reason) -> str:
        """Save the last checkpoint and restore the best weights; return the message of the `finished` event."""
        stage, policy = self.stage, self.policy
        self._guard.check()
        if isinstance(stage, ActiveRun):
            stage.loop.flush_losses()
            stage.loop.report_step()
            policy.save(stage.loop)
        saved = policy.close()
        best = policy.best if stage.stopping.restore_best else None
        if isinstance(stage, ActiveRun) and reason not in (Reason.INTERRUPTED, Reason.DETACHED):
            stage.loop.network.load_state_dict(best.model if best is not None else stage.loop.result.state_dict())
        weights: KeptWeights = "best" if best is not None else "averaged" if stage.averaged else "last"
        metrics = self.best_metrics or epoch_metrics(self.directory.path, stage.stopping.best_epoch)
        self.better_than_baseline = is_better(self._baselines, metrics)
        compared = comparison(self._baselines, metrics)
        return end_message(reason, stage.position, stage.stopping, kept=weights, compared=compared, saved=saved)

    def fail(self) -> str:
        """Save what can be saved after an error; return a clause on the best checkpoint, or an empty text."""
        if isinstance(self.stage, ActiveRun):
            with suppress(Exception):  # the device may be the cause of the error
                self.stage.loop.flush_losses()
                self.stage.loop.report_step()
        # Only a checkpoint that is flushed to disk is complete.
        if self.policy.close() and self.policy.best is not None:
            return f"; the best checkpoint so far, of epoch {self.stage.stopping.best_epoch}, is intact"
        return ""

    def close(self) -> dict[str, Any]:
        """Stop reading data; return the fields of the `finished` event that describe the training."""
        if isinstance(self.stage, ActiveRun):
            self.stage.loop.batches.close()
        return {
            "epoch": self.stage.position.epochs_begun,
            "step": self.stage.position.step,
            "best_epoch": self.stage.stopping.best_epoch,
            "best": self.stage.stopping.best,
            "metrics": self.best_metrics,
            "better_than_baseline": self.better_than_baseline,
        }
