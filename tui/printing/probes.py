"""What probes say as lines of text."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.cells import cell_len

from engine.probes.records import (
    BatchDone,
    BatchStep,
    GradientsChecked,
    LayerChecked,
    RateFound,
    RateStep,
    Record,
)
from tui.quantities import left, number_text, right
from tui.tables.text import plain

EVERY = 10
"""Of so many steps one is printed for a person; with --json all of them."""

MARKS = {"passed": "✓", "kink": "~", "failed": "✗", "skipped": "-"}
"""How a check went, in one cell."""


def print_probe(records: Iterable[Record], *, as_json: bool) -> int:
    """Print what a probe says as it says it; the exit status: 1 where it found no rate, a mistake, or no memory."""
    status = 0
    for record in records:
        if as_json:
            print(record.to_json(), flush=True)
        elif text := probe_text(record):
            print(plain(text), flush=True)
        status = 0 if went_well(record) else 1
    return status


def went_well(record: Record) -> bool:
    """Whether the last record of a probe says what one hopes for."""
    match record:
        case RateFound():
            return record.lr is not None
        case GradientsChecked():
            return record.failed == 0
        case BatchDone():
            return record.memorised
    return True


def probe_text(record: Record) -> str:
    """A record for a person; empty for a step that is not printed."""
    match record:
        case RateStep():
            if record.step % EVERY:
                return ""
            return (
                f"step {record.step:>3}/{record.steps}  rate {record.lr:.2e}  loss {number_text(record.loss):<8}  "
                f"smoothed {number_text(record.smoothed)}"
            )
        case BatchStep():
            if record.step % EVERY:
                return ""
            return f"step {record.step:>3}/{record.steps}  loss {number_text(record.loss):<8}  score {record.score:.3f}"
        case LayerChecked():
            name = f"{record.number} {record.label}".strip()
            name = left(name, max(34, cell_len(name)))  # a line each as they come: one that is longer is not cut
            said = f"  {record.message}" if record.message else ""
            return f"{MARKS[record.outcome]} {name} {right(checked_text(record), 18)}{said}"
        case RateFound():
            head = [] if record.lr is None else [f"Suggested: {record.field} = {record.lr:g}"]
            return "\n".join([*head, record.message, *record.notes])
        case BatchDone():
            return "\n".join([record.message, *record.advice])
        case GradientsChecked():
            return record.message
    return ""


def checked_text(record: LayerChecked) -> str:
    """How much of a layer was checked, in few words."""
    if record.outcome == "skipped":
        return "skipped"
    return f"{record.elements:,} {'together' if record.fast else 'each'}"


def interrupted() -> int:
    """Say that Ctrl-C ended a probe; the exit status."""
    print("Interrupted.", file=sys.stderr)
    return 130
