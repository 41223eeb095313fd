"""What stands in a terminal last: how a run ended or that it goes on, and the commands to do more with it."""

from __future__ import annotations

from pathlib import Path

from engine.protocol.events import Finished
from engine.runs import summarize
from engine.runs.command_line import command_anew, command_on
from engine.runs.directory import CHECKPOINTS
from tui.run_status import RESUMABLE, STALE
from tui.tables.text import plain


def of_end(run: Path, finished: Finished) -> list[str]:
    """What a run ended with, where it lies, and how to resume it if that is possible."""
    return [plain(f"{run.name}: {finished.message}"), *where_and_how(run, finished.reason)]


def where_and_how(run: Path, status: str) -> list[str]:
    """Where a run lies that has come to an end, and how to resume it if that is possible."""
    return [plain(f"The run is in {run}"), *how_to_go_on(run, status)]


def how_to_go_on(run: Path, status: str) -> list[str]:
    """The command that resumes a run, or begins it again if nothing of it is saved; none if it came to its own end."""
    if status not in RESUMABLE:
        return []
    saved = run / CHECKPOINTS
    if saved.is_dir() and not any(saved.iterdir()):
        return [plain(f"Nothing of it is saved. Train it again with: {command_anew(run)}")]
    return [plain(f"Resume it with: {command_on(run, 'resume')}")]


def how_to_steer(run: Path, *, paused: bool = False) -> list[str]:
    """The commands for a run that is going in another process."""
    go_on = [plain(f"Continue it:  {command_on(run, 'continue')}")] if paused else []
    return [
        *go_on,
        plain(f"Watch and steer it:  {command_on(run, 'attach')}"),
        plain(f"Stop it:  {command_on(run, 'stop')}"),
    ]


def of_leaving(run: Path) -> list[str]:
    """What becomes of a run of another process that was watched until now, or what became of it."""
    summary = summarize(run)
    if summary is None:
        return []
    if summary.status == "live" and summary.paused:
        held = f"{run.name} is paused in its own process."
        return [plain(held), *how_to_steer(run, paused=True)]
    if summary.status == "live":
        goes_on = f"{run.name} trains in its own process; closing this terminal does not stop it."
        return [plain(goes_on), *how_to_steer(run)]
    ended = STALE if summary.status == "stale" else summary.message or f"{summary.status.replace('_', ' ')}."
    return [plain(f"{run.name}: {ended}"), *where_and_how(run, summary.status)]
