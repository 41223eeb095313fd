"""Removing a run for good, unless somebody trains it."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from engine.experiment.mistakes import Mistake, Refused
from engine.runs.hold import Hold


def remove_run(run: Path) -> None:
    """Remove a run with its checkpoints.

    Raises:
        Refused: it is going, or cannot be removed.
    """
    if run.is_symlink():
        raise Refused(Mistake(str(run), "it cannot be removed", "it is a link", "Remove the link itself."))
    # Renamed first, so that nobody goes on with a run of which half is gone.
    going = run.with_name(f".removing-{run.name}")
    try:
        hold = Hold(run)
        try:
            run.rename(going)
            shutil.rmtree(going)
        finally:
            hold.release()
    except OSError as error:
        with suppress(OSError):
            going.rename(run)
        found = f"it cannot be removed ({error.strerror or error})"
        raise Refused(Mistake(str(run), found, "", "Check that it is yours.")) from error
