"""The deck in a real terminal: its first frame, its keys, and the state of the terminal after every kind of end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from real_terminal import HELD_TORCH, LEFT_SCREEN, PATIENCE_S, PROGRAM, Terminal


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    terminals = []

    def open_(*options: str, **environ: Any) -> Terminal:
        terminals.append(Terminal(tmp_path, *options, **environ))
        return terminals[-1]

    yield open_
    for terminal in terminals:
        terminal.end()


def test_the_deck_is_shown_and_answers_keys_before_torch_is_imported(
    opened: Callable[..., Terminal], tmp_path: Path
) -> None:
    terminal = opened(program=HELD_TORCH, fresh=True)
    terminal.until("mackey-glass-gru")
    terminal.until("loading torch…")
    terminal.until(lambda: (tmp_path / "torch-asked-for").exists())
    terminal.press("jj")
    terminal.until("╭─ digits-lstm ─")
    terminal.press("\r")
    terminal.until("torchdeck ─ digits-lstm")
    assert "loading torch…" in terminal.text
    (tmp_path / "torch-may-come").touch()
    terminal.until("19,594 parameters")
    terminal.press("q")
    assert terminal.status() == 0
    assert terminal.is_restored()


def test_quitting_does_not_wait_for_torch(opened: Callable[..., Terminal], tmp_path: Path) -> None:
    terminal = opened(program=HELD_TORCH, fresh=True)
    terminal.until(lambda: (tmp_path / "torch-asked-for").exists())
    terminal.press("q")
    assert terminal.status() == 0
    assert terminal.is_restored()


@pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=str)
def test_train_shows_the_train_screen_before_torch_is_imported_despite_early_keys(
    opened: Callable[..., Terminal], tmp_path: Path, size: tuple[int, int]
) -> None:
    terminal = opened("--train", program=HELD_TORCH, fresh=True, size=size)
    terminal.press("xad")  # before the deck has begun to read keys
    terminal.until("◌ loading torch")
    terminal.until(lambda: (tmp_path / "torch-asked-for").exists())
    terminal.press("xadeS\x13")
    terminal.press("s")
    terminal.until("Stop this run?")
    terminal.press("ss\x1b")
    terminal.until(lambda: "Stop this run?" not in terminal.text)
    (tmp_path / "torch-may-come").touch()
    terminal.until("✓ completed")
    assert b"Presets" not in terminal.written and b"Save as" not in terminal.written
    assert b"Experiment" not in terminal.written, "no other screen was shown"
    terminal.press("q")
    assert terminal.status() == 0
    assert terminal.is_restored()


def test_a_run_that_waits_for_torch_can_be_stopped(opened: Callable[..., Terminal], tmp_path: Path) -> None:
    terminal = opened("--train", program=HELD_TORCH, fresh=True)
    terminal.until("◌ loading torch")
    terminal.press("s")
    terminal.until("It has not started.")
    terminal.press("\r")
    terminal.until("■ stopped")
    terminal.press("q")
    assert terminal.status() == 0
    assert terminal.is_restored()
    assert not (tmp_path / "runs").exists()


def test_a_preset_is_opened_and_the_deck_closed_by_keys(opened: Callable[..., Terminal]) -> None:
    terminal = opened(size=(80, 24))
    terminal.until("18,602 parameters")
    terminal.press("\x1b[B")
    terminal.until("╭─ lenet ─")
    terminal.press("\r")
    terminal.until("torchdeck ─ lenet")
    terminal.until("Conv2d 32")
    terminal.press("\x1b[B")
    terminal.until("╭─ BatchNorm2d ─")
    terminal.press("?")
    terminal.until("╭─ Help ─")
    terminal.press("\x1b")
    terminal.until(lambda: "╭─ Help ─" not in terminal.text)
    terminal.press("q")
    assert terminal.status() == 0
    assert terminal.is_restored()


def test_output_of_native_code_goes_to_the_log_and_not_to_the_screen(
    opened: Callable[..., Terminal], tmp_path: Path
) -> None:
    terminal = opened("--native")
    terminal.until("18,602 parameters")
    terminal.press("q")
    terminal.status()
    assert b"NATIVE" not in terminal.written and b"PRINTED" not in terminal.written
    log = terminal.log(tmp_path)
    assert all(text in log for text in ("NATIVE-ONE", "NATIVE-TWO", "PRINTED"))


def test_child_processes_inherit_streams_that_are_not_the_screen(
    opened: Callable[..., Terminal], tmp_path: Path
) -> None:
    terminal = opened("--spawn")
    terminal.until("18,602 parameters")
    terminal.press("q")
    terminal.status()
    assert (tmp_path / "spawned").read_text() == "0 2 1"
    assert "CHILD" in terminal.log(tmp_path)
    assert b"CHILD" not in terminal.written


def test_stopping_from_the_deck_waits_for_the_run_and_prints_its_folder(
    opened: Callable[..., Terminal], tmp_path: Path
) -> None:
    terminal = opened("--train")
    terminal.until("● training")
    terminal.press("q")
    terminal.until("Leave the deck?")
    terminal.press("\x1b[B\r")
    assert terminal.status() == 0
    assert terminal.is_restored()
    assert (tmp_path / "ended").read_text() == "stopped"
    assert b"Stopped by hand at step 40." in terminal.written
    assert b"The run is in" in terminal.written


def test_a_lost_connection_does_not_stop_the_run(opened: Callable[..., Terminal], tmp_path: Path) -> None:
    terminal = opened("--train", "--run-s", "4")
    terminal.until("● training")
    deck = terminal.deck()
    terminal.hang_up()
    wait_for((tmp_path / "ended").exists)
    assert (tmp_path / "ended").read_text() == "completed"
    wait_for(lambda: not Path(f"/proc/{deck}").exists())


def test_a_repeated_hangup_does_not_stop_the_run(opened: Callable[..., Terminal], tmp_path: Path) -> None:
    terminal = opened("--train", "--run-s", "3")
    terminal.until("● training")
    deck = terminal.deck()
    for _ in range(3):
        os.kill(deck, signal.SIGHUP)
        time.sleep(0.4)
    assert terminal.status() == 0
    assert (tmp_path / "ended").read_text() == "completed"
    assert terminal.is_restored()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_saves_the_run_restores_the_terminal_and_prints_how_to_resume(
    opened: Callable[..., Terminal], tmp_path: Path, number: signal.Signals
) -> None:
    terminal = opened("--train")
    terminal.until("● training")
    os.kill(terminal.deck(), number)
    assert terminal.status() == 130
    assert terminal.is_restored()
    assert (tmp_path / "ended").read_text() == "interrupted"
    assert b"torchdeck resume " in terminal.written


def test_sigterm_closes_a_deck_without_a_run(opened: Callable[..., Terminal]) -> None:
    terminal = opened()
    terminal.until("18,602 parameters")
    os.kill(terminal.deck(), signal.SIGTERM)
    assert terminal.status() == 128 + signal.SIGTERM
    assert terminal.is_restored()


def test_a_crash_of_the_deck_is_reported_and_the_run_continues(opened: Callable[..., Terminal], tmp_path: Path) -> None:
    terminal = opened("--train", "--crash", "--run-s", "4")
    terminal.until("● training")
    terminal.press("\x1b[24~")
    assert terminal.status() == 0
    assert terminal.is_restored()
    assert (tmp_path / "ended").read_text() == "completed"
    assert b"The deck failed: NoMatches" in terminal.written
    assert b"continues without the deck" in terminal.written
    assert b"Traceback" not in terminal.written
    assert "Traceback" in terminal.log(tmp_path)


def test_ctrl_c_after_a_crash_saves_the_run(opened: Callable[..., Terminal], tmp_path: Path) -> None:
    terminal = opened("--train", "--crash")
    terminal.until("● training")
    terminal.press("\x1b[24~")
    terminal.until(lambda: b"continues without the deck" in terminal.written)
    os.kill(terminal.deck(), signal.SIGINT)
    assert terminal.status() == 130
    assert (tmp_path / "ended").read_text() == "interrupted"


def test_without_colours_no_colour_is_written(opened: Callable[..., Terminal]) -> None:
    terminal = opened(NO_COLOR="1")
    terminal.until("18,602 parameters")
    terminal.press("1")
    terminal.until("Conv2d 32")
    terminal.press("q")
    terminal.status()
    coloured = [part for part in terminal.written.split(b"\x1b[")[1:] if part[:3] in (b"38;", b"48;")]
    assert coloured == []


def test_without_a_terminal_the_deck_reports_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(tmp_path)], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr == "The deck needs a terminal: standard input is not a terminal.\n"
    assert done.stdout == ""


def test_a_dumb_terminal_is_refused(opened: Callable[..., Terminal]) -> None:
    terminal = opened(TERM="dumb")
    assert terminal.status() == 2
    assert b"TERM is dumb" in terminal.written
    assert LEFT_SCREEN not in terminal.written


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
