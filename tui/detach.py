"""Start a run in a process that belongs to no terminal.

The process has its own session and process group. It reads from /dev/null and writes to the run's console.log. The
process that starts it waits at a pipe for the run's events, up to the one that shows how the run started.
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

from engine import CONSOLE_LOG, Event, Finished, PauseMode, RunStarted, event_from_json
from tui.exit_messages import control_lines
from tui.tables.text import plain, plain_json

_DESCRIPTOR = "TORCHDECK_ANNOUNCE"
"""Names the pipe's descriptor to the new process. Not an argument: the command line is recorded with the run."""

_COMMANDS_READ = "TORCHDECK_COMMANDS_READ"
"""How many bytes of the run's commands are done, for the process that resumes the run."""

_THIS_PROGRAM = [sys.executable, "-P", "-m", "tui.cli"]


def start_detached(arguments: Sequence[str], *, pause_mode: PauseMode | None = None, as_json: bool = False) -> int:
    """Run a torchdeck command that trains in a separate process; returns the exit status once its run has started.

    0 it trains, 1 it failed before the first step, 2 the request is wrong, 130 interrupted before the run started. The
    process has then printed its mistakes on stderr.
    """
    process, reader, interrupted = _start(arguments)
    try:
        if interrupted:
            raise KeyboardInterrupt
        with open(reader, encoding="utf-8") as events:
            for line in events:
                event = event_from_json(line)
                if isinstance(event, RunStarted):
                    _print_started(event, process.pid, pause_mode=pause_mode, as_json=as_json)
                    return 0
                if isinstance(event, Finished):
                    print(plain(f"The run did not start: {event.message}"), file=sys.stderr)
        status = process.wait()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        print("Interrupted before the run had started.", file=sys.stderr)
        return 130
    if status < 0:
        name = signal.Signals(-status).name
        print(f"The run did not start: {name} ended its process.", file=sys.stderr)
    return 1 if status < 0 else status or 1


def _start(arguments: Sequence[str]) -> tuple[subprocess.Popen[bytes], int, bool]:
    """The process, the pipe's end to read from, and whether Ctrl-C arrived meanwhile."""
    reader, writer = os.pipe()
    caught: list[int] = []
    # A KeyboardInterrupt inside Popen would leave a process without an owner.
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


def resume_detached(run: Path, *, pause_mode: PauseMode | None, commands_read: int, as_json: bool = False) -> NoReturn:
    """Replace this process by one that resumes a run, detached.

    The memory of this process, on the device too, is free before the other one starts. Nothing is lost if that fails:
    the run is then like one that was interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    # A terminal that closes now must not end the next process, which inherits no open file either.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.environ[_COMMANDS_READ] = str(commands_read)
    options = [f"--{pause_mode}d"] * (pause_mode is not None) + ["--json"] * as_json
    os.execv(sys.executable, [*_THIS_PROGRAM, "resume", "--detach", *options, "--", str(run)])


def commands_already_read() -> int | None:
    """How many bytes of the run's commands the previous process has read; None without a previous process."""
    read = os.environ.pop(_COMMANDS_READ, "")
    return int(read) if read.isdecimal() else None


class StartReport:
    """Reports how a run started to the process that called `start_detached`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def expected(cls) -> StartReport | None:
        """The report that a caller waits for; None in a process that was started in another way."""
        descriptor = os.environ.pop(_DESCRIPTOR, "")
        return cls(int(descriptor)) if descriptor.isdecimal() else None

    def write(self, event: Event) -> None:
        """Pass on an event. The last one is that the run has started, or has ended before its start."""
        if self._descriptor is None:
            return
        with suppress(OSError):  # The caller has exited.
            os.write(self._descriptor, f"{event.to_json()}\n".encode())
        if isinstance(event, (RunStarted, Finished)):
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None


def write_to_console_log(run: Path) -> None:
    """Redirect stdout and stderr of this process to the run's console.log."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        log = os.open(run / CONSOLE_LOG, flags, 0o600)
    except OSError:
        log = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    os.close(log)


def _print_started(started: RunStarted, pid: int, *, pause_mode: PauseMode | None, as_json: bool) -> None:
    run = Path(started.directory)
    print(plain_json(started.to_json()) if as_json else plain(run.name), flush=True)
    state = "trains" if pause_mode is None else "is paused"
    sentence = f"It {state} in the background as process {pid}; closing this terminal does not stop it."
    for line in (sentence, *control_lines(run, paused=pause_mode is not None)):
        print(line, file=sys.stderr)
