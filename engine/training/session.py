"""A session owns one run of this process: the engine thread that trains it, and the way to follow and steer it."""

from __future__ import annotations

import threading
import traceback
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from torch import nn

from engine.data.progress import progress_to
from engine.plan import Plan
from engine.protocol.commands import Command, PauseMode, Simple
from engine.protocol.events import Event, Finished, Log, Reason
from engine.training.commands import Requests
from engine.training.memory import keep_freed_memory
from engine.training.recovery import error_sentence
from engine.training.runner import Runner
from engine.training.session_states import SessionState, StateMachine
from engine.training.starting import PreparedRun, prepare_new, prepare_resumed

MAX_EVENTS = 20_000
"""Events that wait for a viewer of this process before the oldest are dropped; the run directory has all of them."""


class _ReadingInterrupted(BaseException):
    """The run ends while its data are read. Not an `Exception`, which a reader could take for a damaged file."""


class Session:
    """One run of this process, and the thread that trains it. Made by `Session.create` or `Session.resume`.

    The thread is not a daemon thread: join it. A viewer cannot delay training: events wait in a bounded queue, and
    commands are handled between two batches. `session_states` has the table of the states.

        >>> from engine import Session, check, read_experiment
        >>> session = Session.create(check(read_experiment("digits-cnn")))  # doctest: +SKIP
        >>> session.start(); session.join()  # doctest: +SKIP

    Args:
        prepared: The run; see `starting`.
    """

    stale = suspended = False
    """Always false, because this process trains the run; see `Follower`."""

    def __init__(self, prepared: PreparedRun) -> None:
        self.plan = prepared.plan
        self.inbox: deque[Command] = deque()
        self.finished: Finished | None = None
        self.runner_type = Runner
        self._prepared, self._directory = prepared, prepared.directory
        self._states = StateMachine()
        self._requests = Requests()
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._emitting = threading.Lock()
        self._runner: Runner | None = None
        self._thread = threading.Thread(target=self._main, name="engine")

    @classmethod
    def create(cls, plan: Plan, *, runs_dir: Path = Path("runs")) -> Session:
        """Prepare a new run: download missing data and weights, and create its directory.

        Args:
            plan: The result of `check`, without errors.
            runs_dir: The folder in which the run directory is created.

        Raises:
            Refused: The plan has errors, published weights cannot be downloaded, or the directory cannot be created.
        """
        return cls(prepare_new(plan, runs_dir))

    @classmethod
    def resume(cls, run: Path, overrides: Sequence[str] = (), *, commands_read: int | None = None) -> Session:
        """Prepare to resume a run from its newest intact checkpoint, as if it had never ended.

        The values selected for "auto" are used again, because another number of threads changes the last bits.

        Args:
            run: The directory of the run.
            overrides: `path=value`, for fields that a resumed run may change: epochs, patience, the device; see
                `resuming`.
            commands_read: `commands_read` of the session that passes the run to this one, if there is one.

        Raises:
            Refused: There is no such run, it is active, it has no intact checkpoint, its data differ, or an override
                has a mistake or changes what the checkpoint does not allow.
        """
        return cls(prepare_resumed(run, overrides, commands_read=commands_read))

    @property
    def state(self) -> SessionState:
        """What the session does now."""
        return self._states.state

    @property
    def directory(self) -> Path:
        """The run directory."""
        return self._directory.path

    @property
    def runner(self) -> Runner | None:
        """The part that trains, once the data are read. It belongs to the engine thread."""
        return self._runner

    @property
    def network(self) -> nn.Module | None:
        """The network, while there is one. After the end of the run it has the weights that the run keeps."""
        return self._runner.network if self._runner is not None else None

    @property
    def pause_mode(self) -> PauseMode | None:
        """How the run is paused, or None if it is not paused."""
        return self._requests.pause_mode

    @property
    def commands_read(self) -> int:
        """How much of `commands.jsonl` is read; another session that takes over the run continues there."""
        return self._directory.commands_read

    @property
    def alive(self) -> bool:
        """Whether the engine thread is active."""
        return self._thread.is_alive()

    def start(self, *, pause_mode: PauseMode | None = None) -> None:
        """Start the engine thread.

        Args:
            pause_mode: Pause before the first step, until a `continue` command.

        Raises:
            InvalidTransition: The session was started before.
        """
        self._states.to(SessionState.STARTING)
        keep_freed_memory()
        if pause_mode == "release" and self._prepared.resumption is not None:
            self._requests.pause_mode = "release"  # from the first moment, so that nothing is built
        if pause_mode is not None:
            self.send(Simple(command=pause_mode))
        self._thread.start()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the run to end; return whether it has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def drain(self) -> list[Event]:
        """Return the events since the last call, oldest first."""
        events = []
        while self._events:
            events.append(self._events.popleft())
        return events

    def send(self, command: Command) -> None:
        """Send a command. It is handled between two batches, and answered by a `command` event."""
        self.inbox.append(command)

    def interrupt(self) -> None:
        """End the run after the current step, with a checkpoint from which it can be resumed."""
        self._requests.ending = Reason.INTERRUPTED
        self.inbox.append(Simple(command="stop"))

    def emit(self, event: Event) -> None:
        """Record an event in the run directory, and queue it for viewers. Thread-safe."""
        with self._emitting:
            before = self._directory.failure
            problem = self._directory.append(event)
            self._events.append(event)
            if problem:
                self._events.append(Log(level="warning", message=problem))
            elif before and self._directory.failure is None:
                written = Log(message="Events can be written again; those in memory were written first.")
                self._directory.append(written)
                self._events.append(written)

    def _main(self) -> None:
        began = monotonic()
        trained: dict[str, Any] = {"epoch": 0, "step": 0}
        try:
            with progress_to(self._interrupt_reading):
                dataset = self._prepared.read_data()
            self._runner = runner = self.runner_type(
                self._prepared,
                dataset,
                states=self._states,
                requests=self._requests,
                inbox=self.inbox,
                emit=self.emit,
            )
            reason = runner.run()
            self._states.to(SessionState.ENDING)
            message = runner.end(reason)
        except _ReadingInterrupted:
            self._states.ensure(SessionState.ENDING)
            reason, message = Reason.INTERRUPTED, "Interrupted while the data were read, before the first step."
        except BaseException as error:  # the last line of defence of the thread: every error is recorded and reported
            self._states.ensure(SessionState.ENDING)
            reason, message = Reason.FAILED, self._failed(error)
        if self._runner is not None:
            trained = self._runner.close()
        self._directory.stop_heartbeat()
        resumption = self._prepared.resumption
        seconds = monotonic() - began + (resumption.seconds_before if resumption is not None else 0.0)
        self.finished = Finished(reason=reason, seconds=seconds, message=message, **trained)
        self.emit(self.finished)
        self._states.to(SessionState.ENDED)
        self._directory.close()

    def _interrupt_reading(self, what: str, done: int, total: int) -> None:
        """Stop reading the data if the run is to end. Called by the reader."""
        if self._requests.ending is not None:
            raise _ReadingInterrupted

    def _failed(self, error: BaseException) -> str:
        self._directory.write_log("".join(traceback.format_exception(error)))
        sentence = error_sentence(error).rstrip(".")
        if self._runner is not None:
            sentence += self._runner.fail()
        return f"{sentence}."
