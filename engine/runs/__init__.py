"""The run directory: written by the session that trains, read and steered by whoever can reach it. No torch here."""

from engine.runs.asking import ask
from engine.runs.commands import RejectedLine
from engine.runs.directory import RunDirectory, runs_dir
from engine.runs.follower import Follower
from engine.runs.listing import RunSummary, find_run, list_runs, summarize
from engine.runs.removal import remove_run

__all__ = [
    "Follower",
    "RejectedLine",
    "RunDirectory",
    "RunSummary",
    "ask",
    "find_run",
    "list_runs",
    "remove_run",
    "runs_dir",
    "summarize",
]
