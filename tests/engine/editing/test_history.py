"""Undo and redo."""

from __future__ import annotations

import os
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.editing import text as edit
from engine.editing.history import History
from engine.editing.text import Span
from engine.experiment import preset_text

EDITS = 1000 if os.environ.get("TORCHDECK_THOROUGH") else 200
EXAMPLES = 300 if os.environ.get("TORCHDECK_THOROUGH") else 20


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.text(max_size=3), min_size=1000, max_size=1000))
def test_undo_and_redo_over_a_thousand_changes_restore_every_state(texts):
    history, states = History("begin"), ["begin"]
    for number, text in enumerate(texts):
        if history.change(text, f"change {number}"):
            states.append(text)
    back = [history.text]
    while history.can_undo:
        assert history.undo()
        back.append(history.text)
    assert back == states[::-1]
    forth = [history.text]
    while history.can_redo:
        assert history.redo()
        forth.append(history.text)
    assert forth == states


def test_a_change_after_an_undo_removes_the_undone_changes():
    history = History("a")
    history.change("b", "to b")
    assert history.undo() == "to b"
    history.change("c", "to c")
    assert history.redo() == "" and history.text == "c"
    assert history.undo() == "to c" and history.text == "a" and history.undo() == ""


def test_changes_of_one_group_are_undone_together():
    history = History("lr 1")
    for value in (2, 5, 10):
        history.change(f"lr {value}", f"lr {value}", group="optimizer.lr")
    history.end_group()
    history.change("lr 20", "lr 20", group="optimizer.lr")
    assert history.undo() == "lr 20" and history.text == "lr 10"
    assert history.undo() == "lr 10" and history.text == "lr 1"


def edited(text: str, random: Random) -> str:
    """The document after one typical change."""
    size = len(edit.value_at(text, "model.layers"))
    at = random.randrange(size)
    span = Span("model.layers", at, at + 1)
    changes = [
        lambda: edit.set_value(text, "optimizer.lr", random.random()),
        lambda: edit.set_value(text, "training.epochs", random.randrange(1, 99)),
        lambda: edit.unset(text, "optimizer.lr"),
        lambda: edit.insert(text, span, ["ReLU"]) if size < 20 else text,
        lambda: edit.remove(text, span) if size > 3 else text,
        lambda: edit.move(text, span, random.choice([-1, 1])),
        lambda: edit.wrap(text, span, "Sequential"),
        lambda: edit.unwrap(text, f"model.layers[{at}]"),
    ]
    return random.choice(changes)()


@pytest.mark.parametrize("preset", ["digits-cnn", "mackey-glass-lstm"])
def test_hundreds_of_edits_are_undone_and_redone_state_by_state(preset):
    random = Random(0)
    history = History(preset_text(preset))
    states = [history.text]
    while len(states) <= EDITS:
        new = edited(history.text, random)
        if history.change(new, "a change"):
            states.append(new)
    for state in reversed(states):
        assert history.text == state
        history.undo()
    for state in states:
        assert history.text == state
        history.redo()
