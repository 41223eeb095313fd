"""A run in a process that belongs to no terminal: begun, heard of as soon as it trains, and left to itself.

The process is of a session and a process group of its own; it reads from /dev/null, and writes to the run's
console.log. Whoever begins it waits at a pipe, where the run's events are written up to the one that says how it began.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from engine.protocol.commands import Hold
from engine.protocol.events import Event, Finished, RunStarted, event_from_json
from engine.runs.directory import CONSOLE_LOG
from tui.exit_messages import how_to_steer
from tui.tables.text import plain, plain_json

_DESCRIPTOR = "TORCHDECK_ANNOUNCE"
"""Names the pipe's descriptor to the new process. Not an argument: the command line is recorded with the run."""

_COMMANDS_READ = "TORCHDECK_COMMANDS_READ"
"""Says to the process that goes on with a run which commands are still to be done."""

_THIS_PROGRAM = [sys.executable, "-P", "-m", "tui.cli"]


def begin_detached(arguments: Sequence[str], *, hold: Hold | None = None, as_json: bool = False) -> int:
    """Run a command of torchdeck that trains in a process of its own; returns the exit status once it has begun.

    0 it trains, 1 it failed before the first step, 2 what was asked is wrong, 130 Ctrl-C came before it had begun. Its
    mistakes are on stderr by then.
    """
    process, reader, interrupted = _begin(arguments)
    try:
        if interrupted:
            raise KeyboardInterrupt
        with open(reader, encoding="utf-8") as announced:
            for line in announced:
                event = event_from_json(line)
                if isinstance(event, RunStarted):
                    _say_begun(event, process.pid, hold=hold, as_json=as_json)
                    return 0
                if isinstance(event, Finished):
                    print(plain(f"The run did not begin: {event.message}"), file=sys.stderr)
        status = process.wait()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        print("Interrupted before the run had begun.", file=sys.stderr)
        return 130
    if status < 0:
        name = signal.Signals(-status).name
        print(f"The run did not begin: its process was ended by {name}.", file=sys.stderr)
    return 1 if status < 0 else status or 1


def _begin(arguments: Sequence[str]) -> tuple[subprocess.Popen[bytes], int, bool]:
    """The process, the pipe's end to read from, and whether Ctrl-C came while it was being made."""
    reader, writer = os.pipe()
    caught: list[int] = []
    # Raised in the middle, KeyboardInterrupt would leave a process that nobody knows of.
    before = signal.signal(signal.SIGINT, lambda number, frame: caught.append(number))
    try:
        process = subprocess.Popen(
            [*_THIS_PROGRAM, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=os.environ | {_DESCRIPTOR: str(writer)},
            pass_fds=(writer,),
            start_new_session=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)
        os.close(writer)
    return process, reader, bool(caught)


def go_on_detached(run: Path, *, hold: Hold | None, commands_read: int, as_json: bool = False) -> NoReturn:
    """Go on with a run in a process of its own, in the place of this one.

    What this process holds, the device's memory too, is given back before the other one begins. Nothing is lost if it
    does not: the run is as one that was interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    # Neither a terminal that goes away now nor what was opened here may reach what follows.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.environ[_COMMANDS_READ] = str(commands_read)
    options = [f"--{hold}d"] * (hold is not None) + ["--json"] * as_json
    os.execv(sys.executable, [*_THIS_PROGRAM, "resume", "--detach", *options, "--", str(run)])


def commands_read_before() -> int | None:
    """How much of a run's commands was read by the process that hands it over to this one; None if none does."""
    read = os.environ.pop(_COMMANDS_READ, "")
    return int(read) if read.isdecimal() else None


class Announcement:
    """Where a process that was begun by `begin_detached` says how its run began."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def expected(cls) -> Announcement | None:
        """The one that somebody waits for; None in a process that was begun in any other way."""
        descriptor = os.environ.pop(_DESCRIPTOR, "")
        return cls(int(descriptor)) if descriptor.isdecimal() else None

    def write(self, event: Event) -> None:
        """Hand on an event; that the run has begun, or has ended before that, is the last one."""
        if self._descriptor is None:
            return
        with suppress(OSError):  # Nobody waits any more.
            os.write(self._descriptor, f"{event.to_json()}\n".encode())
        if isinstance(event, (RunStarted, Finished)):
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None


def write_to_console_log(run: Path) -> None:
    """Let everything that this process prints go to the run's console.log."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        log = os.open(run / CONSOLE_LOG, flags, 0o600)
    except OSError:
        log = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    os.close(log)


def _say_begun(started: RunStarted, pid: int, *, hold: Hold | None, as_json: bool) -> None:
    run = Path(started.directory)
    print(plain_json(started.to_json()) if as_json else plain(run.name), flush=True)
    does = "trains" if hold is None else "is paused"
    words = f"It {does} in the background as process {pid}; closing this terminal does not stop it."
    for line in (words, *how_to_steer(run, paused=hold is not None)):
        print(line, file=sys.stderr)
