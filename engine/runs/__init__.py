"""The run directory: written by the session that trains, read and steered by whoever can reach it. No torch here."""

from engine.runs.asking import ask
from engine.runs.commands import RejectedLine
from engine.runs.differences import differences
from engine.runs.directory import RunDirectory, runs_dir
from engine.runs.experiments import experiment_of
from engine.runs.follower import Follower
from engine.runs.listing import RunSummary, find_run, list_runs, summarize
from engine.runs.removal import finish_removals, remove_run

__all__ = [
    "Follower",
    "RejectedLine",
    "RunDirectory",
    "RunSummary",
    "ask",
    "differences",
    "experiment_of",
    "find_run",
    "finish_removals",
    "list_runs",
    "remove_run",
    "runs_dir",
    "summarize",
]
