"""List runs with the state of each, and find the run that a name or path selects."""

from __future__ import annotations

import errno
import math
import os
import re
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from engine.experiment.mistakes import Mistake, Refused, nearest
from engine.protocol.states import Reason, RunStatus
from engine.runs.differences import Setting
from engine.runs.directory import read_environment
from engine.runs.experiments import lacks_experiment
from engine.runs.paths import EVENTS, EXPERIMENT, command_for
from engine.runs.process import is_alive, is_suspended
from engine.runs.run_lock import lock_holder
from engine.runs.run_state import RunState, read_run_state
from engine.runs.state_cache import StateCache

# From the end of a session that detaches to the lock of the next one, which imports torch in between.
_HANDOVER_S = 120.0
_TIME_PREFIX = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-", re.ASCII)
# Errors by which there is no such file. Any other error leaves that open.
_IS_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One run in a list."""

    name: str
    path: Path
    status: RunStatus
    """See `RunStatus`."""
    paused: bool = False
    """Whether it is live, and paused until it gets the command to continue."""
    suspended: bool = False
    """Whether it is live, and its process is known to be stopped by a signal (SIGSTOP, Ctrl-Z)."""
    started: float = 0.0
    """Seconds since the epoch; 0 where unknown."""
    experiment_name: str
    epoch: int = 0
    epochs: int = 0
    """The number of epochs, as of the last resume; 0 before the first one began."""
    best: float | None = None
    """The best value of `monitor`."""
    best_epoch: int | None = None
    monitor: str = "val_loss"
    metrics: dict[str, float] = field(default_factory=dict)
    """The metrics of the best epoch, or of the last one where none is best; empty where they are not known."""
    settings: dict[str, Setting] = field(default_factory=dict)
    """The settings of its experiment by their paths, see differences."""
    seconds: float = 0.0
    """How long its sessions trained in total, pauses included."""
    message: str = ""
    """Why it ended, as a sentence; empty while it is active."""
    better_than_baseline: bool | None = None
    """Whether its best epoch is better than a prediction without a network; None where unknown."""
    problem: str = ""
    """What is wrong with its folder, as a sentence; empty when nothing is."""


def list_runs(runs_dir: Path) -> list[RunSummary]:
    """List the runs in a folder, newest first. There are none in a missing folder; anything else in it is skipped.

    Raises:
        Refused: the folder cannot be read. A run that cannot be read is in the list as `unreadable`.
    """
    paths = _folders(runs_dir)
    cache = StateCache(runs_dir)
    runs = [summary for path in paths if (summary := _summarize(path, cache)) is not None]
    cache.write()
    return sorted(runs, key=lambda run: (run.started, run.name), reverse=True)


def find_run(runs_dir: Path, text: str | None, *, live: bool = False) -> Path:
    """Find a run by its name, the beginning of its name, its experiment's name, or its path.

    Args:
        text: the name or path; None selects the newest run.
        live: None selects the newest active run.

    Raises:
        Refused: no run matches, or several do; or the run or the folder cannot be read.
    """
    path = _selected(runs_dir, text, live=live)
    try:
        _events_of(path)
        read_run_state(path)
    except OSError as error:
        raise Refused(_unreadable(path, error)) from error
    return path


def _selected(runs_dir: Path, text: str | None, *, live: bool) -> Path:
    if text is None:
        runs = [run for run in list_runs(runs_dir) if run.status != "unreadable"]
        if not runs:
            fix = (
                "Train one with `torchdeck train digits-cnn`, or name the folder of runs with --runs-dir or "
                "TORCHDECK_RUNS."
            )
            raise Refused(Mistake(str(runs_dir), "there is no run", "", fix))
        if live:
            runs = [run for run in runs if run.status == "live"]
            if not runs:
                raise Refused(Mistake(str(runs_dir), "no run is active", "", "See `torchdeck runs`."))
        return runs[0].path
    if os.sep in text or text in ("", ".", ".."):
        path = Path(text)
        if text and _is_run(path):
            return path.absolute()
        expected = f"a run holds {EXPERIMENT} and {EVENTS}"
        raise Refused(Mistake(text, "this is not a run", expected, "See `torchdeck runs`."))
    names = [path.name for path in _folders(runs_dir) if _is_run(path)]
    if text in names:
        return runs_dir / text
    matches = [name for name in names if name.startswith(text)] or [
        name for name in names if _TIME_PREFIX.sub("", name, count=1) == text
    ]
    if len(matches) == 1:
        return runs_dir / matches[0]
    if matches:
        shown = ", ".join(sorted(matches, reverse=True)[:5]) + (", …" if len(matches) > 5 else "")
        raise Refused(Mistake(text, f"{len(matches)} runs match this name", shown, "Write more of the name."))
    near = nearest(text, names)
    fix = f"Did you mean {near}?" if near else "See `torchdeck runs`."
    raise Refused(Mistake(text, f"no run in {runs_dir} has this name", "", fix))


def summarize(path: Path) -> RunSummary | None:
    """Read the state of one run; None when the path is not a run."""
    return _summarize(path, None)


def _summarize(path: Path, cache: StateCache | None) -> RunSummary | None:
    try:
        events = _events_of(path)
        if events is None:
            return None
        state = cache.get(path.name, events) if cache is not None else None
        if state is None:
            state = read_run_state(path)
            if cache is not None:
                cache.add(path.name, events, state)
        missing = lacks_experiment(path)
    except OSError as error:
        problem = str(_unreadable(path, error))
        return RunSummary(name=path.name, path=path, status="unreadable", experiment_name=_named(path), problem=problem)
    if missing and state.started is None:
        return None
    return _summary(path, state, str(_without_experiment(path)) if missing else "")


def _summary(path: Path, state: RunState, problem: str) -> RunSummary:
    process = lock_holder(path)
    status = _status(state, path, process)
    return RunSummary(
        name=path.name,
        path=path,
        status=status,
        paused=status == "live" and state.paused,
        suspended=status == "live" and process is not None and is_suspended(process),
        started=state.started or _modified(path / EXPERIMENT),
        experiment_name=state.experiment_name or _named(path),
        epoch=state.epoch,
        epochs=state.epochs,
        best=state.best,
        best_epoch=state.best_epoch,
        monitor=state.monitor,
        metrics=state.metrics,
        settings=state.settings,
        seconds=state.duration_s(time.time() if status == "live" else None),
        message=state.message if status != "live" else "",
        better_than_baseline=state.better_than_baseline if status != "live" else None,
        problem=problem,
    )


def _status(state: RunState, path: Path, process: Mapping[str, Any] | None) -> RunStatus:
    ended = state.ended if state.ended is not None else math.inf
    if state.reason is not None and state.reason is not Reason.DETACHED:
        # A session that resumes a run takes the lock first, and reports the start once its model is built.
        resumed = process is not None and process["heartbeat"] > ended
        return "live" if resumed else cast(RunStatus, state.reason.value)
    if process is None and state.reason is Reason.DETACHED:
        # The process that detaches from a run exists until the next one takes the lock.
        return "live" if time.time() - ended < _HANDOVER_S and is_alive(read_environment(path)) else "stale"
    return "live" if process is not None else "stale"


def _folders(runs_dir: Path) -> list[Path]:
    """The entries of the folder of runs that may be runs."""
    try:
        with os.scandir(runs_dir) as entries:
            return [Path(entry.path) for entry in entries if not entry.name.startswith(".")]
    except FileNotFoundError:
        return []
    except OSError as error:
        found = f"the folder of runs cannot be read ({error.strerror or error})"
        fix = "Correct that, or name another folder with --runs-dir DIR or TORCHDECK_RUNS."
        raise Refused(Mistake(str(runs_dir), found, "", fix)) from error


def _is_run(path: Path) -> bool:
    try:
        return _events_of(path) is not None and (not lacks_experiment(path) or read_run_state(path).started is not None)
    except OSError:
        return True  # unknown; a command that names it will report why


def _events_of(path: Path) -> os.stat_result | None:
    """The status of a run's events file; None where there is none.

    Raises:
        OSError: the status cannot be read, or it is not a regular file.
    """
    try:
        events = os.stat(path / EVENTS, follow_symlinks=False)
    except ValueError:  # no file can have this name
        return None
    except OSError as error:
        if error.errno in _IS_NOT_THERE:
            return None
        raise
    if not stat.S_ISREG(events.st_mode):
        raise OSError(f"its {EVENTS} is not a regular file")
    return events


def _unreadable(path: Path, error: OSError) -> Mistake:
    fix = "Check that it is yours, or move it out of the folder of runs."
    return Mistake(str(path), f"it cannot be read ({error.strerror or error})", "", fix)


def _without_experiment(path: Path) -> Mistake:
    fix = f"Write it again with `{command_for(path, 'resume')}`."
    return Mistake(str(path), f"its {EXPERIMENT} is missing", "its events still have the experiment", fix)


def _named(path: Path) -> str:
    """The experiment's name, from the name of the run's folder."""
    return _TIME_PREFIX.sub("", path.name, count=1)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
