"""The texts of the home screen, as functions of the presets and the runs. No widgets and no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from engine import Preset
from tui.quantities import left, span_text
from tui.rows.design import MUTED, PARTS, WRONG, general_mistakes, mistakes_of, part_text, totals
from tui.rows.explanations import LOADING
from tui.rows.runs import best_text, metric_text, run_cells
from tui.run_status import shown
from tui.tables.columns import NAME_AND_SUMMARY, table

if TYPE_CHECKING:
    from engine import Draft, Plan, RunSummary

NO_RUNS = "No runs yet.\n\nChoose a preset. Press t to train it, or enter to see its plan first."


def preset_rows(presets: Sequence[Preset], width: int) -> list[Content]:
    """Return a row for each preset: name and summary."""
    return table([(preset.name, (preset.summary, MUTED)) for preset in presets], NAME_AND_SUMMARY, width)


def run_rows(runs: Sequence[RunSummary], now: float, width: int) -> list[Content]:
    """Return a row for each run, see `rows.runs`; columns without room are left out."""
    rows = []
    for run, (name, *cells, age) in zip(runs, run_cells(runs, now, width) if runs else (), strict=True):
        rows.append(Content.assemble((name[:1], shown(run).colour), name[1:], *cells, (age, MUTED)))
    return rows


def preset_panel(preset: Preset, draft: Draft, plan: Plan | None, width: int, *, failure: str = "") -> Content:
    """Return the details of a preset: its summary, its parts, and the size of its model once it was checked."""
    experiment = draft.experiment
    lines: list[Content | str] = [preset.summary]
    size: Content | str = Content.styled(LOADING, MUTED)
    if failure:
        size = Content.styled(failure, WRONG)
    elif plan is not None:
        size = Content.styled(" · ".join(filter(None, totals(plan, width))), "bold")
    wrong = mistakes_of(draft, plan)
    if wrong:
        count = f"{len(wrong)} mistake{'s' if len(wrong) > 1 else ''}: enter shows {'them' if len(wrong) > 1 else 'it'}"
        size = Content.styled(f"✗ {count}", WRONG)
    lines += [size]
    if experiment is not None:
        lines.append("")
        for part, name in PARTS.items():
            text = part_text(part, experiment, plan)
            parts = flowed((text.value, *text.details), width - 11)
            lines.append(Content.assemble((left(name, 11), MUTED), f"\n{' ' * 11}".join(parts)))
    else:
        lines += [Content.styled(str(mistake), WRONG) for mistake in general_mistakes(draft, plan)]
    return Content("\n").join(lines)


def flowed(items: Sequence[str], width: int) -> list[str]:
    """Join items with dots, as many in a line as fit.

    >>> flowed(("30 epochs", "690 steps", "patience 8"), 24)
    ['30 epochs · 690 steps ·', 'patience 8']
    """
    lines = [items[0]]
    for item in items[1:]:
        if len(lines[-1]) + 3 + len(item) <= width:
            lines[-1] += f" · {item}"
        else:
            lines[-1] += " ·"
            lines.append(item)
    return lines


def run_panel(run: RunSummary, width: int) -> Content:
    """Return the details of a run: how and why it ended, its best value, its duration and its folder."""
    mark, colour, word = shown(run)
    lines: list[Content | str] = [Content.assemble((f"{mark} {word}", colour), f"  {run.experiment_name}")]
    lines += [run.message] if run.message else []
    lines += [Content.styled(run.problem, WRONG)] if run.problem else []
    rows = [("epochs", f"{run.epoch} of {run.epochs}" if run.epochs else "")]
    rows += [("best", " · ".join(filter(None, (best_text(run), metric_text(run)))))]
    rows += [("took", span_text(run.seconds) if run.seconds else "")]
    lines += [""] + [Content.assemble((left(name, 11), MUTED), text) for name, text in rows if text]
    lines.append(Content.assemble((left("folder", 11), MUTED), str(run.path)))
    return Content("\n").join(lines)
