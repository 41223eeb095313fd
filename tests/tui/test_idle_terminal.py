"""A screen on which nothing changes writes nothing to the terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_terminal import Terminal

IDLE_S = 1.0


@pytest.fixture(params=[(80, 24), (120, 36)], ids=str)
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path, "--often", "--run-s", "0.5", size=request.param)
    yield opened
    opened.end()


def written_in_idle(terminal: Terminal) -> bytes:
    """What is written in a second, once a quarter of a second has passed in which nothing was."""
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < 0.25:
        before = len(terminal.written)
        terminal.read(0.05)
        if len(terminal.written) > before:
            quiet_since = time.monotonic()
    before, end = len(terminal.written), time.monotonic() + IDLE_S
    while time.monotonic() < end:
        terminal.read(0.05)
    return terminal.written[before:]


def test_every_screen_is_silent_while_nothing_changes(terminal: Terminal) -> None:
    terminal.until("18,602 parameters")
    terminal.until("stdlib-docs-lstm")
    assert written_in_idle(terminal) == b"", "the home screen, on a preset"
    terminal.press("\t")
    terminal.until("╭─ 2026-11-23T16-15-30-digits-cnn")
    assert written_in_idle(terminal) == b"", "the home screen, on a run"
    terminal.press("1")
    terminal.until("Conv2d 32")
    assert written_in_idle(terminal) == b"", "the design screen"
    terminal.press("t")
    terminal.until("✓ completed")
    assert written_in_idle(terminal) == b"", "the train screen of a run that has ended"
    terminal.press("3")
    terminal.until("Presets")
    assert written_in_idle(terminal) == b"", "the home screen, come back to"
