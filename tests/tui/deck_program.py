"""The deck as a program, on a producer that is told how to behave; the terminal tests run it in a process of its own.

deck_program.py FOLDER [--train] [--native] [--crash] [--spawn] [--often] [--run-s SECONDS]
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fake_producer import RUNS, FakeProducer, FakeRun, document
from textual.screen import Screen

from engine.experiment import Draft
from engine.protocol.events import Reason
from tui.deck import app
from tui.launch import run_deck
from tui.screens import home

if TYPE_CHECKING:
    from engine.plan import Plan

FOLDER = Path(sys.argv[1])
OPTIONS = sys.argv[2:]


class TimedRun(FakeRun):
    """A run on a thread of its own: it ends after some seconds, and leaves a file that says how."""

    def begin(self, seconds: float) -> None:
        threading.Thread(target=self._go, args=(seconds,), name="engine").start()

    def _go(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self.finished is None and time.monotonic() < until:
            time.sleep(0.02)
        if self.finished is None:
            self.end(Reason.COMPLETED, "Trained 30 epochs.")
        assert self.finished is not None
        (FOLDER / "ended").write_text(self.finished.reason)


class Told(FakeProducer):
    def plan_of(self, draft: Draft) -> Plan:
        if "--native" in OPTIONS:
            os.write(1, b"NATIVE-ONE\n")
            os.write(2, b"NATIVE-TWO\n")
            print("PRINTED")
        if "--spawn" in OPTIONS:
            said = subprocess.run([sys.executable, "-c", "print('CHILD')"], stdout=sys.stdout, stderr=sys.stderr)
            (FOLDER / "spawned").write_text(f"{said.returncode} {sys.stderr.fileno()} {sys.stdout.fileno()}")
        return super().plan_of(draft)

    def start(self, plan: Plan, runs_dir: Path) -> FakeRun:
        run = TimedRun(runs_dir / "2026-11-23T16-15-30-digits-cnn")
        run.begin(float(OPTIONS[OPTIONS.index("--run-s") + 1]) if "--run-s" in OPTIONS else 60)
        (FOLDER / "started").touch()
        return run


class Breaking(app.Deck):
    """A deck with a mistake of its own: F12 finds it."""

    def on_key(self, event: Any) -> None:
        if event.key == "f12":
            self.screen.query_one("#nowhere", Screen)


if __name__ == "__main__":
    if "--crash" in OPTIONS:
        app.Deck = Breaking  # type: ignore[misc]
    if "--often" in OPTIONS:
        home.LIST_RUNS_S = 0.2
    draft = document() if "--train" in OPTIONS else None
    sys.exit(run_deck(runs_dir=FOLDER, draft=draft, train=draft is not None, producer=Told(RUNS)))
