"""The last lines in a terminal: how a run ended or that it is still active, and the commands for it."""

from __future__ import annotations

from pathlib import Path

from engine import CHECKPOINTS, Finished, command_for, retrain_command, summarize
from tui.run_status import RESUMABLE, STALE
from tui.tables.text import plain


def end_lines(run: Path, finished: Finished) -> list[str]:
    """How a run ended, its folder, and how to resume it if that is possible."""
    return [plain(f"{run.name}: {finished.message}"), *folder_lines(run, finished.reason)]


def folder_lines(run: Path, status: str) -> list[str]:
    """The folder of a run that has ended, and how to resume it if that is possible."""
    return [plain(f"The run is in {run}"), *resume_lines(run, status)]


def resume_lines(run: Path, status: str) -> list[str]:
    """The command that resumes a run, or restarts one without a checkpoint; none for a completed or failed run."""
    if status not in RESUMABLE:
        return []
    checkpoints = run / CHECKPOINTS
    if checkpoints.is_dir() and not any(checkpoints.iterdir()):
        return [plain(f"It has no checkpoint. Train it again with: {retrain_command(run)}")]
    return [plain(f"Resume it with: {command_for(run, 'resume')}")]


def control_lines(run: Path, *, paused: bool = False) -> list[str]:
    """The commands for a run that is active in another process."""
    continue_it = [plain(f"Continue it:  {command_for(run, 'continue')}")] if paused else []
    return [
        *continue_it,
        plain(f"Watch and steer it:  {command_for(run, 'attach')}"),
        plain(f"Stop it:  {command_for(run, 'stop')}"),
    ]


def detach_lines(run: Path) -> list[str]:
    """The state of a run of another process when its viewer is closed, and the commands for it."""
    summary = summarize(run)
    if summary is None:
        return []
    if summary.status == "live" and summary.paused:
        return [plain(f"{run.name} is paused in its own process."), *control_lines(run, paused=True)]
    if summary.status == "live":
        active = f"{run.name} trains in its own process; closing this terminal does not stop it."
        return [plain(active), *control_lines(run)]
    ended = STALE if summary.status == "stale" else summary.message or f"{summary.status.replace('_', ' ')}."
    return [plain(f"{run.name}: {ended}"), *folder_lines(run, summary.status)]
