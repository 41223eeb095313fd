"""The columns of a list of runs, on the home screen and for `torchdeck runs`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tui.quantities import ago_text, number_text
from tui.run_status import shown
from tui.tables.fitted_columns import Column, fitted
from tui.tables.text import plain

if TYPE_CHECKING:
    from engine import RunSummary

_DATE = re.compile(r"\d{4}-\d\d-\d\dT(?=\d\d-\d\d-\d\d-)", re.ASCII)
_NAMED_FROM = 54
"""The least width in which values are shown with the name of their metric."""


def epochs_text(run: RunSummary) -> str:
    """Return the completed and the planned epochs: `12/30`."""
    return f"{run.epoch}/{run.epochs}" if run.epochs else ""


def best_text(run: RunSummary, *, named: bool = True) -> str:
    """Return the best value of the monitored metric: `val_loss 0.0731`."""
    if run.best is None:
        return ""
    return f"{run.monitor} {number_text(run.best)}" if named else number_text(run.best)


def metric_text(run: RunSummary) -> str:
    """Return the first metric of the task in the best epoch: `accuracy 0.981`; empty if it is the monitored one."""
    names = [name for name in run.metrics if not name.endswith("_loss")]
    name = next((name for name in names if name.startswith("val_")), names[0] if names else "")
    if not name or name == run.monitor:
        return ""
    return f"{name.removeprefix('val_')} {number_text(run.metrics[name])}"


def started_text(run: RunSummary, now: float) -> str:
    """Return how long ago a run started."""
    return ago_text(run.started, now) if run.started else ""


def run_cells(runs: Sequence[RunSummary], now: float, width: int) -> list[list[str]]:
    """Return the padded cells of each run: mark and name, differences, epochs, best value, metric, age.

    A run has the name of its experiment. Runs that would look the same have the names of their folders, which start
    with the time.
    """
    from engine import run_differences

    names = [plain(run.experiment_name or run.name) for run in runs]
    different = [plain(text) for text in run_differences(runs)]
    rows = _fitted(runs, names, different, now, width, shortest=8)
    looks = [tuple(row) for row in rows]
    alike = [looks.count(look) > 1 for look in looks]
    if any(alike):
        names = [
            plain(_DATE.sub("", run.name)) if same else name for run, name, same in zip(runs, names, alike, strict=True)
        ]
        rows = _fitted(runs, names, different, now, width, shortest=22)
    return rows


def _fitted(
    runs: Sequence[RunSummary],
    names: Sequence[str],
    different: Sequence[str],
    now: float,
    width: int,
    *,
    shortest: int,
) -> list[list[str]]:
    columns = [
        Column(
            cells=[f"{shown(run).mark} {name}" for run, name in zip(runs, names, strict=True)], at_least=shortest + 2
        ),
        Column(cells=different, at_least=12, rank=4),
        Column(cells=[epochs_text(run) for run in runs], is_number=True, rank=2),
        Column(cells=[best_text(run, named=width >= _NAMED_FROM) for run in runs], rank=3),
        Column(cells=[metric_text(run) for run in runs], rank=5),
        Column(cells=[started_text(run, now) for run in runs], is_number=True, rank=1),
    ]
    return fitted(columns, width)
