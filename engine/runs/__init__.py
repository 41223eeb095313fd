"""Run directories: the session that trains writes one; other processes list, follow, control and remove it.

Nothing here imports torch. A session writes with `RunDirectory`. `list_runs`, `find_run` and `summarize` read the state
of runs. `Follower` reads events as they are written, and sends commands; `ask` also waits for the answer.
`experiment_of` reads what a run trains, `differences` compares runs, and `remove_run` removes one.
"""

from engine.runs.commands import RejectedLine
from engine.runs.differences import differences
from engine.runs.directory import RunDirectory
from engine.runs.experiments import experiment_of
from engine.runs.follower import Follower, ask
from engine.runs.listing import RunSummary, find_run, list_runs, summarize
from engine.runs.paths import command_for, retrain_command, runs_dir
from engine.runs.removal import finish_removals, remove_run
from engine.runs.run_state import epoch_metrics

__all__ = [
    "Follower",
    "RejectedLine",
    "RunDirectory",
    "RunSummary",
    "ask",
    "command_for",
    "differences",
    "epoch_metrics",
    "experiment_of",
    "find_run",
    "finish_removals",
    "list_runs",
    "remove_run",
    "retrain_command",
    "runs_dir",
    "summarize",
]
