"""The word and the mark of each run status, in tables and on screens. They are distinct without colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from engine import RunSummary


class Shown(NamedTuple):
    """How a status is shown."""

    mark: str
    colour: str
    """The name of a variable of the theme."""
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
"""States of runs that ended early, and can be resumed."""
PAUSED = Shown("‖", "$text-warning", "paused")
SUSPENDED = Shown("‖", "$text-warning", "suspended")
NO_BETTER = Shown("≈", "$text-warning", "no better")
"""It completed, but its best epoch is not better than its baseline."""
NO_BETTER_MEANS = "no better than its baseline, which predicts without a network."


def shown(run: RunSummary) -> Shown:
    """How the status of a run is shown."""
    if run.suspended:
        return SUSPENDED
    if run.status in ("completed", "early_stopped") and run.better_than_baseline is False:
        return NO_BETTER
    return PAUSED if run.paused else STATUS[run.status]
