"""A run's directory, as the session that trains writes it.

    experiment.toml      the document, complete with defaults and seed
    environment.json     versions, device, command line, and the process that trains
    data.json            what was learned from the training part, see engine/data/data_manifest.py
    split.safetensors    which samples are in which part
    events.jsonl         the events, one a line
    commands.jsonl       the commands of viewers, one a line
    checkpoints/         see engine/training/checkpoint.py
    resumes.jsonl        the resumes, see engine/runs/resumes.py
    lock                 locked by the session that trains, see engine/runs/run_lock.py
    console.log          tracebacks and the output of a detached session, to find the cause of a failure

Only the owner can read the files: 0600 in a 0700 directory.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.experiment.mistakes import Mistake, Refused
from engine.private_files import open_descriptor, read_file, replace_file, write_new
from engine.protocol.commands import Command
from engine.protocol.events import Device, Event, Step
from engine.runs.commands import CommandReader, RejectedLine, send_command
from engine.runs.paths import (
    CHECKPOINTS,
    CHOOSE_ANOTHER_FOLDER,
    COMMANDS,
    CONSOLE_LOG,
    ENVIRONMENT,
    EVENTS,
    EXPERIMENT,
    NAME,
)
from engine.runs.process import this_process
from engine.runs.run_lock import RunLock

_ENVIRONMENT_MAX_BYTES = 1 << 20
_MAX_WAITING_LINES = 10_000


class RunDirectory:
    """A run's directory, open for writing by the session that trains it. Any thread may call its methods."""

    def __init__(self, path: Path, lock: RunLock, *, skip_commands: bool, commands_read: int | None = None) -> None:
        self.path = path
        self._run_lock = lock
        self.name = path.name
        self.failure: str | None = None
        """Why events cannot be written at the moment, as a sentence; None while they can."""
        self._writing = threading.Lock()
        self._descriptor: int | None = None
        self._waiting: deque[bytes] = deque(maxlen=_MAX_WAITING_LINES)
        self._rest = b""
        self._commands = CommandReader(path / COMMANDS, skip_existing=skip_commands, read=commands_read)

    @classmethod
    def create(cls, runs_dir: Path, name: str, experiment_toml: str, environment: Mapping[str, Any]) -> RunDirectory:
        """Create the directory of a new run, `2026-11-23T16-15-30-digits-cnn`; a second one in that second gets `-2`.

        Args:
            runs_dir: the folder of runs; created if it is missing.
            name: the experiment's name.
            environment: the content of `environment.json`; the process is added to it.

        Raises:
            Refused: a folder cannot have the name, or the folder cannot be written to.
        """
        if not NAME.fullmatch(name):
            found = f"{name[:80]!r} cannot name a run"
            fix = "Use at most 64 letters, digits, '.', '-' and '_'; begin with a letter or digit."
            raise Refused(Mistake("name", found, "", fix))
        try:
            experiment_toml.encode()
        except UnicodeEncodeError as error:
            found = f"a text file cannot contain {experiment_toml[error.start : error.end]!r}"
            raise Refused(Mistake(EXPERIMENT, found, "", "Remove it from the experiment.")) from error
        path = lock = None
        try:
            runs_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = _make_folder(runs_dir, f"{time.strftime('%Y-%m-%dT%H-%M-%S')}-{name}")
            lock = RunLock(path)
            (path / CHECKPOINTS).mkdir(mode=0o700)
            write_new(path / EXPERIMENT, experiment_toml.encode())
            write_new(path / COMMANDS, b"")
            write_new(path / EVENTS, b"")
            # The last one: a folder with this file is complete.
            write_new(path / ENVIRONMENT, _environment_bytes(environment))
        except OSError as error:
            if lock is not None:
                lock.release()
            if path is not None:
                shutil.rmtree(path, ignore_errors=True)
            found = f"a run cannot be written there ({error.strerror or error})"
            raise Refused(Mistake(str(runs_dir), found, "", CHOOSE_ANOTHER_FOLDER)) from error
        return cls(path, lock, skip_commands=False)

    @classmethod
    def open(cls, path: Path, *, commands_read: int | None = None) -> RunDirectory:
        """Open the directory of a run, to resume it.

        Args:
            commands_read: `commands_read` of the session that hands over the run, to obey the commands after those.
                By default all earlier commands are skipped.

        Raises:
            Refused: this is not a run's directory, its checkpoints are a link, another session trains it, or the
                directory cannot be written to.
        """
        if not (path / EXPERIMENT).is_file() and not (path / EVENTS).is_file():
            raise Refused(Mistake(str(path), "this is not a run", f"a run has {EVENTS}", "See `torchdeck runs`."))
        if (path / CHECKPOINTS).is_symlink():
            found = f"{CHECKPOINTS} is a link to {os.readlink(path / CHECKPOINTS)!r}"
            expected = "checkpoints are written and removed in the run's own folder"
            raise Refused(Mistake(str(path), found, expected, "Replace the link by the folder."))
        try:
            lock = RunLock(path)
        except OSError as error:
            raise _not_writable(path, error) from error
        return cls(path, lock, skip_commands=True, commands_read=commands_read)

    def take_over(self, environment: Mapping[str, Any] | None = None) -> None:
        """Write this process into `environment.json` as the one that trains.

        Args:
            environment: replaces the rest of the content, which is otherwise unchanged.

        Raises:
            Refused: it cannot be written.
        """
        try:
            content = _environment_bytes(self.environment if environment is None else environment)
            replace_file(self.path / ENVIRONMENT, content, sync=True)
        except OSError as error:
            raise _not_writable(self.path, error) from error

    def is_there(self) -> bool:
        """Whether the directory is at its path. A person may delete or move it."""
        return not self._run_lock.is_missing_from(self.path)

    def recreate(self, experiment_toml: str, environment: Mapping[str, Any]) -> None:
        """Create the directory again after it was deleted or moved, for events and checkpoints from now on.

        Raises:
            OSError: it cannot be created.
            Refused: another session has the lock by now.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = RunLock(self.path)
        self._run_lock.release()
        self._run_lock = lock
        self.checkpoints.mkdir(mode=0o700, exist_ok=True)
        for name, content in (
            (EXPERIMENT, experiment_toml.encode()),
            (COMMANDS, b""),
            (EVENTS, b""),
            (ENVIRONMENT, _environment_bytes(environment)),
        ):
            with suppress(FileExistsError):
                write_new(self.path / name, content)
        with self._writing:
            self._close()  # else a moved file would be written to at its new path

    @property
    def checkpoints(self) -> Path:
        """The path of the folder of checkpoints."""
        return self.path / CHECKPOINTS

    @property
    def environment(self) -> dict[str, Any]:
        """The content of `environment.json`."""
        return read_environment(self.path)

    def append(self, event: Event) -> str | None:
        """Write an event as one line. Never raises for an error of the disk.

        While events cannot be written, they are stored in memory and written later, except for `step` and `device`,
        which would be out of date.

        Returns:
            A sentence, if this is the first event that could not be written; else None.
        """
        try:
            line = event.to_json().encode() + b"\n"
        except ValueError as error:  # text that UTF-8 cannot encode
            return f"A {event.event!r} event cannot be written: {error}."
        with self._writing:
            failed_before = self.failure is not None
            self._waiting.append(line)
            try:
                self._flush()
            except OSError as error:
                self._close()
                if isinstance(event, (Step, Device)) and self._waiting and self._waiting[-1] is line:
                    self._waiting.pop()
                self.failure = (
                    f"Events cannot be written to {self.path / EVENTS}: {error.strerror or error}. Training continues, "
                    "and they will be written as soon as that is possible."
                )
                return None if failed_before else self.failure
            self.failure = None
            return None

    def new_commands(self) -> list[Command | RejectedLine]:
        """Read the commands of viewers since the last call. Never raises. Takes about 10 µs when there are none."""
        return self._commands.read()

    @property
    def commands_read(self) -> int:
        """Bytes of commands that were read, where the session begins that this one hands over the run to."""
        return self._commands.bytes_read

    def send(self, command: Command) -> None:
        """Send a command to this run, as any viewer would.

        Raises:
            Refused: it cannot be written.
        """
        send_command(self.path / COMMANDS, command)

    def write_log(self, text: str) -> None:
        """Append text to the console log, to find the cause of a failure. Never raises."""
        with suppress(OSError):
            descriptor = open_descriptor(self.path / CONSOLE_LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text if text.endswith("\n") else f"{text}\n")

    def stop_heartbeat(self) -> None:
        """Stop the heartbeat before the last event: a later heartbeat would mean that the run was resumed."""
        self._run_lock.stop_heartbeat()

    def close(self) -> bool:
        """Make sure that all events are on disk, and give up the lock; False if they could not be written."""
        with self._writing:
            try:
                self._flush()
                if self._descriptor is not None:
                    os.fsync(self._descriptor)
            except OSError:
                return False
            finally:
                self._close()
                self._run_lock.release()
            return True

    def _flush(self) -> None:
        """Write the waiting events, one line a write; first the rest of a line that was written in part."""
        while self._rest or self._waiting:
            descriptor = self._open()
            if self._rest:
                self._rest = self._rest[os.write(descriptor, self._rest) :]
            else:
                line = self._waiting[0]
                written = os.write(descriptor, line)
                self._waiting.popleft()
                self._rest = line[written:]

    def _open(self) -> int:
        if self._descriptor is not None:
            # After its last link is removed, no process can read what is written to it.
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
    """Read a run's `environment.json`; empty when it is missing or damaged."""
    try:
        environment = json.loads(read_file(path / ENVIRONMENT, _ENVIRONMENT_MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return environment if isinstance(environment, dict) else {}


def _environment_bytes(environment: Mapping[str, Any]) -> bytes:
    return json.dumps({**environment, **this_process()}, indent=2, default=str).encode() + b"\n"


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
    raise FileExistsError(f"{runs_dir / name} and 998 more with this name exist")
