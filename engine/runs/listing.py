"""Which runs there are, what became of each, and which one is meant."""

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
from engine.runs.command_line import command_on
from engine.runs.differences import Setting
from engine.runs.directory import EVENTS, EXPERIMENT, read_environment
from engine.runs.experiments import is_missing
from engine.runs.facts import Facts, read_facts
from engine.runs.hold import holder
from engine.runs.process import is_alive, is_suspended
from engine.runs.summaries import Summaries

# From a process that leaves a run to the one that goes on with it: torch is imported in between.
_HANDOVER_S = 120.0
_TIME_PREFIX = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-", re.ASCII)
# What says that there is no such file, whereas any other error leaves it open.
_IS_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One run in a list."""

    name: str
    path: Path
    status: RunStatus
    """How it ended; `live` while a process has it; `stale` when none has and the run has no end; `unreadable` when
    this process cannot look."""
    paused: bool = False
    """Whether it is live, and holds until it is told to go on."""
    suspended: bool = False
    """Whether it is live, and its process is known to be stopped by a signal (SIGSTOP, Ctrl-Z)."""
    started: float = 0.0
    """Seconds since the epoch; 0 where that is not known."""
    experiment_name: str
    epoch: int = 0
    epochs: int = 0
    """How many it has since it was last gone on with; 0 before its first one began."""
    best: float | None = None
    """The best value of `monitor`."""
    best_epoch: int | None = None
    monitor: str = "val_loss"
    metrics: dict[str, float] = field(default_factory=dict)
    """What was measured in the best epoch, or in the last one where none is best; empty where that is not known."""
    settings: dict[str, Setting] = field(default_factory=dict)
    """The settings of its experiment by their paths, see differences."""
    seconds: float = 0.0
    """How long its sessions trained, all together, pauses included."""
    message: str = ""
    """Why it ended, as a sentence; empty while it is going."""
    better_than_baseline: bool | None = None
    """Whether its best epoch is better than predicting without a network; None where that is not known."""
    problem: str = ""
    """What is wrong with its folder, as a sentence; empty when nothing is."""


def list_runs(runs_dir: Path) -> list[RunSummary]:
    """Every run in a folder, the newest first. A folder that is not there holds none; what is no run is left out.

    Raises:
        Refused: the folder cannot be read. A run in it that cannot is in the list, and says so.
    """
    paths = _folders(runs_dir)
    summaries = Summaries(runs_dir)
    runs = [summary for path in paths if (summary := _summarize(path, summaries)) is not None]
    summaries.write()
    return sorted(runs, key=lambda run: (run.started, run.name), reverse=True)


def find_run(runs_dir: Path, text: str | None, *, live: bool = False) -> Path:
    """The run that is meant: by its name, a beginning of it, the experiment's name, or a path; the newest without one.

    Args:
        live: without a text, the newest of those that are going.

    Raises:
        Refused: there is none, or several; names them. Or it, or the folder, cannot be read.
    """
    path = _meant(runs_dir, text, live=live)
    try:
        _events_of(path)
        read_facts(path)
    except OSError as error:
        raise Refused(_unreadable(path, error)) from error
    return path


def _meant(runs_dir: Path, text: str | None, *, live: bool) -> Path:
    if text is None:
        runs = [run for run in list_runs(runs_dir) if run.status != "unreadable"]
        if not runs:
            fix = (
                "Train something: torchdeck train digits-cnn. Or say where runs are with --runs-dir or TORCHDECK_RUNS."
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
    meant = [name for name in names if name.startswith(text)] or [
        name for name in names if _TIME_PREFIX.sub("", name, count=1) == text
    ]
    if len(meant) == 1:
        return runs_dir / meant[0]
    if meant:
        shown = ", ".join(sorted(meant, reverse=True)[:5]) + (", …" if len(meant) > 5 else "")
        raise Refused(Mistake(text, f"{len(meant)} runs match this name", shown, "Write more of the name."))
    near = nearest(text, names)
    fix = f"Did you mean {near}?" if near else "See `torchdeck runs`."
    raise Refused(Mistake(text, f"no run in {runs_dir} has this name", "", fix))


def summarize(path: Path) -> RunSummary | None:
    """What one run's directory says of it; None when it is not a run."""
    return _summarize(path, None)


def _summarize(path: Path, summaries: Summaries | None) -> RunSummary | None:
    try:
        events = _events_of(path)
        if events is None:
            return None
        facts = summaries.get(path.name, events) if summaries is not None else None
        if facts is None:
            facts = read_facts(path)
            if summaries is not None:
                summaries.keep(path.name, events, facts)
        missing = is_missing(path)
    except OSError as error:
        problem = str(_unreadable(path, error))
        return RunSummary(name=path.name, path=path, status="unreadable", experiment_name=_named(path), problem=problem)
    if missing and facts.started is None:
        return None
    return _summary(path, facts, str(_without_experiment(path)) if missing else "")


def _summary(path: Path, facts: Facts, problem: str) -> RunSummary:
    process = holder(path)
    status = _status(facts, path, process)
    return RunSummary(
        name=path.name,
        path=path,
        status=status,
        paused=status == "live" and facts.held,
        suspended=status == "live" and process is not None and is_suspended(process),
        started=facts.started or _modified(path / EXPERIMENT),
        experiment_name=facts.experiment_name or _named(path),
        epoch=facts.epoch,
        epochs=facts.epochs,
        best=facts.best,
        best_epoch=facts.best_epoch,
        monitor=facts.monitor,
        metrics=facts.metrics,
        settings=facts.settings,
        seconds=facts.took(time.time() if status == "live" else None),
        message=facts.message if status != "live" else "",
        better_than_baseline=facts.better_than_baseline if status != "live" else None,
        problem=problem,
    )


def _status(facts: Facts, path: Path, process: Mapping[str, Any] | None) -> RunStatus:
    ended = facts.ended if facts.ended is not None else math.inf
    if facts.reason is not None and facts.reason is not Reason.DETACHED:
        # A session that goes on with a run has it from the first moment on, and says so when its model stands.
        gone_on_with = process is not None and process["heartbeat"] > ended
        return "live" if gone_on_with else cast(RunStatus, facts.reason.value)
    if process is None and facts.reason is Reason.DETACHED:
        # The process that leaves a run is there until the other one has it.
        return "live" if time.time() - ended < _HANDOVER_S and is_alive(read_environment(path)) else "stale"
    return "live" if process is not None else "stale"


def _folders(runs_dir: Path) -> list[Path]:
    """What lies in the folder of all runs and may be one."""
    try:
        with os.scandir(runs_dir) as entries:
            return [Path(entry.path) for entry in entries if not entry.name.startswith(".")]
    except FileNotFoundError:
        return []
    except OSError as error:
        found = f"the folder of runs cannot be read ({error.strerror or error})"
        fix = "Put that right, or name another folder with --runs-dir DIR or TORCHDECK_RUNS."
        raise Refused(Mistake(str(runs_dir), found, "", fix)) from error


def _is_run(path: Path) -> bool:
    try:
        return _events_of(path) is not None and (not is_missing(path) or read_facts(path).started is not None)
    except OSError:
        return True  # which cannot be told, so that whoever names it hears why


def _events_of(path: Path) -> os.stat_result | None:
    """How a run's events file looks; None where there is none.

    Raises:
        OSError: that cannot be told, or it is no file that a run writes.
    """
    try:
        events = os.stat(path / EVENTS, follow_symlinks=False)
    except ValueError:  # a name that no file can have
        return None
    except OSError as error:
        if error.errno in _IS_NOT_THERE:
            return None
        raise
    if not stat.S_ISREG(events.st_mode):
        raise OSError(f"its {EVENTS} is no regular file")
    return events


def _unreadable(path: Path, error: OSError) -> Mistake:
    fix = "Check that it is yours, or move it out of the folder of runs."
    return Mistake(str(path), f"it cannot be read ({error.strerror or error})", "", fix)


def _without_experiment(path: Path) -> Mistake:
    fix = f"`{command_on(path, 'resume')}` writes it again."
    return Mistake(str(path), f"its {EXPERIMENT} is missing", "its events still say what it was", fix)


def _named(path: Path) -> str:
    """The experiment's name, as a run's folder tells it."""
    return _TIME_PREFIX.sub("", path.name, count=1)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
