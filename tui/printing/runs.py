"""Runs as text: the list of runs, and one run in full."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from engine import (
    Draft,
    Epoch,
    Follower,
    RunSummary,
    command_for,
    dumps,
    experiment_of,
    list_runs,
    run_differences,
    summarize,
)
from tui.quantities import number_text, span_text
from tui.rows.runs import best_text, epochs_text, metric_text, started_text
from tui.run_status import NO_BETTER, NO_BETTER_MEANS, STALE, shown
from tui.tables.fitted_columns import Column, fitted, natural_width
from tui.tables.text import columns, json_line, plain

LINES_SHOWN = 3


def runs_as_text(runs_dir: Path, width: int | None = None) -> str:
    """The runs of a folder, newest first, then the commands for stale runs and the problems.

    Args:
        width: the width of the terminal in cells. Without it, nothing is cut or left out.
    """
    runs = list_runs(runs_dir)
    if not runs:
        return f"There are no runs in {runs_dir}. torchdeck train digits-cnn trains one."
    blocks = [_table(runs, width)]
    if stale := [command_for(run.path, "resume") for run in runs if run.status == "stale"]:
        blocks.append(_lines(f"Stale: {STALE} Resume with", stale))
    if poor := [run.name for run in runs if shown(run) is NO_BETTER]:
        blocks.append(_lines(f"No better: {NO_BETTER_MEANS} Compare with: torchdeck runs show RUN", poor))
    if wrong := [run.problem for run in runs if run.problem]:
        blocks.append(_lines("Problems:", wrong))
    return "\n\n".join(blocks)


def _table(runs: Sequence[RunSummary], width: int | None) -> str:
    now = time.time()
    different, metrics = run_differences(runs), [metric_text(run) for run in runs]
    table = [
        Column(cells=["", *(shown(run).mark for run in runs)]),
        Column(cells=["run", *(plain(run.name) for run in runs)], at_least=30),
        Column(cells=["state", *(shown(run).word for run in runs)]),
        Column(cells=["epochs", *map(epochs_text, runs)], is_number=True, rank=1),
        Column(cells=["best", *(plain(best_text(run)) for run in runs)], rank=2),
        Column(cells=["metric" if any(metrics) else "", *map(plain, metrics)], rank=5),
        Column(
            cells=["took", *(span_text(run.seconds) if run.started else "" for run in runs)], is_number=True, rank=6
        ),
        Column(cells=["started", *(started_text(run, now) for run in runs)], rank=4),
        Column(cells=["differs in" if any(different) else "", *map(plain, different)], at_least=12, rank=3),
    ]
    room = natural_width(table) if width is None else min(width, natural_width(table))
    return "\n".join("".join(row).rstrip() for row in fitted(table, room))


def _lines(title: str, lines: Sequence[str]) -> str:
    more = [f"and {len(lines) - LINES_SHOWN} more"] if len(lines) > LINES_SHOWN else []
    return "\n  ".join([title, *map(plain, lines[:LINES_SHOWN]), *more])


def runs_as_json(runs_dir: Path) -> str:
    """The same as JSON."""
    return json_line([asdict(run) for run in list_runs(runs_dir)])


def run_as_text(path: Path) -> str:
    """One run: its state or end, its current experiment, its epochs."""
    run = summarize(path)
    if run is None:  # it was removed meanwhile
        return f"{plain(path.name)}: this is not a run."
    epochs = _epochs(path)
    names = list(epochs[0].metrics) if epochs else []
    rows = [["epoch", *names, "lr", "samples/s", ""]]
    for e in epochs:
        values = [number_text(e.metrics.get(name)) for name in names]
        mark = "◆ best" if e.epoch == epochs[-1].best_epoch else ""
        rows.append([str(e.epoch), *values, f"{e.lr:.2e}", f"{e.samples_per_s:,.0f}", mark])
    table = columns(rows, right=tuple(range(len(names) + 3))) if epochs else "No epoch is complete."
    blocks = [plain(_state(run)), plain(run.problem), plain(_experiment(experiment_of(path))), table]
    return "\n\n".join(filter(None, blocks))


def run_as_json(path: Path) -> str:
    """The same as JSON."""
    run, experiment = summarize(path), experiment_of(path).experiment
    return json_line(
        {
            "run": asdict(run) if run else None,
            "experiment": experiment.model_dump(mode="json", exclude_none=True) if experiment else None,
            "epochs": [json.loads(e.to_json()) for e in _epochs(path)],
        }
    )


def _state(run: RunSummary) -> str:
    state = f"{shown(run).mark} {run.name}: {shown(run).word}"
    if run.status == "stale":
        return f"{state}: {STALE} Resume it with: {command_for(run.path, 'resume')}"
    return f"{state}. {run.message}".rstrip()


def _experiment(draft: Draft) -> str:
    """The experiment as TOML; a damaged one as its text, with its mistakes."""
    if draft.experiment is not None and draft.overrides and not draft.mistakes:
        return f"# Changed by resumes: {', '.join(draft.overrides)}\n\n{dumps(draft.experiment).rstrip()}"
    return "\n\n".join(filter(None, [draft.text.rstrip(), *map(str, draft.mistakes)]))


def _epochs(path: Path) -> list[Epoch]:
    follower, by_number = Follower(path), dict[int, Epoch]()
    while not follower.caught_up:
        by_number |= {e.epoch: e for e in follower.drain() if isinstance(e, Epoch)}
    return [by_number[n] for n in sorted(by_number)]
