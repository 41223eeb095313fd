"""What a person types to do something with a run."""

from __future__ import annotations

import os
import shlex
from pathlib import Path


def command_on(run: str | Path, verb: str) -> str:
    """`torchdeck resume NAME`, so that it works where the person is: with a path where a name would not be found."""
    path = Path(run)
    if path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    name = path.name if path.parent == Path("runs") and "TORCHDECK_RUNS" not in os.environ else str(path)
    if path.parent == Path():
        name = f"./{name}"  # A name alone is looked for among the runs.
    return f"torchdeck {verb} {shlex.quote(name)}"
