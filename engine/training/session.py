"""One run, from a plan to a trained model, on a thread of its own. A session knows no screen."""

from __future__ import annotations

import threading
import traceback
from collections import deque
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

from torch import nn

from engine.data import Baseline, Dataset, baselines_of, data_manifest, load_data
from engine.data import fetch as fetch_data
from engine.data.baselines import comparison, is_better
from engine.data.progress import progress_to
from engine.data.recorded import NOTHING_RECORDED
from engine.experiment import Refused, dumps
from engine.model.published_weights import download_weights
from engine.plan import Plan, check
from engine.protocol.commands import Command, PauseMode, SetLR, Simple
from engine.protocol.events import CommandDone, Epoch, Event, Finished, Log, Reason, RunStarted
from engine.protocol.outcomes import (
    AnyOutcome,
    CheckpointFailed,
    CheckpointSaved,
    CheckpointStarted,
    CommandRefused,
    Continued,
    Ending,
    LRChanged,
    MemoryReleased,
    Paused,
)
from engine.runs import RunDirectory
from engine.runs.run_state import epoch_metrics
from engine.sizes import size_text
from engine.training import resuming
from engine.training.assemble import assemble
from engine.training.beginning import introduction, run_started
from engine.training.checkpoint import newest_checkpoint
from engine.training.checkpoint_policy import CheckpointPolicy
from engine.training.ending import Kept, how_it_ended
from engine.training.generation import TextGenerator
from engine.training.loop import TICK_S, Loop
from engine.training.memory import (
    empty_caches,
    is_out_of_memory,
    keep_freed_memory,
    release_freed_memory,
    reserved_memory,
)
from engine.training.monitor import DeviceMonitor
from engine.training.nonfinite import NotFinite
from engine.training.recovery import Recovery, error_sentence
from engine.training.reporting import RELEASED, ExitReason
from engine.training.resuming import Resumption, resumption
from engine.training.runtime_config import describe_environment
from engine.training.suspended_run import RETRY_S, SuspendedRun

DEVICE_EVENT_S = 2.0
HELD_GROWTH = 1.1
"""While a run is held each `device` event comes this much later than the one before: a year of a pause is less than two
hundred lines, and the run's own last words stay near the end of its events, where a list looks for them."""

EVENTS_HELD = 20_000
"""Events that wait for a viewer in this process before the oldest are dropped; the run directory keeps them all."""


class _LeftUnread(BaseException):
    """The run is to end while its data are read. No Exception, which a reader might take for a fault of a file."""


class Session:
    """Owns one run: the engine thread, its control, its checkpoints and its run directory.

    The thread is no daemon: whoever starts a session joins it. Nothing that a viewer does or leaves undone holds it
    up: events wait in a bounded queue, commands are looked at between two steps.

    Args:
        plan: what `check` made of an experiment; without mistakes.
        runs_dir: where the run's own directory is made.
        resume: a run to go on with, instead of a new one; see `resumed`.

    Raises:
        Refused: the plan has mistakes, published weights cannot be had, or the directory cannot be written.
    """

    def __init__(self, plan: Plan, *, runs_dir: Path = Path("runs"), resume: Resumption | None = None) -> None:
        if not plan.ok:
            raise Refused(m for m in plan.mistakes if m.severity == "error")
        if fetch_data(plan.experiment.data):
            plan = check(plan.experiment)  # of what came, not of what was expected
            if not plan.ok:
                raise Refused(m for m in plan.mistakes if m.severity == "error")
        self.plan = plan
        self.inbox: deque[Command] = deque()
        self.finished: Finished | None = None
        self._resume = resume
        if resume is None:
            download_weights(plan.experiment.model.layers)
            text = dumps(plan.experiment)
            self._run = RunDirectory.create(runs_dir, plan.experiment.name, text, describe_environment(plan))
        else:
            self._run = resume.run
            resuming.require_same_data(resume)
            self._run.take_over()
        self._events: deque[Event] = deque(maxlen=EVENTS_HELD)
        self._saying = threading.Lock()
        self._loop: Loop | None = None
        self._keeper: CheckpointPolicy | None = None
        self._monitor: DeviceMonitor | None = None
        self._monitored_at = 0.0
        self._held_device_event_s = DEVICE_EVENT_S
        self._looked_for_folder_at = 0.0
        self._ending: Reason | None = None
        self._paused = False
        self._released = False
        """Whether the pause is to leave the device's memory to others."""
        self._rest: SuspendedRun | None = None
        """What the run is while it has no loop."""
        self._for_loop: list[Command] = []
        """What was asked meanwhile that only a loop can do."""
        self._asked_to_save = False
        self._dataset: Dataset
        self._baselines: tuple[Baseline, ...] = ()
        self._generator: TextGenerator | None = None
        self._best_measured: dict[str, float] = {}
        """What was measured in the best epoch, if that was one of this session."""
        self._better: bool | None = None
        """Whether that is better than the baselines, once the run has ended."""
        self._started: RunStarted | None = None
        self._folder_is_missed = False
        self._thread = threading.Thread(target=self._main, name="engine")

    @classmethod
    def resumed(cls, run: Path, overrides: tuple[str, ...] = (), *, commands_read: int | None = None) -> Session:
        """A session that goes on with a run from its newest whole checkpoint, as if it had never ended.

        What "auto" came to then is used again, since another number of threads gives other bits.

        Args:
            commands_read: that of the session which hands the run over to this one, if one does.
            overrides: `path=value`, for what may be another from here on: epochs, patience, the device; see resuming.

        Raises:
            Refused: there is no such run, it is still going, it has no whole checkpoint, or an override is wrong or
                changes what the checkpoint does not allow.
        """
        directory = RunDirectory.open(run, commands_read=commands_read)  # from here on nobody else goes on with it
        try:
            resume = resumption(directory, overrides)
            return cls(resume.plan, resume=resume)
        except BaseException:
            directory.close()
            raise

    # For viewers in this process.

    stale = suspended = False
    """As of a run in another process, see Follower: this one has an end, or comes to it."""

    @property
    def directory(self) -> Path:
        """The run's own directory."""
        return self._run.path

    @property
    def network(self) -> nn.Module | None:
        """The network, once it is built; after the end of a run with the weights that it ended with."""
        return self._loop.network if self._loop else None

    @property
    def pause_mode(self) -> PauseMode | None:
        """How it is paused, if it is."""
        return "release" if self._released else "pause" if self._paused else None

    @property
    def commands_read(self) -> int:
        """Where another session goes on that this one hands the run over to; see `resumed`."""
        return self._run.commands_read

    @property
    def alive(self) -> bool:
        """Whether the engine thread is at work."""
        return self._thread.is_alive()

    def start(self, *, pause_mode: PauseMode | None = None) -> None:
        """Start the engine thread; with `pause_mode`, paused before the first step until a `continue` command."""
        keep_freed_memory()
        self._released = pause_mode == "release" and self._resume is not None  # from the first moment on
        if pause_mode is not None:
            self.send(Simple(command=pause_mode))
        self._thread.start()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the run to end; whether it has."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def drain(self) -> list[Event]:
        """The events since the last call, oldest first."""
        events = []
        while self._events:
            events.append(self._events.popleft())
        return events

    def send(self, command: Command) -> None:
        """Ask something of the run; it is done between two steps, and answered by a `command` event."""
        self.inbox.append(command)

    def interrupt(self) -> None:
        """End the run at the next step, with a checkpoint to go on from."""
        self._ending = Reason.INTERRUPTED
        self.inbox.append(Simple(command="stop"))

    # For the loop, see LoopHost.

    def emit(self, event: Event) -> None:
        """Record an event and hand it to viewers. The checkpoint writer's thread says its own."""
        if isinstance(event, Epoch) and event.best_epoch in (None, event.epoch):
            self._best_measured = event.metrics
        with self._saying:
            before = self._run.failure
            problem = self._run.append(event)
            self._events.append(event)
            if problem:
                self._events.append(Log(level="warning", message=problem))
            elif before and self._run.failure is None:
                written = Log(message="Events are written again, those that were kept before them.")
                self._run.append(written)
                self._events.append(written)

    def poll(self) -> ExitReason | None:
        """Do what viewers asked for, hold while paused, say how the device fares; why the loop is to be left, if so."""
        assert self._loop is not None
        self._look_around()
        self._save_if_due()
        if self._paused:
            self._loop.report_step()
        while self._paused and self._ending is None:
            if self._released:
                return RELEASED
            began = monotonic()
            sleep(TICK_S)
            self._look_around()
            self._save_if_due()
            self._loop.reporter.clock.paused_s += monotonic() - began
        return self._ending

    def _save_if_due(self) -> None:
        assert self._loop is not None and self._keeper is not None
        if self._loop.validating:
            return
        if self._asked_to_save:
            self._asked_to_save = False
            self._keeper.save(self._loop)
        else:
            self._keeper.between_steps(self._loop)

    def epoch_ended(self, *, improved: bool) -> None:
        """Keep what is worth keeping; show what a language model writes by now."""
        assert self._keeper is not None and self._loop is not None
        self._keeper.epoch_ended(self._loop, improved=improved)
        if self._generator is not None:
            epoch = self._loop.position.epoch - 1
            self.emit(Log(message=f"Epoch {epoch} writes: {self._generator.generate(self._loop.result, epoch)}"))
        self._save_if_due()

    # The engine thread.

    def _main(self) -> None:
        began = monotonic()
        try:
            recorded = data_manifest.recorded(self.directory) if self._resume is not None else NOTHING_RECORDED
            with progress_to(self._leave_data_unread):
                self._dataset = load_data(self.plan.experiment.data, self.plan.experiment.seed, recorded)
            if self._resume is None:
                self._keep_parts(self._dataset)
            self._baselines = baselines_of(self._dataset)
            reason = self._begin() or self._train()
            message = self._ended(reason)
        except _LeftUnread:
            assert self._ending is not None
            reason, message = self._ending, "Interrupted while the data were read, before the first step."
        except BaseException as error:  # the thread's last line of defence: whatever it is, it is said and recorded
            reason, message = Reason.FAILED, self._failed(error)
        if self._loop is not None:
            self._loop.batches.close()
        self._run.stop_heartbeat()
        run = self._loop or self._rest
        self.finished = Finished(
            reason=reason,
            epoch=run.position.epochs_begun if run else 0,
            step=run.position.step if run else 0,
            best_epoch=run.stopping.best_epoch if run else None,
            best=run.stopping.best if run else None,
            metrics=self._best_measured,
            seconds=monotonic() - began + (self._resume.seconds_before if self._resume else 0.0),
            message=message,
            better_than_baseline=self._better,
        )
        self.emit(self.finished)
        self._run.close()

    def _leave_data_unread(self, what: str, done: int, total: int) -> None:
        """Called by what reads the data: give it up when the run is to end by now."""
        if self._ending is not None:
            raise _LeftUnread

    def _begin(self) -> Reason | None:
        """Put the run on its device; where it is to hold without, wait first. Why it is to end, if it is by then."""
        if (resume := self._resume) is not None:
            self._rest = SuspendedRun.read(resume.checkpoint, resume.ran_with, self.plan, self._dataset)
        gone_on_from = self._rest
        if not self._released:
            self._build()
        self._say_started()
        if resume is not None:
            for log in resuming.record(resume):
                self.emit(log)
        self._keeper = self._new_keeper(gone_on_from)
        if self._released and (ending := self._wait()):
            return ending
        self._introduce()
        if resume is None and self._loop is not None:
            self._keeper.save(self._loop)
        return None

    def _build(self) -> Loop:
        """Put the run on its device: as it begins, or as it was when it left one."""
        dataset, rest = self._dataset, self._rest
        loop = assemble(self.plan, dataset, self, runtime=rest.runtime if rest else None)
        if rest is not None:
            rest.restore(loop)
        self._loop, self._rest = loop, None
        if dataset.temperature is not None:
            self._generator = TextGenerator(dataset, self.plan.device, self.plan.experiment.seed, dataset.temperature)
        self._monitor = self._monitor or DeviceMonitor(self.plan.device)
        return loop

    def _keep_parts(self, dataset: Dataset) -> None:
        """Put down which samples are in which part, and what was learned of them; a resume finds them as they were."""
        try:
            data_manifest.save_manifest(dataset, self.directory)
        except OSError as error:
            why = error.strerror or str(error)
            self.emit(Log(level="warning", message=f"The parts of the data cannot be written down ({why})."))

    def _new_keeper(self, gone_on_from: SuspendedRun | None) -> CheckpointPolicy:
        training = self.plan.experiment.training
        return CheckpointPolicy(
            self._run.checkpoints,
            every_s=training.checkpoint_every_s,
            within_epoch_s=training.checkpoint_within_epoch_s,
            emit=self.emit,
            resumed_from=gone_on_from.checkpoint if gone_on_from else None,
            best_epoch=gone_on_from.stopping.best_epoch if gone_on_from else None,
        )

    def _train(self) -> Reason:
        """Run the loop to the end of the run, over pauses in which it has none."""
        while (why := self._run_loop()) == RELEASED:
            self._release()
            if ending := self._wait():
                return ending
        return why

    def _run_loop(self) -> ExitReason:
        """Run the loop until it is to be left, over the faults that it can go on from."""
        loop = self._loop
        assert loop is not None and self._keeper is not None
        recovery = Recovery(self.plan, loop, rewind=self._rewind, emit=self.emit)
        while True:
            not_finite: NotFinite | None = None
            try:
                why = self.poll() or loop.run()
                if why == RELEASED:
                    loop.flush_losses()
                    self._rest = SuspendedRun.capture(loop, self._keeper.save(loop))
                return why
            except NotFinite as error:
                not_finite = error.with_traceback(None)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            # Outside of the except block, whose traceback holds the tensors of the step.
            if not_finite is not None:
                recovery.after_not_finite(not_finite)
            else:
                recovery.after_out_of_memory()

    def _release(self) -> None:
        """Let go of the loop and of all that it has on the device."""
        assert self._loop is not None and self._rest is not None
        device = self.plan.device
        before = reserved_memory(device)
        self._loop.batches.close()
        self._loop = self._generator = None
        empty_caches(device)
        if device == "cpu":
            release_freed_memory()
        given = size_text(max(0, before - reserved_memory(device)))
        self.emit(Log(message=f"Paused at step {self._rest.position.step}: {given} of {device} are given back."))

    def _wait(self) -> Reason | None:
        """Wait without a loop until there is something for one to do, and build it. Why the run is to end, if it is."""
        tries_at, is_said = 0.0, False
        assert self._keeper is not None
        while self._ending is None:
            self._look_around()
            self._keeper.retry()
            if (self._released and not self._for_loop) or monotonic() < tries_at:
                sleep(TICK_S)
                continue
            if self._build_if_it_fits():
                self.inbox.extendleft(reversed(self._for_loop))
                self._for_loop.clear()
                return None
            tries_at = monotonic() + RETRY_S
            if not is_said:
                message = (
                    f"There is no room on {self.plan.device} for the run now: it waits, and tries again every "
                    f"{RETRY_S:.0f} s."
                )
                self.emit(Log(level="warning", message=message))
                is_said = True
        return self._ending

    def _build_if_it_fits(self) -> bool:
        keep_freed_memory()
        try:
            self._build()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        else:
            return True
        empty_caches(self.plan.device)
        return False

    def _rewind(self) -> str | None:
        """Put the run back to its newest whole checkpoint; its name."""
        assert self._loop is not None and self._keeper is not None
        self._keeper.close()
        checkpoint = newest_checkpoint(self._run.checkpoints)
        if checkpoint is None:
            return None
        rest = SuspendedRun.read(checkpoint, self._loop.runtime, self.plan, self._dataset)
        rest.restore(self._loop)
        self._keeper = self._new_keeper(rest)
        self._best_measured = {}  # it may be of an epoch that is taken again
        return checkpoint.name

    def _say_started(self) -> None:
        resumed_from = self._resume.checkpoint if self._resume else None
        self._started = run_started(self.plan, self._dataset, self.directory, resumed_from)
        self.emit(self._started)

    def _introduce(self) -> None:
        loop, resume = self._loop, self._resume
        assert loop is not None
        if resume is not None:
            for log in resuming.sentences(resume, loop):
                self.emit(log)
        for log in introduction(self.plan, self._dataset, loop, self._baselines):
            self.emit(log)

    def _ended(self, reason: Reason) -> str:
        """Save, put the best weights back, and say in a sentence how the run ended."""
        loop, keeper, run = self._loop, self._keeper, self._loop or self._rest
        assert keeper is not None and run is not None
        self._look_for_folder()
        if loop is not None:
            loop.flush_losses()
            loop.report_step()
            keeper.save(loop)
        saved = keeper.close()
        best = keeper.best if run.stopping.restore_best else None
        if loop is not None and reason not in (Reason.INTERRUPTED, Reason.DETACHED):
            loop.network.load_state_dict(best.model if best is not None else loop.result.state_dict())
        kept: Kept = "best" if best is not None else "averaged" if run.averaged else "last"
        measured = self._best_measured or epoch_metrics(self.directory, run.stopping.best_epoch)
        compared, self._better = comparison(self._baselines, measured), is_better(self._baselines, measured)
        return how_it_ended(reason, run.position, run.stopping, kept=kept, compared=compared, saved=saved)

    def _failed(self, error: BaseException) -> str:
        self._run.write_log("".join(traceback.format_exception(error)))
        sentence = error_sentence(error).rstrip(".")
        if self._loop is not None:
            with suppress(Exception):  # the device may be what failed
                self._loop.flush_losses()
                self._loop.report_step()
        # Only what was flushed to the disk is whole.
        if (
            self._keeper is not None
            and self._keeper.close()
            and self._keeper.best is not None
            and (run := self._loop or self._rest) is not None
        ):
            sentence += f"; the best checkpoint before it, of epoch {run.stopping.best_epoch}, is whole"
        return f"{sentence}."

    # Commands.

    def _look_around(self) -> None:
        while self.inbox:
            self._obey(self.inbox.popleft())
        for command in self._run.new_commands():
            if isinstance(command, (Simple, SetLR)):
                self._obey(command)
            else:
                self.emit(Log(level="warning", message=command.reason))
        if monotonic() - self._looked_for_folder_at >= DEVICE_EVENT_S:
            self._looked_for_folder_at = monotonic()
            self._look_for_folder()
        after_s = self._held_device_event_s if self._paused else DEVICE_EVENT_S
        if self._monitor is not None and monotonic() - self._monitored_at >= after_s:
            self._held_device_event_s = after_s * HELD_GROWTH
            self._monitored_at = monotonic()
            self.emit(self._monitor.read())

    def _look_for_folder(self) -> None:
        """Make the run's folder again where somebody took it away: with what the run still knows, and a checkpoint."""
        assert self._keeper is not None
        if self._run.is_there():
            return
        if not self._folder_is_missed:
            self._folder_is_missed = True
            message = (
                f"{self.directory} was deleted or moved while the run is going: nothing of it is saved. Training goes "
                "on, and the folder is made again as soon as that is possible."
            )
            self.emit(Log(level="warning", message=message))
        try:
            self._run.recreate(dumps(self.plan.experiment), describe_environment(self.plan))
        except (OSError, Refused):
            return
        self._folder_is_missed = False
        if self._started is not None:
            self.emit(self._started)
        message = f"{self.directory} is made again; what was in it is gone, or lies where it was moved to."
        self.emit(Log(level="warning", message=message))
        self._keep_parts(self._dataset)
        self._keeper.save_best_again()
        if self._rest is not None:
            self._keeper.save_state(self._rest.saved)
        else:
            self._asked_to_save = True

    def _obey(self, command: Command) -> None:
        loop, run, value = self._loop, self._loop or self._rest, None
        assert run is not None
        outcome: AnyOutcome
        if isinstance(command, SetLR):
            if loop is None:
                self._for_loop.append(command)
                return
            before, value = loop.rate.lr, command.value
            loop.rate.set(value)
            outcome = LRChanged(before=before, after=loop.rate.lr)
        elif command.command == "pause":
            self._paused = True
            outcome = Paused()
        elif command.command == "release":
            self._paused = self._released = True
            outcome = MemoryReleased(device=self.plan.device)
        elif command.command == "continue":
            self._paused = self._released = False
            outcome = Continued()
        elif command.command == "stop":
            if self._ending in (None, Reason.DETACHED):
                self._ending = Reason.STOPPED
            outcome = Ending(reason=self._ending)
        elif command.command == "checkpoint":
            outcome = self._save_when_asked()
        else:
            outcome = self._detach()
        at = run.position
        self.emit(CommandDone(command=command.command, value=value, epoch=at.epoch, step=at.step, outcome=outcome))

    def _save_when_asked(self) -> CheckpointStarted | CheckpointSaved | CheckpointFailed:
        if self._loop is not None:
            self._asked_to_save = True
            return CheckpointStarted()
        assert self._keeper is not None
        return CheckpointSaved() if self._keeper.wait() else CheckpointFailed()

    def _detach(self) -> Ending | CommandRefused:
        """End this process's part of the run, if the other's can begin where it ends; what came of it."""
        assert self._keeper is not None
        validating = self._loop is not None and self._loop.validating
        if self._loop is not None and not validating:
            self._loop.flush_losses()
            self._keeper.save(self._loop)
        if not validating and not self._keeper.wait():
            return CommandRefused(reason="cannot_save")
        self._ending = self._ending or Reason.DETACHED
        return Ending(reason=self._ending)
