"""The document in $EDITOR, in a real terminal: the text that it saves is one change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from real_terminal import Terminal

DECK = Path(__file__).parent / "whole_deck_program.py"
Opened = Callable[[str], Terminal]


@pytest.fixture
def with_editor(tmp_path: Path) -> Iterator[Opened]:
    terminals = []

    def open_(script: str) -> Terminal:
        editor = tmp_path / "editor"
        editor.write_text(f"#!/bin/sh\necho EDITING\n{script}\n")
        editor.chmod(0o700)
        terminals.append(Terminal(tmp_path, size=(80, 24), program=DECK, EDITOR=str(editor), VISUAL=""))
        terminal = terminals[-1]
        terminal.until("18,602")
        terminal.press("\r")
        terminal.until("Conv2d 32, 3×3 same")
        return terminal

    yield open_
    for terminal in terminals:
        terminal.end()


def test_the_text_from_the_editor_is_checked_and_can_be_undone(with_editor: Opened) -> None:
    terminal = with_editor("sed -i 's/out_features = 64/out_features = 99, bais = true/' \"$1\"")
    terminal.press("e")
    terminal.until("'bais' is not a")
    assert b"EDITING" in terminal.written and "Linear 99" in terminal.text
    terminal.press("u")
    terminal.until("Linear 64")
    terminal.press("q")
    assert terminal.status() == 0 and terminal.is_restored()


def test_text_that_is_not_toml_shows_the_line_and_undo_restores_the_document(with_editor: Opened) -> None:
    terminal = with_editor("echo 'a = = b' > \"$1\"")
    terminal.press("e")
    terminal.until("it is not TOML")
    terminal.press("u")
    terminal.until("Conv2d 32, 3×3 same")


def test_an_editor_that_fails_changes_nothing(with_editor: Opened) -> None:
    terminal = with_editor("exit 3")
    terminal.press("e")
    terminal.until("exited with status 3")
    assert "digits-cnn •" not in terminal.text


@pytest.mark.parametrize("editor", ["vi '", "/nowhere/editor"])
def test_an_editor_that_cannot_be_started_is_reported_and_the_deck_stays(tmp_path: Path, editor: str) -> None:
    terminal = Terminal(tmp_path, size=(80, 24), program=DECK, EDITOR=editor, VISUAL="")
    try:
        terminal.until("18,602")
        terminal.press("\r")
        terminal.until("Conv2d 32, 3×3 same")
        terminal.press("e")
        terminal.until("cannot be started")
        terminal.press("q")
        assert terminal.status() == 0
    finally:
        terminal.end()
