"""Leaving the deck during a run, and attaching again: torchdeck itself, in a real terminal."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import warm_torchdeck
from real_terminal import LEFT_SCREEN, Terminal

from engine import Session, check
from engine.experiment import read
from engine.protocol.commands import Command, SetLR, Simple
from engine.runs import summarize
from tui.launch import HANDOVER

PROGRAM = Path(__file__).parent / "torchdeck_program.py"
UNENDING = ("--set", "training.epochs=100000", "--set", "training.early_stopping=false")
PATIENCE_S = 90

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


def steer(folder: Path, *command: str) -> None:
    done = warm_torchdeck.run(*command, cwd=folder, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr


def test_d_leaves_immediately_and_the_run_continues_in_a_separate_process(torchdeck: Open, tmp_path: Path) -> None:
    terminal = torchdeck("train", "digits-cnn", *UNENDING)
    terminal.until("● training")
    deck = terminal.deck()
    terminal.press("d")
    assert terminal.status() == 0
    assert terminal.is_restored()
    run = the_run(tmp_path)
    handing_over, goes_on = terminal.written.find(HANDOVER.encode()), terminal.written.find(b"torchdeck attach")
    assert -1 < handing_over < goes_on, "a line says what takes the time"
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


@pytest.mark.parametrize("leave", ["q", "d", "\x03"])
def test_leaving_a_run_of_another_process_prints_that_it_continues(torchdeck: Open, tmp_path: Path, leave: str) -> None:
    steer(tmp_path, "train", "digits-cnn", "--detach", *UNENDING)
    run = the_run(tmp_path)
    viewer = torchdeck("attach")
    viewer.until("● training")
    viewer.press(leave)
    assert viewer.status() == 0 and viewer.is_restored()
    said = exit_messages(viewer)
    assert said == [
        f"{run.name} trains in its own process; closing this terminal does not stop it.",
        f"Watch and steer it:  torchdeck attach {run.name}",
        f"Stop it:  torchdeck stop {run.name}",
    ]
    if leave != "q":
        return
    steer(tmp_path, "pause")
    paused = torchdeck("attach")
    paused.until("‖ paused")
    paused.press("q")
    assert paused.status() == 0
    first, second, *_ = exit_messages(paused)
    assert first == f"{run.name} is paused in its own process."
    assert second == f"Continue it:  torchdeck continue {run.name}"
    steer(tmp_path, "stop")
    over = torchdeck("attach")
    over.until("■ stopped")
    over.press("q")
    assert over.status() == 0
    assert exit_messages(over) == [
        f"{run.name}: {events(run, 'finished')[-1]['message']}",
        f"The run is in {run}",
        f"Resume it with: torchdeck resume {run.name}",
    ]


def exit_messages(terminal: Terminal) -> list[str]:
    """What was printed after the deck, before the line of the stand-in for a shell."""
    after = terminal.written.split(LEFT_SCREEN)[-1].split(b"status=")[0]
    printed = re.sub(rb"\x1b[\[\]<>=?0-9;]*[a-zA-Z]", b"", after).decode()
    return [line.strip() for line in printed.splitlines() if line.strip()]


class AtSteps(deque[Command]):
    """Commands of a session, each due when the run has taken so many steps."""

    def __init__(self, session: Session, commands: list[tuple[int, Command]]) -> None:
        super().__init__(command for _, command in commands)
        self._session = session
        self._steps = deque(step for step, _ in commands)

    def __bool__(self) -> bool:
        runner = self._session.runner
        return bool(self._steps) and runner is not None and runner.stage.position.step >= self._steps[0]

    def popleft(self) -> Command:
        self._steps.popleft()
        return super().popleft()


def newest(run: Path) -> Path:
    return sorted((run / "checkpoints").iterdir(), key=lambda folder: folder.name.rpartition("-")[2])[-1]


def test_a_run_that_was_detached_attached_and_controlled_has_the_same_weights_as_one_that_was_not(
    torchdeck: Open, tmp_path: Path
) -> None:
    changes = [*UNENDING, "--set", "training.threads=1"]
    first = torchdeck("train", "digits-cnn", *changes)
    first.until("● training")
    first.press("d")
    assert first.status() == 0
    run = the_run(tmp_path)

    again = torchdeck("attach")
    again.until("● training")
    again.press("+")
    wait_for(lambda: len(events(run, "command")) == 2)
    again.press("p")
    again.until("‖ paused")
    again.press("p")
    again.until("● training")
    again.press("s")
    again.until("Stop this run?")
    again.press("\r")
    again.until("■ stopped")
    again.press("q")
    assert again.status() == 0

    asked = events(run, "command")
    assert [event["command"] for event in asked] == ["detach", "set_lr", "pause", "continue", "stop"]
    _, rate, _, _, stop = asked
    session = Session.create(check(read("digits-cnn", changes[1::2])), runs_dir=tmp_path / "undisturbed")
    commands = [(rate["step"], SetLR(value=rate["value"])), (stop["step"], Simple(command="stop"))]
    session.inbox = AtSteps(session, commands)
    session.start()
    assert session.join(PATIENCE_S)
    one, other = newest(run), newest(session.directory)
    assert one.name == other.name
    for name in ("model.safetensors", "trainer.safetensors"):
        assert (one / name).read_bytes() == (other / name).read_bytes()


def test_a_run_with_a_released_device_stays_so_in_the_process_that_continues_it(
    torchdeck: Open, tmp_path: Path
) -> None:
    terminal = torchdeck("train", "digits-cnn", *UNENDING)
    terminal.until("● training")
    terminal.press("P")
    terminal.until("‖ paused, device released")
    run = the_run(tmp_path)
    terminal.press("q")
    terminal.until(f"{run.name} is paused.")
    terminal.press("\r")
    assert terminal.status() == 0
    assert b"It is paused in the background as process" in terminal.written
    assert f"torchdeck continue {run.name}".encode() in terminal.written
    wait_for(lambda: [event["command"] for event in events(run, "command")] == ["release", "detach", "release"])
    (left,) = events(run, "finished")
    listed = summarize(run)
    assert listed is not None and (listed.status, listed.paused, listed.epoch) == ("live", True, left["epoch"])
    assert not any("Restored from" in event["message"] for event in events(run, "log"))
    again = torchdeck("attach")
    again.until("‖ paused, device released")
    held = summarize(run)
    again.press("p")
    again.until("● training")
    goes = summarize(run)
    assert held is not None and goes is not None and held.seconds < goes.seconds < held.seconds + PATIENCE_S
    assert any("Restored from" in event["message"] for event in events(run, "log"))
    steer(tmp_path, "stop")
    again.until("■ stopped")


def test_closing_the_terminal_during_an_epoch_stops_no_run_and_leaves_no_process(
    torchdeck: Open, tmp_path: Path
) -> None:
    epochs = ("--set", "training.epochs=100", "--set", "training.early_stopping=false")
    terminal = torchdeck("train", "digits-cnn", *epochs)
    terminal.until("● training")
    process, group = psutil.Process(terminal.deck()), os.getpgid(terminal.deck())
    run = the_run(tmp_path)
    terminal.hang_up()
    steps = len(events(run, "step"))
    wait_for(lambda: len(events(run, "step")) > steps + 5)
    assert status(run) == "live"
    # Nothing spins on the dead terminal: what the process uses is what one training thread does.
    before, began = process.cpu_times(), time.monotonic()
    time.sleep(2)
    after, took_s = process.cpu_times(), time.monotonic() - began
    assert (after.user + after.system - before.user - before.system) / took_s < 1.2
    viewer = torchdeck("attach")
    viewer.until("● training")
    wait_for(lambda: status(run) == "completed")
    viewer.until("✓ completed")
    wait_for(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
    # Of the group only what stands for a shell is there yet.
    assert processes_in(group) == {terminal.pid}


def processes_in(group: int) -> set[int]:
    """The processes of a group that have not ended."""
    found = set()
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, psutil.Error):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.add(process.pid)
    return found


def test_a_viewer_that_hangs_and_a_frozen_connection_do_not_slow_a_run(torchdeck: Open, tmp_path: Path) -> None:
    terminal = torchdeck("train", "digits-cnn", *UNENDING)
    terminal.until("● training")
    run = the_run(tmp_path)
    viewer = torchdeck("attach")
    viewer.until("● training")
    # From here on, no process reads the output of either, and one of them is stopped.
    os.kill(viewer.deck(), signal.SIGSTOP)
    steps = events(run, "step")[-1]["step"]
    wait_for(lambda: events(run, "step")[-1]["step"] - steps > 50)
    os.kill(viewer.deck(), signal.SIGCONT)
    steer(tmp_path, "stop")
    viewer.until("■ stopped")
    terminal.until("■ stopped")


def test_a_crash_of_the_engine_is_a_sentence_and_the_deck_stays(torchdeck: Open, tmp_path: Path) -> None:
    terminal = torchdeck("train", "digits-cnn", *UNENDING, TORCHDECK_TEST_CRASH="1")
    terminal.until("✗ failed")
    terminal.until("RuntimeError: the step broke")
    assert "Traceback" not in terminal.text
    run = the_run(tmp_path)
    log = (run / "console.log").read_text()
    assert "Traceback" in log and "RuntimeError: the step broke" in log
    assert (run / "console.log").stat().st_mode & 0o777 == 0o600
    terminal.press("3")
    terminal.until("Presets")
    terminal.press("q")
    assert terminal.status() == 1
    assert terminal.is_restored()


def test_a_run_detached_by_another_viewer_ends_the_deck_that_trained_it(torchdeck: Open, tmp_path: Path) -> None:
    terminal = torchdeck("train", "digits-cnn", *UNENDING)
    terminal.until("● training")
    run = the_run(tmp_path)
    with (run / "commands.jsonl").open("a") as file:
        file.write('{"command": "detach"}\n')
    assert terminal.status() == 0
    assert terminal.is_restored()
    assert status(run) == "live" and len(events(run, "run_started")) == 2
