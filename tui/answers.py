"""Sentences for what a run did with a command."""

from __future__ import annotations

from typing import assert_never

from engine import (
    CheckpointFailed,
    CheckpointSaved,
    CheckpointStarted,
    CommandDone,
    CommandRefused,
    Continued,
    Ending,
    LRChanged,
    MemoryReleased,
    Paused,
    Reason,
    TextOutcome,
)

_ENDINGS = {
    Reason.STOPPED: "Stopped by hand; everything is being saved.",
    Reason.INTERRUPTED: "Interrupted; everything is being saved.",
    Reason.DETACHED: "Saved; it continues in another process.",
}
_REFUSALS = {
    "cannot_save": "Refused: the run cannot be saved at this moment, so it stays in this process.",
    "cannot_detach": "Refused: a run ends with its process.",
}


def answer_text(answer: CommandDone) -> str:
    """The outcome of a command as a sentence: "Paused at step 40, in epoch 2."."""
    at = f"at step {answer.step}, in epoch {answer.epoch}"
    match answer.outcome:
        case LRChanged(before=before, after=after):
            return f"Learning rate {before:.3g} → {after:.3g}."
        case Paused():
            return f"Paused {at}."
        case MemoryReleased(device=device):
            return f"Paused; {device} is free for other processes."
        case Continued():
            return f"Continued {at}."
        case CheckpointStarted():
            return f"Saving a checkpoint {at}."
        case CheckpointSaved():
            return "The checkpoint of the pause is saved."
        case CheckpointFailed():
            return "The checkpoint cannot be written; the run tries again."
        case Ending(reason=reason):
            return _ENDINGS.get(reason) or f"{reason.replace('_', ' ').capitalize()}."
        case CommandRefused(reason=reason):
            return _REFUSALS[reason]
        case TextOutcome(text=text):
            return f"{text[:1].upper()}{text[1:].removesuffix('.')}."
        case other:
            assert_never(other)
