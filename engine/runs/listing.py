"""Which runs there are, what became of each, and which one is meant. Reads the two ends of a run's events, no more."""

from __future__ import annotations

import json
import math
import os
import re
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from engine.experiment.mistakes import Mistake, Refused, nearest
from engine.runs.directory import EVENTS, EXPERIMENT, read_environment
from engine.runs.hold import holder
from engine.runs.process import is_alive
from engine.runs.summaries import Facts, Summaries

Status = Literal["live", "completed", "early_stopped", "stopped", "interrupted", "failed", "stale"]

_HEAD_BYTES = 16 << 10
_HEAD_MAX_BYTES = 1 << 20
_TAIL_BYTES = 8 << 10
_TAIL_MAX_BYTES = 4 << 20
# From a process that leaves a run to the one that goes on with it: torch is imported in between.
_HANDOVER_S = 120.0
_TIME_PREFIX = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One run in a list."""

    name: str
    path: Path
    status: Status
    """How it ended; `live` while a process has it; `stale` when none has and the run has no end."""
    paused: bool
    """Whether it is live, and holds until it is told to go on."""
    started: float
    """Seconds since the epoch."""
    experiment_name: str
    epoch: int
    epochs: int
    best: float | None
    """The best value of `monitor`."""
    best_epoch: int | None
    monitor: str
    seconds: float
    """How long it trained, or has been there if it has no end."""
    message: str


def list_runs(runs_dir: Path) -> list[RunSummary]:
    """Every run in a folder, the newest first. A folder that is not there holds none; what is no run is left out."""
    try:
        paths = [Path(entry.path) for entry in os.scandir(runs_dir) if not entry.name.startswith(".")]
    except OSError:
        return []
    summaries = Summaries(runs_dir)
    runs = [summary for path in paths if (summary := _summarize(path, summaries)) is not None]
    summaries.write()
    return sorted(runs, key=lambda run: (run.started, run.name), reverse=True)


def find_run(runs_dir: Path, text: str | None, *, live: bool = False) -> Path:
    """The run that is meant: by its name, a beginning of it, the experiment's name, or a path; the newest without one.

    Args:
        live: without a text, the newest of those that are going.

    Raises:
        Refused: there is none, or several; names them.
    """
    if text is None:
        runs = list_runs(runs_dir)
        if not runs:
            fix = (
                "Train something: torchdeck train digits-cnn. Or say where runs are with --runs-dir or TORCHDECK_RUNS."
            )
            raise Refused(Mistake(str(runs_dir), "there is no run", "", fix))
        if live:
            runs = [run for run in runs if run.status == "live"]
            if not runs:
                raise Refused(Mistake(str(runs_dir), "no run is going", "", "See `torchdeck runs`."))
        return runs[0].path
    if os.sep in text or text in ("", ".", ".."):
        path = Path(text)
        if text and _is_run(path):
            return path.absolute()
        raise Refused(
            Mistake(text, "this is not a run", f"a run holds {EXPERIMENT} and {EVENTS}", "See `torchdeck runs`.")
        )
    names = _names(runs_dir)
    if text in names:
        return runs_dir / text
    meant = [name for name in names if name.startswith(text)] or [
        name for name in names if _TIME_PREFIX.sub("", name, count=1) == text
    ]
    if len(meant) == 1:
        return runs_dir / meant[0]
    if meant:
        shown = ", ".join(sorted(meant, reverse=True)[:5]) + (", …" if len(meant) > 5 else "")
        raise Refused(Mistake(text, f"{len(meant)} runs are called so", shown, "Write more of the name."))
    near = nearest(text, names)
    fix = f"Did you mean {near}?" if near else "See `torchdeck runs`."
    raise Refused(Mistake(text, f"no run in {runs_dir} is called so", "", fix))


def summarize(path: Path) -> RunSummary | None:
    """What one run's directory says of it; None when it is not a run."""
    return _summarize(path, None)


def _summarize(path: Path, summaries: Summaries | None) -> RunSummary | None:
    events = _events_of(path)
    if events is None:
        return None
    facts = summaries.get(path.name, events) if summaries is not None else None
    if facts is None:
        start, ends = _ends(path / EVENTS)
        facts = {"start": _about(start), "ends": ends}
        if summaries is not None:
            summaries.keep(path.name, events, facts)
    return _summary(path, facts, events.st_mtime)


def _about(start: dict[str, Any]) -> dict[str, Any]:
    """What is shown of how a run started."""
    experiment = _dict(start.get("experiment"))
    stopping = _dict(_dict(experiment.get("training")).get("early_stopping"))
    return {
        "time": start.get("time"),
        "epochs": start.get("epochs"),
        "name": experiment.get("name"),
        "monitor": stopping.get("monitor"),
    }


def _summary(path: Path, facts: Facts, written: float) -> RunSummary:
    start = _dict(facts.get("start"))
    ends = {kind: _dict(event) for kind, event in _dict(facts.get("ends")).items()}
    epoch, finished = ends.get("epoch", {}), ends.get("finished", {})
    latest = finished or ends.get("step") or epoch
    started = _finite(start.get("time")) or _modified(path / EXPERIMENT)
    status = _status(finished, path)
    best_of = finished if finished.get("best") is not None else epoch
    seconds = _finite(finished.get("seconds"))
    if seconds is None:
        seconds = max(0.0, (time.time() if status == "live" else written) - started)
    return RunSummary(
        name=path.name,
        path=path,
        status=status,
        paused=status == "live" and _holds(ends),
        started=started,
        experiment_name=str(start.get("name") or _TIME_PREFIX.sub("", path.name, count=1)),
        epoch=_count(latest.get("epoch")) or 0,
        epochs=_count(start.get("epochs")) or 0,
        best=_number(best_of.get("best")),
        best_epoch=_count(best_of.get("best_epoch")),
        monitor=str(start.get("monitor") or "val_loss"),
        seconds=seconds,
        message=str(finished.get("message") or ""),
    )


def _status(finished: dict[str, Any], path: Path) -> Status:
    process = holder(path)
    reason = finished.get("reason")
    if reason in ("completed", "early_stopped", "stopped", "interrupted", "failed"):
        # A session that goes on with a run has it from the first moment on, and says so when its model stands.
        gone_on_with = process is not None and process["heartbeat"] > (_finite(finished.get("time")) or math.inf)
        return "live" if gone_on_with else reason
    if process is None and reason == "detached":
        # The process that leaves a run is there until the other one has it.
        since_s = time.time() - (_finite(finished.get("time")) or 0.0)
        return "live" if since_s < _HANDOVER_S and is_alive(read_environment(path)) else "stale"
    return "live" if process is not None else "stale"


def _holds(ends: dict[str, dict[str, Any]]) -> bool:
    """Whether nothing was trained since the run was told to pause."""
    asked = ends.get("command", {})
    return asked.get("command") == "pause" and (_count(ends.get("step", {}).get("step")) or 0) <= (
        _count(asked.get("step")) or 0
    )


def _ends(path: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The first `run_started`; the last event of each kind since the last one.

    Of commands that is the last `pause` or `continue`.
    """
    try:
        with path.open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            return _first_line(file.fileno(), size), _last_events(file.fileno(), size)
    except OSError:
        return {}, {}


def _first_line(descriptor: int, size: int) -> dict[str, Any]:
    length = _HEAD_BYTES
    while True:
        head = os.pread(descriptor, length, 0)
        for line in head.split(b"\n")[:-1]:
            event = _event(line)
            if event.get("event") == "run_started":
                return event
        if length >= min(size, _HEAD_MAX_BYTES):
            return {}
        length *= 8


def _last_events(descriptor: int, size: int) -> dict[str, dict[str, Any]]:
    length = _TAIL_BYTES
    while True:
        offset = max(0, size - length)
        lines = os.pread(descriptor, length, offset).split(b"\n")
        # The first is the end of a line, unless the whole file was read; the last is not complete.
        last: dict[str, dict[str, Any]] = {}
        for line in reversed(lines[1 if offset else 0 : -1]):
            event = _event(line)
            kind = event.get("event")
            if kind == "command" and event.get("command") not in ("pause", "continue"):
                continue
            if kind in ("finished", "epoch", "step", "command", "run_started") and kind not in last:
                if kind == "finished" and last:
                    continue  # the end of an earlier part: the run was gone on with
                last[kind] = event
            if "run_started" in last or ("epoch" in last and ("finished" in last or "step" in last)):
                return last
        if not offset or length >= _TAIL_MAX_BYTES or ("finished" in last and last["finished"].get("best") is not None):
            return last
        length *= 8


def _event(line: bytes) -> dict[str, Any]:
    try:
        return _dict(json.loads(line))
    except (ValueError, RecursionError):
        return {}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> float | None:
    """A number as events write it: one that is not finite is a string."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return None
    return float(value) if value in ("NaN", "Infinity", "-Infinity") else None


def _finite(value: Any) -> float | None:
    number = _number(value)
    return number if number is not None and math.isfinite(number) else None


def _count(value: Any) -> int | None:
    number = _finite(value)
    return None if number is None else int(number)


def _names(runs_dir: Path) -> list[str]:
    try:
        return [e.name for e in os.scandir(runs_dir) if not e.name.startswith(".") and _is_run(Path(e.path))]
    except OSError:
        return []


def _is_run(path: Path) -> bool:
    return _events_of(path) is not None


def _events_of(path: Path) -> os.stat_result | None:
    """How a run's events file looks; None where there is no run."""
    # Both: somebody's own folder may well hold an experiment.toml, and runs can be removed.
    try:
        events = (path / EVENTS).stat()
        return events if stat.S_ISREG(events.st_mode) and (path / EXPERIMENT).is_file() else None
    except (OSError, ValueError):  # somebody else's, in a folder that is shared; or a name that no file can have
        return None


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
