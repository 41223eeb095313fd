"""Runs as text: the list, and one of them whole."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

from engine.runs import Follower, RunSummary, list_runs
from engine.runs.command_line import command_on
from engine.training.events import Epoch
from tui.printing.text import columns, json_line, plain
from tui.quantities import ago_text, number_text, span_text
from tui.run_status import STALE, shown

RESUMES_SHOWN = 3


def runs_as_text(runs_dir: Path) -> str:
    """The runs of a folder, newest first."""
    runs = list_runs(runs_dir)
    if not runs:
        return f"No runs in {runs_dir} yet. torchdeck train digits-cnn makes one."
    rows: list[tuple[str, ...]] = [("", "run", "state", "epochs", "best", "took", "when")]
    rows += [_row(run) for run in runs]
    stale = [plain(command_on(run.path, "resume")) for run in runs if run.status == "stale"]
    said = [columns(rows, right=(3, 5))]
    if stale:
        more = f"\n  and {len(stale) - RESUMES_SHOWN} more" if len(stale) > RESUMES_SHOWN else ""
        said.append("\n  ".join([f"Stale: {STALE} Go on with", *stale[:RESUMES_SHOWN]]) + more)
    return "\n\n".join(said)


def runs_as_json(runs_dir: Path) -> str:
    """The same as data."""
    return json_line([asdict(run) for run in list_runs(runs_dir)])


def run_as_text(path: Path) -> str:
    """One run: its experiment, its epochs, its end."""
    run = _summary(path)
    epochs = _epochs(path)
    names = list(epochs[0].metrics) if epochs else []
    rows = [["epoch", *names, "lr", "samples/s", ""]]
    for e in epochs:
        values = [number_text(e.metrics.get(name)) for name in names]
        mark = "◆ best" if run and e.epoch == epochs[-1].best_epoch else ""
        rows.append([str(e.epoch), *values, f"{e.lr:.2e}", f"{e.samples_per_s:,.0f}", mark])
    state = f"{shown(run).mark} {path.name}: {shown(run).word}. {run.message or ''}".rstrip() if run else path.name
    if run and run.status == "stale":
        state += f" {STALE} Go on with: {command_on(path, 'resume')}"
    experiment = plain((path / "experiment.toml").read_text(encoding="utf-8", errors="replace"))
    table = columns(rows, right=tuple(range(len(names) + 3))) if epochs else "No epoch was finished."
    return "\n\n".join([plain(state), experiment.rstrip(), table])


def run_as_json(path: Path) -> str:
    """The same as data."""
    run = _summary(path)
    epochs = [json.loads(e.to_json()) for e in _epochs(path)]
    return json_line({"run": asdict(run) if run else None, "epochs": epochs})


def _summary(path: Path) -> RunSummary | None:
    return next((run for run in list_runs(path.parent) if run.path == path), None)


def _epochs(path: Path) -> list[Epoch]:
    by_number = {e.epoch: e for e in Follower(path).drain() if isinstance(e, Epoch)}
    return [by_number[n] for n in sorted(by_number)]


def _row(run: RunSummary) -> tuple[str, ...]:
    best = f"{run.monitor} {number_text(run.best)}" if run.best is not None else ""
    epochs = f"{run.epoch}/{run.epochs}" if run.epochs else ""
    took = span_text(run.seconds) if run.seconds is not None else ""
    when = ago_text(run.started, time.time()) if run.started else ""
    state = shown(run)
    return (state.mark, run.name, state.word, epochs, best, took, when)
