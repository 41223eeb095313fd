"""One run, from a plan to a trained model, on a thread of its own. A session knows no screen."""

from __future__ import annotations

import threading
import traceback
from collections import deque
from pathlib import Path
from time import monotonic, sleep

from torch import nn

from engine.data import Baseline, Dataset, baselines_of, kept, load_data
from engine.data import fetch as fetch_data
from engine.data.baselines import comparison
from engine.experiment import Mistake, Refused, dumps
from engine.model.pretrained import fetch
from engine.plan import Plan, check
from engine.runs import RunDirectory
from engine.runs.command_line import command_anew
from engine.training import faults, resuming
from engine.training.allocator import keep_freed_memory
from engine.training.assemble import assemble
from engine.training.checkpoint import newest_checkpoint
from engine.training.commands import Command, SetLR, Simple
from engine.training.environment import describe_environment
from engine.training.events import CommandDone, Epoch, Event, Finished, Log, Reason, RunStarted
from engine.training.finite import NotFinite
from engine.training.keeper import Keeper, put_back
from engine.training.loop import TICK_S, Loop
from engine.training.monitor import DeviceMonitor
from engine.training.planned_rates import corners
from engine.training.recovery import Recovery, is_out_of_memory
from engine.training.resuming import Resumption, resumption
from engine.training.writing import Writer

DEVICE_EVENT_S = 2.0
HELD_GROWTH = 1.1
"""While a run is held each `device` event comes this much later than the one before: a year of a pause is less than two
hundred lines, and the run's own last words stay near the end of its events, where a list looks for them."""

EVENTS_HELD = 20_000
"""Events that wait for a viewer in this process before the oldest are dropped; the run directory keeps them all."""

_NOT_SAVED = "the last checkpoint could not be written, the one before it is kept"


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
            fetch(plan.experiment.model.layers)
            text = dumps(plan.experiment)
            self._run = RunDirectory.create(runs_dir, plan.experiment.name, text, describe_environment(plan))
        else:
            self._run = resume.run
            self._run.take_over()
        self._events: deque[Event] = deque(maxlen=EVENTS_HELD)
        self._saying = threading.Lock()
        self._loop: Loop | None = None
        self._keeper: Keeper | None = None
        self._monitor: DeviceMonitor | None = None
        self._monitored_at = 0.0
        self._held_device_event_s = DEVICE_EVENT_S
        self._looked_for_folder_at = 0.0
        self._ending: Reason | None = None
        self._paused = False
        self._asked_to_save = False
        self._baselines: tuple[Baseline, ...] = ()
        self._writer: Writer | None = None
        self._best_measured: dict[str, float] = {}
        """What was measured in the best epoch, if that was one of this session."""
        self._started: RunStarted | None = None
        self._folder_is_missed = False
        self._thread = threading.Thread(target=self._main, name="engine")

    @classmethod
    def resumed(cls, run: Path, overrides: tuple[str, ...] = ()) -> Session:
        """A session that goes on with a run from its newest whole checkpoint, as if it had never ended.

        What "auto" came to then is used again, since another number of threads gives other bits.

        Args:
            overrides: `path=value`, for what may be another from here on: epochs, patience, the device; see resuming.

        Raises:
            Refused: there is no such run, it is still going, it has no whole checkpoint, or an override is wrong or
                changes what the checkpoint does not allow.
        """
        directory = RunDirectory.open(run)  # from here on nobody else goes on with it
        try:
            resume = resumption(directory, overrides)
            return cls(resume.plan, resume=resume)
        except BaseException:
            directory.close()
            raise

    # For viewers in this process.

    stale = False
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
    def paused(self) -> bool:
        """Whether it holds until it is told to continue."""
        return self._paused

    @property
    def alive(self) -> bool:
        """Whether the engine thread is at work."""
        return self._thread.is_alive()

    def start(self, *, paused: bool = False) -> None:
        """Set the engine thread to work; `paused`: to hold before the first step until it is told to continue."""
        keep_freed_memory()
        if paused:
            self.send(Simple(command="pause"))
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

    # For the loop, see loop.Watch.

    def say(self, event: Event) -> None:
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

    def attend(self) -> Reason | None:
        """Do what viewers asked for, hold while paused, say how the device fares; why the run is to end, if it is."""
        assert self._loop is not None
        self._look_around()
        self._save_if_due()
        while self._paused and self._ending is None:
            began = monotonic()
            sleep(TICK_S)
            self._look_around()
            self._save_if_due()
            self._loop.paused_s += monotonic() - began
        return self._ending

    def _save_if_due(self) -> None:
        assert self._loop is not None and self._keeper is not None
        if self._loop.measuring:
            return
        if self._asked_to_save:
            self._asked_to_save = False
            self._keeper.save()
        else:
            self._keeper.between_steps()

    def epoch_ended(self, *, improved: bool) -> None:
        """Keep what is worth keeping; show what a language model writes by now."""
        assert self._keeper is not None and self._loop is not None
        self._keeper.epoch_ended(improved=improved)
        if self._writer is not None:
            epoch = self._loop.position.epoch - 1
            self.say(Log(message=f"Epoch {epoch} writes: {self._writer.write(self._loop.result, epoch)}"))
        self._save_if_due()

    # The engine thread.

    def _main(self) -> None:
        began = monotonic()
        try:
            dataset = load_data(self.plan.experiment.data, self.plan.experiment.seed)
            self._keep_data(dataset)
            loop = self._prepare(dataset)
            self._introduce(dataset, loop)
            if self._resume is None and self._keeper is not None:
                self._keeper.save()
            reason = self._train(loop)
            message = self._ended(reason, loop)
        except BaseException as error:  # the thread's last line of defence: whatever it is, it is said and recorded
            reason, message = Reason.FAILED, self._failed(error)
        stopping = self._loop.stopping if self._loop else None
        if self._loop is not None:
            self._loop.batches.close()
        self._run.ending()
        self.finished = Finished(
            reason=reason,
            epoch=self._loop.position.epochs_begun if self._loop else 0,
            step=self._loop.position.step if self._loop else 0,
            best_epoch=stopping.best_epoch if stopping else None,
            best=stopping.best if stopping else None,
            seconds=monotonic() - began + (self._resume.seconds_before if self._resume else 0.0),
            message=message,
        )
        self.say(self.finished)
        self._run.close()

    def _prepare(self, dataset: Dataset) -> Loop:
        resume = self._resume
        self._loop = loop = assemble(self.plan, dataset, self, ran_with=resume.ran_with if resume else None)
        if resume is not None:
            put_back(loop, resume.checkpoint)
        self._baselines = baselines_of(dataset)
        if dataset.temperature is not None:
            self._writer = Writer(dataset, self.plan.device, self.plan.experiment.seed, dataset.temperature)
        self._keeper = self._keeper_of(loop, resume.checkpoint if resume else None)
        return loop

    def _keep_data(self, dataset: Dataset) -> None:
        """Put down which samples are in which part, and what was learned of them; a resume finds them as they were.

        Raises:
            Refused: the data is not what the run began with.
        """
        if self._resume is None:
            self._keep_parts(dataset)
        elif different := kept.difference(dataset, self.directory):
            fix = f"Bring the data back as it was, or train the run anew: `{command_anew(self.directory)}`."
            raise Refused(Mistake(str(self.directory), different.removesuffix("."), "", fix))

    def _keep_parts(self, dataset: Dataset) -> None:
        try:
            kept.keep(dataset, self.directory)
        except OSError as error:
            why = error.strerror or str(error)
            self.say(Log(level="warning", message=f"The parts of the data cannot be written down ({why})."))

    def _keeper_of(self, loop: Loop, resumed_from: Path | None) -> Keeper:
        training = self.plan.experiment.training
        return Keeper(
            loop,
            self._run.checkpoints,
            every_s=training.checkpoint_every_s,
            within_epoch_s=training.checkpoint_within_epoch_s,
            say=self.say,
            resumed_from=resumed_from,
        )

    def _train(self, loop: Loop) -> Reason:
        """Run the loop to its end, over the faults that it can go on from."""
        recovery = Recovery(self.plan, loop, rewind=self._rewind, say=self.say)
        while True:
            not_finite: NotFinite | None = None
            try:
                return self.attend() or loop.run()
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

    def _rewind(self) -> str | None:
        """Put the run back to its newest whole checkpoint; its name."""
        assert self._loop is not None and self._keeper is not None
        self._keeper.close()
        checkpoint = newest_checkpoint(self._run.checkpoints)
        if checkpoint is None:
            return None
        put_back(self._loop, checkpoint)
        self._keeper = self._keeper_of(self._loop, checkpoint)
        return checkpoint.name

    def _introduce(self, dataset: Dataset, loop: Loop) -> None:
        plan = self.plan
        self._started = RunStarted(
            run=self.directory.name,
            directory=str(self.directory),
            experiment=plan.experiment.model_dump(mode="json", exclude_none=True),
            device=plan.device,
            precision=plan.precision,
            threads=plan.threads,
            parameters=plan.parameters,
            train_samples=len(dataset.train),
            val_samples=len(dataset.validation),
            steps_per_epoch=plan.steps_per_epoch,
            epochs=plan.experiment.training.epochs,
            lr_plan=corners(plan.lr),
            resumed_from=self._resume.checkpoint.name if self._resume else None,
        )
        self.say(self._started)
        if self._resume is not None:
            for log in (*resuming.sentences(self._resume, loop), *resuming.record(self._resume, loop)):
                self.say(log)
        for layer in plan.layers:
            for sentence in layer.notes:
                self.say(Log(message=f"{layer.path} {layer.type}: {sentence}"))
        alone = [said] if (said := loop.batches.alone(loop.batch_size, loop.seed)) else []
        naive = [one.sentence for one in self._baselines]
        for sentence in (*dataset.description.notes, loop.batches.placement.why, *alone, *naive):
            self.say(Log(message=sentence))
        for warning in plan.mistakes:
            self.say(Log(level="warning", message=str(warning)))

    def _ended(self, reason: Reason, loop: Loop) -> str:
        """Save, put the best weights back, and say in a sentence how the run ended."""
        keeper = self._keeper
        assert keeper is not None
        loop.collect()
        keeper.save()
        saved = keeper.close()
        at, stopping = loop.position, loop.stopping
        if reason is Reason.INTERRUPTED:
            how = "everything is saved" if saved else _NOT_SAVED
            return f"Interrupted at step {at.step}, in epoch {at.epochs_begun}; {how}."
        if reason is Reason.DETACHED:
            return f"Left at step {at.step}, in epoch {at.epochs_begun}, to go on in another process."
        how = {
            Reason.COMPLETED: f"Trained {at.epochs_begun} epochs",
            Reason.STOPPED: f"Stopped by hand at step {at.step}, in epoch {at.epochs_begun}",
            Reason.EARLY_STOPPED: f"Stopped early after epoch {at.epochs_begun}: {stopping.why}",
        }[reason]
        clauses = [how]
        if stopping.best is not None:
            clauses.append(f"best {stopping.monitor} {stopping.best:.4g} at epoch {stopping.best_epoch}")
        if stopping.restore_best and keeper.best is not None:
            loop.network.load_state_dict(keeper.best.model)
            clauses[-1] += ", whose weights are kept"
        elif loop.average is not None and loop.average.count:
            loop.network.load_state_dict(loop.average.network.state_dict())
            clauses.append("the averaged weights are kept")
        if compared := comparison(self._baselines, self._best_measured):
            clauses.append(compared)
        if not saved:
            clauses.append(_NOT_SAVED)
        return f"{'; '.join(clauses)}."

    def _failed(self, error: BaseException) -> str:
        self._run.write_log("".join(traceback.format_exception(error)))
        sentence = faults.sentence(error).rstrip(".")
        # Only what was flushed to the disk is whole.
        if (
            self._keeper is not None
            and self._keeper.close()
            and self._keeper.best is not None
            and self._loop is not None
        ):
            sentence += f"; the best checkpoint before it, of epoch {self._loop.stopping.best_epoch}, is whole"
        return f"{sentence}."

    # Commands.

    def _look_around(self) -> None:
        while self.inbox:
            self._obey(self.inbox.popleft())
        for command in self._run.new_commands():
            if isinstance(command, (Simple, SetLR)):
                self._obey(command)
            else:
                self.say(Log(level="warning", message=command.reason))
        if monotonic() - self._looked_for_folder_at >= DEVICE_EVENT_S:
            self._looked_for_folder_at = monotonic()
            self._look_for_folder()
        after_s = self._held_device_event_s if self._paused else DEVICE_EVENT_S
        if monotonic() - self._monitored_at >= after_s:
            self._held_device_event_s = after_s * HELD_GROWTH
            self._monitor = self._monitor or DeviceMonitor(self.plan.device)
            self._monitored_at = monotonic()
            self.say(self._monitor.read())

    def _look_for_folder(self) -> None:
        """Make the run's folder again where somebody took it away: with what the run still knows, and a checkpoint."""
        assert self._loop is not None and self._keeper is not None
        if self._run.is_there():
            return
        if not self._folder_is_missed:
            self._folder_is_missed = True
            message = (
                f"{self.directory} was deleted or moved while the run is going: nothing of it is saved. Training goes "
                "on, and the folder is made again as soon as that is possible."
            )
            self.say(Log(level="warning", message=message))
        try:
            self._run.remake(dumps(self.plan.experiment), describe_environment(self.plan))
        except (OSError, Refused):
            return
        self._folder_is_missed = False
        if self._started is not None:
            self.say(self._started)
        self.say(Log(level="warning", message=f"{self.directory} is made again; what was in it is gone."))
        self._keep_parts(self._loop.batches.dataset)
        self._keeper.keep_all_again()
        self._asked_to_save = True

    def _obey(self, command: Command) -> None:
        assert self._loop is not None and self._keeper is not None
        at, rate, value = self._loop.position, self._loop.rate, None
        if isinstance(command, SetLR):
            before, value = rate.lr, command.value
            rate.set(value)
            outcome = f"learning rate {before:.3g} → {rate.lr:.3g}"
        elif command.command == "pause":
            self._paused = True
            outcome = "paused"
        elif command.command == "continue":
            self._paused = False
            outcome = "going on"
        elif command.command == "stop":
            self._ending = self._ending or Reason.STOPPED
            outcome = self._ending.value
        elif command.command == "checkpoint":
            self._asked_to_save = True
            outcome = "saving"
        else:
            outcome = self._detach()
        self.say(CommandDone(command=command.command, value=value, epoch=at.epoch, step=at.step, outcome=outcome))

    def _detach(self) -> str:
        """End this process's part of the run, if the other's can begin where it ends; what came of it."""
        assert self._loop is not None and self._keeper is not None
        if not self._loop.measuring:
            self._loop.collect()
            self._keeper.save()
            if not self._keeper.wait():
                return "refused: this moment cannot be saved, so the run goes on where it is"
        self._ending = self._ending or Reason.DETACHED
        return self._ending.value
