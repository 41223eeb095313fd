"""Signals that end a run with a checkpoint, whatever it is doing, and readers that do not read."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from engine.experiment import read
from engine.plan import check
from engine.protocol.commands import Simple
from engine.protocol.events import CommandDone, Epoch, Finished, Reason, Step
from engine.runs import Follower, summarize
from engine.training.batches import Batches
from engine.training.session import Session
from tui.exit_messages import end_lines

COMMAND = [sys.executable, "-m", "tui.cli"]
UNENDING = ["--set", "training.epochs=100000", "--set", "training.early_stopping=false"]
PATIENCE_S = 100


def begin(cwd, *arguments, **more):
    environment = os.environ | {"TORCHDECK_RUNS": str(cwd / "runs")} | more.pop("env", {})
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | more
    return subprocess.Popen([*COMMAND, *arguments], cwd=cwd, env=environment, text=True, **pipes)


def wait_for(condition):
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def the_run(cwd):
    return next(iter((cwd / "runs").glob("*/events.jsonl")), None)


@pytest.mark.parametrize(
    ("number", "setting", "pause_mode"),
    [
        (signal.SIGUSR1, None, None),
        (signal.SIGUSR2, 'interrupt_signals = ["SIGUSR2", "SIGXCPU"]', "pause"),
        (signal.SIGTERM, None, "release"),
    ],
)
def test_a_signal_interrupts_a_run_that_trains_is_paused_or_has_no_device(number, setting, pause_mode, tmp_path):
    if setting is not None:
        (tmp_path / "torchdeck").mkdir()
        (tmp_path / "torchdeck" / "settings.toml").write_text(setting)
    process = begin(tmp_path, "train", "wine", "--headless", *UNENDING, env={"XDG_CONFIG_HOME": str(tmp_path)})
    events = wait_for(lambda: the_run(tmp_path))
    wait_for(lambda: '"epoch"' in events.read_text())
    if pause_mode is not None:
        (events.parent / "commands.jsonl").write_text(json.dumps({"command": pause_mode}) + "\n")
        outcome = {"pause": '"paused"', "release": '"memory_released"'}[pause_mode]
        wait_for(lambda: outcome in events.read_text())
        if pause_mode == "release":
            wait_for(lambda: "memory is released" in events.read_text())
    process.send_signal(number)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, said
    assert "Saving at the next step …" in said and "everything is saved" in said and "torchdeck resume" in said
    assert summarize(events.parent).status == "interrupted"


def ended(session):
    assert session.join(PATIENCE_S)
    return Follower(session.directory).drain()


def test_an_interrupt_while_a_run_validates_ends_it_there_with_a_checkpoint(tmp_path, monkeypatch):
    session = Session.create(check(read("wine", ["training.threads=1"])), runs_dir=tmp_path)
    whole = Batches.validation

    def validation(self, size):
        for batch in whole(self, 8):
            session.interrupt()
            yield batch

    monkeypatch.setattr(Batches, "validation", validation)
    session.start()
    events = ended(session)
    assert events[-1].reason is Reason.INTERRUPTED and "everything is saved" in events[-1].message
    assert not [event for event in events if isinstance(event, Epoch)]
    assert [event for event in events if isinstance(event, Step)][-1].step == events[-1].step
    monkeypatch.undo()
    again = Session.resume(session.directory)
    again.start()
    first = next(event for event in ended(again)[::-1] if isinstance(event, Finished))
    assert first.reason in (Reason.COMPLETED, Reason.EARLY_STOPPED)


@pytest.mark.parametrize("pause_mode", ["pause", "release"])
def test_an_interrupt_ends_a_run_that_never_took_a_step(pause_mode, tmp_path):
    session = Session.create(check(read("wine", ["training.threads=1"])), runs_dir=tmp_path)
    session.start(pause_mode="pause")
    session.send(Simple(command=pause_mode))
    wait_for(lambda: [event for event in Follower(session.directory).drain() if isinstance(event, CommandDone)])
    session.interrupt()
    end = ended(session)[-1]
    assert (end.reason, end.step) == (Reason.INTERRUPTED, 0)


def test_an_interrupt_while_data_are_read_ends_the_run_at_once(tmp_path):
    for number in range(40):
        path = tmp_path / "images" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), number).save(path)
    layers = ["model.layers=['Flatten', {type='Linear', out_features='auto'}]", "data.augment=[]"]
    data = ["data.source=images", f"data.path={tmp_path / 'images'}", "data.validation=0.2"]
    for resumes in (False, True):
        plan = check(read("lenet", [*data, *layers, "training.epochs=1"]))
        assert plan.ok, plan.mistakes
        session = Session.create(plan, runs_dir=tmp_path / str(resumes))
        if resumes:
            session.start()
            ended(session)
            session = Session.resume(session.directory, ("training.epochs=3",))
        sys.modules["engine.data.load"].forget()
        session.interrupt()
        session.start()
        end = ended(session)[-1]
        assert end.reason is Reason.INTERRUPTED
        if not resumes:  # a resumed run has compared its data with the start of the run before its thread starts
            assert end.message == "Interrupted while the data were read, before the first step."
        last = end_lines(session.directory, end)[-1]
        assert last.startswith("Resume it with: " if resumes else "It has no checkpoint. Train it again with: ")


def imports_torch(process):
    return "libtorch_cpu" in Path(f"/proc/{process.pid}/maps").read_text() or process.poll() is not None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_while_torch_is_imported_ends_the_process_in_a_sentence(number, tmp_path):
    process = begin(tmp_path, "train", "wine", "--headless")
    wait_for(lambda: imports_torch(process))
    process.send_signal(number)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 128 + number
    assert said == f"Ended by {number.name} before training began. There is no run.\n"


def test_sigterm_ends_every_other_command_in_a_sentence_too(tmp_path):
    process = begin(tmp_path, "check", "wine")
    wait_for(lambda: imports_torch(process))
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, said) == (143, "Ended by SIGTERM.\n")


def test_a_run_whose_reader_does_not_read_ends_at_its_end(tmp_path):
    process = begin(tmp_path, "train", "wine", "--json", "--set", "training.epochs=250", *UNENDING[2:])
    assert process.wait(PATIENCE_S) == 0
    run = the_run(tmp_path).parent
    assert f"events were not read. All events are in {run}/events.jsonl" in process.stderr.read()
    whole = (run / "events.jsonl").read_text()
    assert len(whole) > 1 << 16 and '"completed"' in whole
    assert whole.startswith(process.stdout.read(1000))


def test_a_run_whose_reader_does_not_read_is_interrupted_by_a_signal(tmp_path):
    process = begin(tmp_path, "train", "wine", "--json", *UNENDING, stderr=subprocess.STDOUT)
    events = wait_for(lambda: the_run(tmp_path))
    wait_for(lambda: events.stat().st_size > 3 << 16)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 130
    assert summarize(events.parent).status == "interrupted"
