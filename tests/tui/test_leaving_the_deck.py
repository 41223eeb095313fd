"""Leaving the deck while a run goes, and coming back: torchdeck itself, in a real terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from real_terminal import Terminal

PROGRAM = Path(__file__).parent / "torchdeck_program.py"
UNENDING = ("--set", "training.epochs=100000", "--set", "training.early_stopping=false")
PATIENCE_S = 60

Open = Callable[..., Terminal]


@pytest.fixture
def torchdeck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Types a command into a terminal of its own. What still goes at the end is ended."""
    monkeypatch.delenv("TORCHDECK_RUNS", raising=False)
    terminals = []

    def open_(*command: str, **named: Any) -> Terminal:
        terminals.append(Terminal(tmp_path, *command, program=PROGRAM, **named))
        return terminals[-1]

    yield open_
    for terminal in terminals:
        terminal.end()
    for environment in tmp_path.glob("runs/*/environment.json"):
        pid = json.loads(environment.read_text())["pid"]
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            if {"tui.cli", str(PROGRAM)} & set(process.cmdline()):
                process.kill()


def the_run(folder: Path) -> Path:
    (run,) = (folder / "runs").iterdir()
    return run


def events(run: Path, kind: str) -> list[dict[str, Any]]:
    lines = (json.loads(line) for line in (run / "events.jsonl").read_text().splitlines())
    return [event for event in lines if event["event"] == kind]


def status(run: Path) -> str:
    from engine.runs import summarize

    summary = summarize(run)
    assert summary is not None
    return summary.status


def pid_of(run: Path) -> int:
    pid = json.loads((run / "environment.json").read_text())["pid"]
    assert isinstance(pid, int)
    return pid


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def steer(folder: Path, command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tui.cli", command], cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stderr


def test_d_leaves_at_once_and_the_run_goes_on_in_a_process_of_its_own(torchdeck: Open, tmp_path: Path) -> None:
    terminal = torchdeck("train", "digits-cnn", *UNENDING)
    terminal.until("● training")
    deck = terminal.deck()
    terminal.press("d")
    assert terminal.status() == 0
    assert terminal.is_restored()
    run = the_run(tmp_path)
    assert f"torchdeck attach {run.name}".encode() in terminal.written
    assert b"Traceback" not in terminal.written
    assert status(run) == "live" and pid_of(run) != deck
    (left,) = events(run, "finished")
    assert left["reason"] == "detached"
    assert events(run, "run_started")[1]["resumed_from"].endswith(f"step-{left['step']:06d}")
    assert os.getsid(pid_of(run)) == pid_of(run)
    first = events(run, "step")
    wait_for(lambda: len(events(run, "step")) > len(first))

    again = torchdeck("attach")
    again.until("● training")
    again.press("p")
    again.until("‖ paused")
    again.press("q")
    assert again.status() == 0
    assert status(run) == "live"
    steer(tmp_path, "stop")
    assert status(run) == "stopped"
