"""Asking something of a run in another process, and waiting for what comes of it."""

from __future__ import annotations

import time
from pathlib import Path

from engine.experiment.mistakes import Mistake, Refused
from engine.protocol.commands import Command
from engine.protocol.events import CommandDone, Event, Finished, Reason
from engine.runs.command_line import command_on
from engine.runs.follower import Follower
from engine.runs.listing import summarize

POLL_S = 0.05
LOOK_S = 1.0
"""Between two looks whether the run's process is still there."""


def ask(run: Path, command: Command, *, timeout_s: float) -> CommandDone | Finished:
    """Send a command, and wait for its `command` event; after `stop` and `detach`, for the end of the run.

    An answer to another viewer who asks for the same at the same time is as good.

    Args:
        run: the run's directory.
        timeout_s: how long to wait; a run looks at what it is asked between two steps.

    Raises:
        Refused: the run is not going, ends meanwhile, refuses, or does not answer in time.
    """
    _refuse_what_is_not_live(run, command)
    follower = Follower(run, skip_existing=True)
    follower.send(command)
    ends = command.command in ("stop", "detach")
    gives_up_at = time.monotonic() + timeout_s
    looks_at = time.monotonic() + LOOK_S
    while time.monotonic() < gives_up_at:
        for event in follower.drain():
            if answer := _answer(run, command, event, ends=ends):
                return answer
        if time.monotonic() >= looks_at:
            looks_at = time.monotonic() + LOOK_S
            if follower.caught_up:
                _refuse_what_is_not_live(run, command)
        time.sleep(POLL_S)
    found = f"it did not answer {command.command!r} within {timeout_s:g} s"
    fix = f"It answers at its next step. Watch it with `{command_on(run, 'attach')}`."
    raise Refused(Mistake(run.name, found, "", fix))


def _answer(run: Path, command: Command, event: Event, *, ends: bool) -> CommandDone | Finished | None:
    if isinstance(event, Finished):
        if event.reason is Reason.DETACHED and command.command != "detach":
            return None  # The session that goes on with the run will answer.
        if ends:
            return event
        raise Refused(Mistake(run.name, f"it ended before {command.command!r} reached it", event.message, ""))
    if isinstance(event, CommandDone) and event.command == command.command and not ends:
        return event
    return None


def _refuse_what_is_not_live(run: Path, command: Command) -> None:
    summary = summarize(run)
    if summary is None:
        raise Refused(Mistake(run.name, "this is not a run", "", "See `torchdeck runs`."))
    if summary.status == "unreadable":
        raise Refused(Mistake(run.name, "it cannot be read any more", "", "See `torchdeck runs` for why."))
    if summary.status == "stale":
        found = f"its process exited unexpectedly: there is nothing to {command.command}"
        raise Refused(Mistake(run.name, found, "", f"Resume it: `{command_on(run, 'resume')}`."))
    if summary.status != "live":
        found = f"the run has ended ({summary.status.replace('_', ' ')}): there is nothing to {command.command}"
        raise Refused(Mistake(run.name, found, "", "See `torchdeck runs` for active runs."))
