"""What a run answers to what it was asked, as a sentence for a person."""

from __future__ import annotations

from engine.protocol.events import CommandDone

_SENTENCES = {
    "paused": "Paused {at}.",
    "going on": "Continued {at}.",
    "saving": "Saving a checkpoint {at}.",
    "stopped": "Stopped by hand; everything is being saved.",
    "interrupted": "Interrupted; everything is being saved.",
    "detached": "Saved; it continues in another process.",
}
"""By what is recorded in events.jsonl, which programs read."""


def answer_text(answer: CommandDone) -> str:
    """What came of a command: "Paused at step 40, in epoch 2." What has no words of its own is said as it came."""
    outcome = answer.outcome
    if outcome in _SENTENCES:
        return _SENTENCES[outcome].format(at=f"at step {answer.step}, in epoch {answer.epoch}")
    return f"{outcome[:1].upper()}{outcome[1:].removesuffix('.')}."
