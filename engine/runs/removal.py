"""Removing a run for good, unless somebody trains it."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path

from engine.experiment.mistakes import Mistake, Refused
from engine.runs.hold import LOCK, Hold

_GOING = ".removing-"


def remove_run(run: Path) -> None:
    """Remove a run with its checkpoints.

    Raises:
        Refused: it is going, or cannot be removed.
    """
    if run.is_symlink():
        raise Refused(Mistake(str(run), "it cannot be removed", "it is a link", "Remove the link itself."))
    # Renamed first, so that nobody goes on with a run of which half is gone.
    going = run.with_name(f"{_GOING}{run.name}")
    try:
        hold = Hold(run)
        try:
            run.rename(going)
            _delete(going)
        finally:
            hold.release()
    except OSError as error:
        with suppress(OSError):
            going.rename(run)
        found = f"it cannot be removed ({error.strerror or error})"
        raise Refused(Mistake(str(run), found, "", "Check that it is yours.")) from error


def finish_removals(runs_dir: Path) -> list[str]:
    """Remove what is left of runs whose removal was cut off, as by a kill; their names.

    Never raises: what another process removes at this moment, or cannot be removed, stays as it is.
    """
    try:
        with os.scandir(runs_dir) as entries:
            left = [Path(e.path) for e in entries if e.name.startswith(_GOING) and e.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    finished = []
    for going in left:
        with suppress(OSError, Refused):
            hold = Hold(going)
            try:
                _delete(going)
            finally:
                hold.release()
            finished.append(going.name.removeprefix(_GOING))
    return finished


def _delete(going: Path) -> None:
    # The lock is the last to go: while anything else is there, it is seen whether somebody is at it.
    with os.scandir(going) as entries:
        inside = [entry for entry in entries if entry.name != LOCK]
    for entry in inside:
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)
    (going / LOCK).unlink(missing_ok=True)
    try:
        going.rmdir()
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:  # else one who finishes removals came in after the lock went, and goes on
            raise
