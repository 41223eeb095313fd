"""Paths of runs: the files of a run directory, the folder of all runs, and the commands that name a run."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from engine.experiment.mistakes import Mistake, Refused
from engine.user_folders import expanded, home_problem

EXPERIMENT = "experiment.toml"
ENVIRONMENT = "environment.json"
EVENTS = "events.jsonl"
COMMANDS = "commands.jsonl"
CHECKPOINTS = "checkpoints"
CONSOLE_LOG = "console.log"

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
"""A name that an experiment, and so a run directory, can have."""

CHOOSE_ANOTHER_FOLDER = "Choose another folder with --runs-dir DIR or TORCHDECK_RUNS."


def runs_dir(option: str | Path | None = None) -> Path:
    """The absolute path of the folder of runs: `--runs-dir`, else TORCHDECK_RUNS, else `./runs`.

    Raises:
        Refused: it begins with `~`, and there is no such home folder.
    """
    chosen = option or os.environ.get("TORCHDECK_RUNS") or "runs"
    if problem := home_problem(chosen):
        raise Refused(Mistake(str(chosen), problem, "", CHOOSE_ANOTHER_FOLDER))
    return expanded(chosen).absolute()


def command_for(run: str | Path, verb: str) -> str:
    """`torchdeck resume NAME`, or with a path where torchdeck would not find the name."""
    path = _from_here(Path(run))
    name = path.name if path.parent == Path("runs") and "TORCHDECK_RUNS" not in os.environ else str(path)
    if path.parent == Path():
        name = f"./{name}"  # torchdeck looks for a name without a slash among the runs
    return f"torchdeck {verb} {shlex.quote(name)}"


def retrain_command(run: str | Path) -> str:
    """`torchdeck train RUN/experiment.toml`: train the same experiment from its first step."""
    return f"torchdeck train {shlex.quote(str(_from_here(Path(run)) / EXPERIMENT))}"


def _from_here(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
