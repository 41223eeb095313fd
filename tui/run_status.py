"""What a run's status is called and marked with, in tables and on screens. Told apart without colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from engine.runs import RunSummary


class Shown(NamedTuple):
    """How one status is shown."""

    mark: str
    colour: str
    """A variable of the theme."""
    word: str


STATUS = {
    "live": Shown("●", "$text-success", "training"),
    "completed": Shown("✓", "$text-success", "completed"),
    "early_stopped": Shown("✓", "$text-success", "stopped early"),
    "stopped": Shown("■", "$text-warning", "stopped"),
    "interrupted": Shown("■", "$text-warning", "interrupted"),
    "failed": Shown("✗", "$text-error", "failed"),
    "stale": Shown("?", "$text-warning", "stale"),
    "unreadable": Shown("!", "$text-error", "unreadable"),
}
STALE = "its process exited unexpectedly."
RESUMABLE = frozenset({"stopped", "interrupted", "stale"})
"""Runs that have come to no end of their own, and can be gone on with."""
PAUSED = Shown("‖", "$text-warning", "paused")
SUSPENDED = Shown("‖", "$text-warning", "suspended")
NO_BETTER = Shown("≈", "$text-warning", "no better")
"""It came to its end, and learned nothing that its baseline does not know."""
NO_BETTER_MEANS = "no better than its baseline, which predicts without a network."


def shown(run: RunSummary) -> Shown:
    """How the state of a run is shown."""
    if run.suspended:
        return SUSPENDED
    if run.status in ("completed", "early_stopped") and run.better_than_baseline is False:
        return NO_BETTER
    return PAUSED if run.paused else STATUS[run.status]
