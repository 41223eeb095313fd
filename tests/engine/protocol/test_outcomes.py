"""Outcomes of commands: what is written, and what earlier versions wrote."""

from __future__ import annotations

import json
import math

import pytest

from engine.protocol.events import CommandDone, event_from_json
from engine.protocol.outcomes import (
    CheckpointFailed,
    CheckpointSaved,
    CheckpointStarted,
    CommandRefused,
    Continued,
    Ending,
    LRChanged,
    MemoryReleased,
    Paused,
    Text,
    outcome_from_text,
)
from engine.protocol.states import Reason
from tui.answers import answer_text

SHOWN = {
    LRChanged(before=1e-3, after=5e-4): "Learning rate 0.001 → 0.0005.",
    Paused(): "Paused at step 40, in epoch 2.",
    MemoryReleased(device="cuda:0"): "Paused; cuda:0 is free for other processes.",
    Continued(): "Continued at step 40, in epoch 2.",
    CheckpointStarted(): "Saving a checkpoint at step 40, in epoch 2.",
    CheckpointSaved(): "The checkpoint of the pause is saved.",
    CheckpointFailed(): "The checkpoint cannot be written; the run tries again.",
    Ending(reason=Reason.STOPPED): "Stopped by hand; everything is being saved.",
    Ending(reason=Reason.INTERRUPTED): "Interrupted; everything is being saved.",
    Ending(reason=Reason.DETACHED): "Saved; it continues in another process.",
    Ending(reason=Reason.EARLY_STOPPED): "Early stopped.",
    CommandRefused(reason="cannot_save"): (
        "Refused: the run cannot be saved at this moment, so it stays in this process."
    ),
    CommandRefused(reason="cannot_detach"): "Refused: a run ends with its process.",
    Text(text="something else"): "Something else.",
}

OF_EARLIER_VERSIONS = {
    "learning rate 0.001 → 0.0005": LRChanged(before=1e-3, after=5e-4),
    "learning rate 0.01 → 1e-05": LRChanged(before=1e-2, after=1e-5),
    "learning rate 0 → 1e+03": LRChanged(before=0, after=1e3),
    "learning rate inf → 0.1": LRChanged(before=math.inf, after=0.1),
    "paused": Paused(),
    "paused; cuda:0 is free for other processes": MemoryReleased(device="cuda:0"),
    "paused; mps is left to others": MemoryReleased(device="mps"),
    "going on": Continued(),
    "saving": CheckpointStarted(),
    "saved, as it was paused": CheckpointSaved(),
    "not saved: it cannot be written, and is tried again": CheckpointFailed(),
    "stopped": Ending(reason=Reason.STOPPED),
    "interrupted": Ending(reason=Reason.INTERRUPTED),
    "detached": Ending(reason=Reason.DETACHED),
    "early_stopped": Ending(reason=Reason.EARLY_STOPPED),
    "completed": Ending(reason=Reason.COMPLETED),
    "failed": Ending(reason=Reason.FAILED),
    "refused: this moment cannot be saved, so the run goes on where it is": CommandRefused(reason="cannot_save"),
    "refused: a session ends with the process that it is in": CommandRefused(reason="cannot_detach"),
    "": Text(text=""),
    "the run has ended": Text(text="the run has ended"),
    "learning rate 0.1": Text(text="learning rate 0.1"),
    "learning rate a → b": Text(text="learning rate a → b"),
}


def command_done(outcome) -> CommandDone:
    return CommandDone(time=1, command="pause", epoch=2, step=40, outcome=outcome)


@pytest.mark.parametrize("outcome", SHOWN, ids=repr)
def test_an_outcome_is_the_same_after_json(outcome):
    event = command_done(outcome)
    assert json.loads(event.to_json())["outcome"]["code"] == outcome.code
    assert event_from_json(event.to_json()) == event


@pytest.mark.parametrize("outcome", SHOWN, ids=repr)
def test_an_outcome_is_shown_as_a_sentence(outcome):
    assert answer_text(command_done(outcome)) == SHOWN[outcome]


@pytest.mark.parametrize("text", OF_EARLIER_VERSIONS)
def test_outcomes_that_earlier_versions_wrote_as_text_are_read(text):
    assert outcome_from_text(text) == OF_EARLIER_VERSIONS[text]
    line = json.dumps({"event": "command", "command": "pause", "epoch": 1, "step": 1, "time": 1, "outcome": text})
    assert event_from_json(line).outcome == OF_EARLIER_VERSIONS[text]


def test_a_learning_rate_that_is_not_finite_is_written_as_json():
    line = command_done(LRChanged(before=math.inf, after=1.0)).to_json()
    assert json.loads(line)["outcome"]["before"] == "Infinity"
    assert event_from_json(line).outcome.before == math.inf


@pytest.mark.parametrize("outcome", [{"code": "unknown"}, {}, 1, None, {"code": "lr_changed", "before": 1}])
def test_what_is_no_outcome_is_no_event(outcome):
    line = json.dumps({"event": "command", "command": "pause", "epoch": 1, "step": 1, "time": 1, "outcome": outcome})
    with pytest.raises(ValueError):
        event_from_json(line)
