"""A run's directory, as the session that trains writes it.

    experiment.toml      what was asked, complete with defaults and seed
    environment.json     versions, device, command line, and the process that trains
    data.json            what was learned from the training part, see engine/data/kept.py
    split.safetensors    which samples are in which part
    events.jsonl         what happened, one event a line
    commands.jsonl       what viewers asked for, one command a line
    checkpoints/         see engine/training/checkpoint.py
    resumes.jsonl        the times that it was gone on with, see engine/runs/resumes.py
    lock                 held by the session that trains, see engine/runs/hold.py
    console.log          what is for whoever looks for the cause of a failure: tracebacks, a detached session's output

Files are the owner's alone: 0600 in a 0700 directory.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.experiment.mistakes import Mistake, Refused
from engine.private_files import open_descriptor, read_file, replace_file
from engine.protocol.commands import Command
from engine.protocol.events import Device, Event, Step
from engine.runs.commands import COMMANDS, CommandReader, RejectedLine, send_command
from engine.runs.hold import Hold
from engine.runs.process import this_process
from engine.user_folders import expanded, home_problem

EXPERIMENT = "experiment.toml"
ENVIRONMENT = "environment.json"
EVENTS = "events.jsonl"
CHECKPOINTS = "checkpoints"
CONSOLE_LOG = "console.log"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)

_ENVIRONMENT_MAX_BYTES = 1 << 20
_KEPT_LINES = 10_000
_CHOOSE_ANOTHER = "Choose another folder with --runs-dir DIR or TORCHDECK_RUNS."


def runs_dir(option: str | Path | None = None) -> Path:
    """Where runs are kept: what `--runs-dir` says, else TORCHDECK_RUNS, else `./runs`. As an absolute path."""
    chosen = option or os.environ.get("TORCHDECK_RUNS") or "runs"
    if problem := home_problem(chosen):
        raise Refused(Mistake(str(chosen), problem, "", _CHOOSE_ANOTHER))
    return expanded(chosen).absolute()


class RunDirectory:
    """One run's directory, open for writing by the one session that trains it. Methods may be called by any thread."""

    def __init__(self, path: Path, hold: Hold, *, skip_commands: bool, commands_read: int | None = None) -> None:
        self.path = path
        self._hold = hold
        self.name = path.name
        self.failure: str | None = None
        """Why events cannot be written at present, as a sentence; None while they can."""
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._kept: deque[bytes] = deque(maxlen=_KEPT_LINES)
        self._rest = b""
        self._commands = CommandReader(path / COMMANDS, skip_existing=skip_commands, read=commands_read)

    @classmethod
    def create(cls, runs_dir: Path, name: str, experiment_toml: str, environment: Mapping[str, Any]) -> RunDirectory:
        """Make the directory of a new run, `2026-11-23T16-15-30-digits-cnn`; in the same second a second one gets `-2`.

        Args:
            runs_dir: The folder of all runs; made when it is missing.
            name: The experiment's name.
            environment: What `environment.json` says; the process is added to it.

        Raises:
            Refused: the name cannot be a folder's, or nothing can be written there.
        """
        if not NAME.fullmatch(name):
            found = f"{name[:80]!r} cannot name a run"
            fix = "Take letters, digits, '.', '-' and '_', at most 64, the first a letter or digit."
            raise Refused(Mistake("name", found, "", fix))
        try:
            experiment_toml.encode()
        except UnicodeEncodeError as error:
            found = f"{experiment_toml[error.start : error.end]!r} is no character that a file can hold"
            raise Refused(Mistake(EXPERIMENT, found, "", "Take it out of the experiment.")) from error
        path = hold = None
        try:
            runs_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = _make_folder(runs_dir, f"{time.strftime('%Y-%m-%dT%H-%M-%S')}-{name}")
            hold = Hold(path)
            (path / CHECKPOINTS).mkdir(mode=0o700)
            write_new(path / EXPERIMENT, experiment_toml)
            write_new(path / COMMANDS, "")
            write_new(path / EVENTS, "")
            # The last one: a folder that has it is complete.
            write_new(path / ENVIRONMENT, _environment_text(environment))
        except OSError as error:
            if hold is not None:
                hold.release()
            if path is not None:
                shutil.rmtree(path, ignore_errors=True)
            found = f"no run can be written there ({error.strerror or error})"
            raise Refused(Mistake(str(runs_dir), found, "", _CHOOSE_ANOTHER)) from error
        return cls(path, hold, skip_commands=False)

    @classmethod
    def open(cls, path: Path, *, commands_read: int | None = None) -> RunDirectory:
        """Take over a run that is there, to go on with it.

        Args:
            commands_read: `commands_read` of the session that hands the run over; what was sent after those is done.
                Left out, nothing is that was sent before.

        Raises:
            Refused: this is not a run's directory, it leads elsewhere, a session has it already, or nothing can be
                written there.
        """
        if not (path / EXPERIMENT).is_file() and not (path / EVENTS).is_file():
            raise Refused(Mistake(str(path), "this is not a run", f"a run holds {EVENTS}", "See `torchdeck runs`."))
        if (path / CHECKPOINTS).is_symlink():
            found = f"{CHECKPOINTS} is a link to {os.readlink(path / CHECKPOINTS)!r}"
            expected, fix = (
                "checkpoints are written and removed in the run's own folder",
                "Put the folder in its place.",
            )
            raise Refused(Mistake(str(path), found, expected, fix))
        try:
            hold = Hold(path)
        except OSError as error:
            raise _not_writable(path, error) from error
        return cls(path, hold, skip_commands=True, commands_read=commands_read)

    def take_over(self, environment: Mapping[str, Any] | None = None) -> None:
        """Let `environment.json` name this process as the one that trains.

        Args:
            environment: Replaces what it says beside; left out, that is kept.

        Raises:
            Refused: it cannot be written.
        """
        try:
            text = _environment_text(self.environment if environment is None else environment)
            replace_file(self.path / ENVIRONMENT, text.encode(), sync=True)
        except OSError as error:
            raise _not_writable(self.path, error) from error

    def is_there(self) -> bool:
        """Whether the folder is where it was; somebody may have deleted or moved it."""
        return not self._hold.is_gone_from(self.path)

    def remake(self, experiment_toml: str, environment: Mapping[str, Any]) -> None:
        """Make the folder again that was deleted or moved, for events and checkpoints from now on.

        Raises:
            OSError: it cannot be made.
            Refused: another session has it by now.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        hold = Hold(self.path)
        self._hold.release()
        self._hold = hold
        self.checkpoints.mkdir(mode=0o700, exist_ok=True)
        for name, text in (
            (EXPERIMENT, experiment_toml),
            (COMMANDS, ""),
            (EVENTS, ""),
            (ENVIRONMENT, _environment_text(environment)),
        ):
            with suppress(FileExistsError):
                write_new(self.path / name, text)
        with self._lock:
            self._close()  # a file that was moved would be written to where it is now

    @property
    def checkpoints(self) -> Path:
        """The folder of the run's checkpoints."""
        return self.path / CHECKPOINTS

    @property
    def environment(self) -> dict[str, Any]:
        """What `environment.json` says."""
        return read_environment(self.path)

    def append(self, event: Event) -> str | None:
        """Write one event as one line. Never raises for what can go wrong with a disk.

        While events cannot be written, they are kept to be written later, but for `step` and `device`, which only the
        moment needs.

        Returns:
            One sentence when this is the first event that could not be written; None otherwise.
        """
        try:
            line = event.to_json().encode() + b"\n"
        except ValueError as error:  # Text that UTF-8 cannot hold.
            return f"An event of the kind {event.event!r} cannot be written: {error}."
        with self._lock:
            said_before = self.failure is not None
            self._kept.append(line)
            try:
                self._flush()
            except OSError as error:
                self._close()
                if isinstance(event, (Step, Device)) and self._kept and self._kept[-1] is line:
                    self._kept.pop()
                self.failure = (
                    f"Events cannot be written to {self.path / EVENTS}: {error.strerror or error}. Training goes on, "
                    "and they are kept to be written as soon as it is possible."
                )
                return None if said_before else self.failure
            self.failure = None
            return None

    def new_commands(self) -> list[Command | RejectedLine]:
        """What viewers asked for since the last call. Never raises. Some 10 µs when there is nothing new."""
        return self._commands.read()

    @property
    def commands_read(self) -> int:
        """Bytes of commands that were read: where the next session begins that this one hands the run over to."""
        return self._commands.bytes_read

    def send(self, command: Command) -> None:
        """Ask something of this run, as any viewer would.

        Raises:
            Refused: it cannot be written.
        """
        send_command(self.path / COMMANDS, command)

    def write_log(self, text: str) -> None:
        """Append text for whoever looks for the cause of a failure. Never raises: there is nowhere to say it."""
        with suppress(OSError):
            descriptor = open_descriptor(self.path / CONSOLE_LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text if text.endswith("\n") else f"{text}\n")

    def ending(self) -> None:
        """The next event is the last one: no heartbeat comes after it, by which a run is told that was gone on with."""
        self._hold.still()

    def close(self) -> bool:
        """Put the events on the disk, with those that had to be kept, and let others have the run.

        False when they could not be written.
        """
        with self._lock:
            try:
                self._flush()
                if self._descriptor is not None:
                    os.fsync(self._descriptor)
            except OSError:
                return False
            finally:
                self._close()
                self._hold.release()
            return True

    def _flush(self) -> None:
        """Write what is kept, a line a write; what is left of a line that was cut off comes first."""
        while self._rest or self._kept:
            descriptor = self._open()
            if self._rest:
                self._rest = self._rest[os.write(descriptor, self._rest) :]
            else:
                line = self._kept[0]
                written = os.write(descriptor, line)
                self._kept.popleft()
                self._rest = line[written:]

    def _open(self) -> int:
        if self._descriptor is not None:
            # When its last link is gone, nobody can read what is written to it.
            if os.fstat(self._descriptor).st_nlink:
                return self._descriptor
            self._close()
        descriptor = self._descriptor = open_descriptor(self.path / EVENTS, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        size = os.fstat(descriptor).st_size
        if not size or os.pread(descriptor, 1, size - 1) == b"\n":
            self._rest = b""
        elif not self._rest:
            # A session that was killed left a torn line.
            self._rest = b"\n"
        return descriptor

    def _close(self) -> None:
        if self._descriptor is not None:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None


def read_environment(path: Path) -> dict[str, Any]:
    """What a run's `environment.json` says; empty when it is missing or damaged."""
    try:
        environment = json.loads(read_file(path / ENVIRONMENT, _ENVIRONMENT_MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return environment if isinstance(environment, dict) else {}


def _environment_text(environment: Mapping[str, Any]) -> str:
    return json.dumps({**environment, **this_process()}, indent=2, default=str) + "\n"


def _not_writable(path: Path, error: OSError) -> Refused:
    found = f"the run cannot be written to ({error.strerror or error})"
    return Refused(Mistake(str(path), found, "", "Check that it is yours, and that the disk is not full."))


def _make_folder(runs_dir: Path, name: str) -> Path:
    for attempt in range(1, 1000):
        path = runs_dir / (name if attempt == 1 else f"{name}-{attempt}")
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            continue
        return path
    raise FileExistsError(f"{runs_dir / name} and 998 more of this name exist")


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet, the owner's alone, and put it on the disk.

    Raises:
        OSError: it is there, or cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
