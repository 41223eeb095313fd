"""What a person types to do something with a run, so that it works where the person is."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from engine.runs.directory import EXPERIMENT


def command_on(run: str | Path, verb: str) -> str:
    """`torchdeck resume NAME`, with a path where a name would not be found."""
    path = _from_here(Path(run))
    name = path.name if path.parent == Path("runs") and "TORCHDECK_RUNS" not in os.environ else str(path)
    if path.parent == Path():
        name = f"./{name}"  # A name alone is looked for among the runs.
    return f"torchdeck {verb} {shlex.quote(name)}"


def command_anew(run: str | Path) -> str:
    """`torchdeck train RUN/experiment.toml`: the run once more, from its first step."""
    return f"torchdeck train {shlex.quote(str(_from_here(Path(run)) / EXPERIMENT))}"


def _from_here(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
