"""Undo and redo."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.editing.history import History


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(max_size=3), min_size=1000, max_size=1000))
def test_undo_to_the_start_and_redo_to_the_end_over_a_thousand_changes_give_every_state_again(texts):
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


def test_a_change_after_an_undo_forgets_what_was_undone():
    history = History("a")
    history.change("b", "to b")
    assert history.undo() == "to b"
    history.change("c", "to c")
    assert history.redo() == "" and history.text == "c"
    assert history.undo() == "to c" and history.text == "a" and history.undo() == ""


def test_steps_of_one_group_are_undone_at_once():
    history = History("lr 1")
    for value in (2, 5, 10):
        history.change(f"lr {value}", f"lr {value}", group="optimizer.lr")
    history.end_group()
    history.change("lr 20", "lr 20", group="optimizer.lr")
    assert history.undo() == "lr 20" and history.text == "lr 10"
    assert history.undo() == "lr 10" and history.text == "lr 1"
