"""The records of probes as lines of text."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.cells import cell_len

from engine import BatchDone, BatchStep, GradientsChecked, LayerChecked, ProbeRecord, RateFound, RateStep
from tui.quantities import left, number_text, right
from tui.tables.text import plain

STEPS_PER_LINE = 10
"""One of so many steps is printed as text; with --json every step is."""

MARKS = {"passed": "✓", "kink": "~", "failed": "✗", "skipped": "-"}
"""The outcome of a check, in one cell."""


def print_probe(records: Iterable[ProbeRecord], *, as_json: bool) -> int:
    """Print the records of a probe as they arrive; returns the exit status, 0 if the last one is a success, else 1."""
    status = 0
    for record in records:
        if as_json:
            print(record.to_json(), flush=True)
        elif text := probe_text(record):
            print(plain(text), flush=True)
        status = 0 if succeeded(record) else 1
    return status


def succeeded(record: ProbeRecord) -> bool:
    """Whether the last record of a probe is a success: a rate, right gradients, a memorized batch."""
    match record:
        case RateFound():
            return record.lr is not None
        case GradientsChecked():
            return record.failed == 0
        case BatchDone():
            return record.memorised
    return True


def probe_text(record: ProbeRecord) -> str:
    """A record as text; empty for a step that is not printed."""
    match record:
        case RateStep():
            if record.step % STEPS_PER_LINE:
                return ""
            return (
                f"step {record.step:>3}/{record.steps}  rate {record.lr:.2e}  loss {number_text(record.loss):<8}  "
                f"smoothed {number_text(record.smoothed)}"
            )
        case BatchStep():
            if record.step % STEPS_PER_LINE:
                return ""
            return f"step {record.step:>3}/{record.steps}  loss {number_text(record.loss):<8}  score {record.score:.3f}"
        case LayerChecked():
            name = f"{record.number} {record.label}".strip()
            name = left(name, max(34, cell_len(name)))  # layers arrive one at a time, so a longer name is not cut
            message = f"  {record.message}" if record.message else ""
            return f"{MARKS[record.outcome]} {name} {right(checked_text(record), 18)}{message}"
        case RateFound():
            head = [] if record.lr is None else [f"Suggested: {record.field} = {record.lr:g}"]
            return "\n".join([*head, record.message, *record.notes])
        case BatchDone():
            return "\n".join([record.message, *record.advice])
        case GradientsChecked():
            return record.message
    return ""


def checked_text(record: LayerChecked) -> str:
    """How many gradients of a layer were checked, and how."""
    if record.outcome == "skipped":
        return "skipped"
    return f"{record.elements:,} {'together' if record.fast else 'each'}"


def interrupted() -> int:
    """Report that Ctrl-C ended a probe; returns the exit status."""
    print("Interrupted.", file=sys.stderr)
    return 130
