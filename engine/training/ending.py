"""How a run ended, in a sentence."""

from __future__ import annotations

from typing import Literal

from engine.protocol.events import Reason
from engine.training.learner import Position
from engine.training.stopping import Stopping

Kept = Literal["best", "averaged", "last"]
"""Which weights a run hands over."""

_NOT_SAVED = "the last checkpoint could not be written, the one before it is kept"


def how_it_ended(
    reason: Reason,
    at: Position,
    stopping: Stopping,
    *,
    kept: Kept,
    compared: str,
    saved: bool,
) -> str:
    """The message of a `finished` event, of a run that did not fail.

    Args:
        compared: how they do against the baselines; empty if nothing can be said of that.
        saved: whether all that was to be saved lies on the disk.
    """
    if reason is Reason.INTERRUPTED:
        how = "everything is saved" if saved else _NOT_SAVED
        return f"Interrupted at step {at.step}, in epoch {at.epochs_begun}; {how}."
    if reason is Reason.DETACHED:
        return f"Moved to another process at step {at.step}, in epoch {at.epochs_begun}."
    how = {
        Reason.COMPLETED: f"Trained {at.epochs_begun} epoch{'s' * (at.epochs_begun != 1)}",
        Reason.STOPPED: f"Stopped by hand at step {at.step}, in epoch {at.epochs_begun}",
        Reason.EARLY_STOPPED: f"Stopped early after epoch {at.epochs_begun}: {stopping.why}",
    }[reason]
    clauses = [how]
    if stopping.best is not None:
        clauses.append(f"best {stopping.monitor} {stopping.best:.4g} at epoch {stopping.best_epoch}")
    elif reason is not Reason.EARLY_STOPPED and stopping.without_best:
        clauses.append(stopping.without_best)
    if kept == "best":
        clauses[-1] += ", whose weights are kept"
    elif kept == "averaged":
        clauses.append("the averaged weights are kept")
    if compared:
        clauses.append(compared)
    if not saved:
        clauses.append(_NOT_SAVED)
    return f"{'; '.join(clauses)}."
