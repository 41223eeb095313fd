"""Removing a run permanently, unless a process trains it."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path

from engine.experiment.mistakes import Mistake, Refused
from engine.runs.run_lock import LOCK, RunLock

_PREFIX = ".removing-"


def remove_run(run: Path) -> None:
    """Remove a run with its checkpoints.

    Raises:
        Refused: it is active, or cannot be removed.
    """
    if run.is_symlink():
        raise Refused(Mistake(str(run), "it cannot be removed", "it is a link", "Remove the link itself."))
    # Renamed first, so that no process resumes a run that is half removed.
    removing = run.with_name(f"{_PREFIX}{run.name}")
    try:
        lock = RunLock(run)
        try:
            run.rename(removing)
            _delete(removing)
        finally:
            lock.release()
    except OSError as error:
        with suppress(OSError):
            removing.rename(run)
        found = f"it cannot be removed ({error.strerror or error})"
        raise Refused(Mistake(str(run), found, "", "Check that it is yours.")) from error


def finish_removals(runs_dir: Path) -> list[str]:
    """Finish removals that were interrupted, for example by a kill; returns the names of the runs.

    Never raises. A run that another process is removing, or that cannot be removed, is left as it is.
    """
    try:
        with os.scandir(runs_dir) as entries:
            left = [Path(e.path) for e in entries if e.name.startswith(_PREFIX) and e.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    finished = []
    for removing in left:
        with suppress(OSError, Refused):
            lock = RunLock(removing)
            try:
                _delete(removing)
            finally:
                lock.release()
            finished.append(removing.name.removeprefix(_PREFIX))
    return finished


def _delete(removing: Path) -> None:
    # The lock is removed last: while there is anything else, others see that a process is at it.
    with os.scandir(removing) as entries:
        inside = [entry for entry in entries if entry.name != LOCK]
    for entry in inside:
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)
    (removing / LOCK).unlink(missing_ok=True)
    try:
        removing.rmdir()
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:  # else another process took the lock after this one removed it, and finishes
            raise
