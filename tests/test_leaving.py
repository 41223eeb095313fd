"""Leaving a run and coming back to it from the command line, each in a process of its own."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pexpect
import psutil
import pytest
import warm_torchdeck

COMMAND = [sys.executable, "-m", "tui.cli"]
UNENDING = ["--set", "training.epochs=100000", "--set", "training.early_stopping=false"]
PATIENCE_S = 60


def torchdeck(*arguments, cwd):
    return warm_torchdeck.run(*arguments, cwd=cwd)


def detached(cwd, *more, preset="digits-cnn"):
    """Train detached; the run's directory."""
    result = torchdeck("train", preset, "--detach", *more, cwd=cwd)
    assert result.returncode == 0, result.stderr
    return cwd / "runs" / result.stdout.strip()


def begin_detached(cwd):
    """The process that begins a detached run, while it waits for that."""
    command = [*COMMAND, "train", "digits-cnn", "--detach", *UNENDING]
    return subprocess.Popen(command, cwd=cwd, stderr=subprocess.PIPE, text=True)


def children_of(process):
    wait_for(lambda: psutil.Process(process.pid).children())
    return psutil.Process(process.pid).children()


def events(run, kind=None):
    lines = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    return [event for event in lines if kind in (None, event["event"])]


def listed(cwd, run):
    return next(r for r in json.loads(torchdeck("runs", "--json", cwd=cwd).stdout) if r["name"] == run.name)


def process_of(run):
    return psutil.Process(pid_of(run))


def pid_of(run):
    return json.loads((run / "environment.json").read_text())["pid"]


def ask(run, command):
    with (run / "commands.jsonl").open("a") as file:
        file.write(f"{json.dumps(command)}\n")


def wait_for(condition):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to train in; what still goes at the end is ended."""
    monkeypatch.delenv("TORCHDECK_RUNS", raising=False)
    yield tmp_path
    for environment in tmp_path.glob("runs/*/environment.json"):
        pid = json.loads(environment.read_text())["pid"]
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            if "tui.cli" in process.cmdline():
                process.kill()


def test_a_detached_run_has_begun_when_its_name_is_printed_and_belongs_to_no_terminal(here):
    result = torchdeck("train", "digits-cnn", "--detach", *UNENDING, cwd=here)
    assert result.returncode == 0, result.stderr
    run = here / "runs" / result.stdout.strip()
    assert events(run, "run_started")
    assert f"torchdeck attach {run.name}" in result.stderr and f"torchdeck stop {run.name}" in result.stderr
    process = process_of(run)
    assert os.getsid(process.pid) == os.getpgid(process.pid) == process.pid
    assert process.terminal() is None
    standard = [os.readlink(f"/proc/{process.pid}/fd/{number}") for number in (0, 1, 2)]
    assert standard == ["/dev/null", str(run / "console.log"), str(run / "console.log")]
    assert (run / "console.log").stat().st_mode & 0o777 == 0o600
    wait_for(lambda: events(run, "epoch"))
    wait_for(lambda: "epoch " in (run / "console.log").read_text())


@pytest.mark.parametrize("command", ["{} --headless > log.txt 2>&1", "{} --json > events.txt 2> log.txt"])
def test_a_terminal_that_is_closed_ends_nothing_that_goes_to_a_file(command, here):
    train = shlex.join([*COMMAND, "train", "digits-cnn", *UNENDING])
    terminal = pexpect.spawn("/bin/sh", ["-c", command.format(train)], cwd=str(here))
    wait_for(lambda: list(here.glob("runs/*/events.jsonl")))
    (run,) = (here / "runs").iterdir()
    wait_for(lambda: events(run, "epoch"))
    os.close(terminal.child_fd)
    closed = events(run)[-1]["time"]
    wait_for(lambda: events(run, "epoch")[-1]["time"] > closed + 1)
    # Whatever it was given instead of the terminal, it says there how it ended.
    process_of(run).send_signal(signal.SIGTERM)
    wait_for(lambda: events(run)[-1]["event"] == "finished")
    wait_for(lambda: "torchdeck resume" in (here / "log.txt").read_text())
    if "--json" in command:
        assert [json.loads(line) for line in (here / "events.txt").read_text().splitlines()] == events(run)
    else:
        log = (here / "log.txt").read_text()
        assert f"epoch {events(run, 'epoch')[-1]['epoch']:>6}/100000" in log and "everything is saved" in log


def test_what_is_wrong_with_a_detached_run_is_said_at_once_all_of_it(here):
    wrong = ["--set", "training.epochs=-1", "--set", "optimizer.type=Adma"]
    result = torchdeck("train", "digits-cnn", "--detach", *wrong, cwd=here)
    assert result.returncode == 2 and result.stdout == ""
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == ["training.epochs", "optimizer.type"]
    assert not (here / "runs").exists()


def test_a_detached_process_that_is_killed_before_it_trains_is_said_to_be(here):
    process = begin_detached(here)
    (child,) = children_of(process)
    child.kill()
    assert process.wait(PATIENCE_S) == 1
    assert process.stderr.read() == "The run did not start: SIGKILL ended its process.\n"


def test_detached_with_json_prints_the_event_that_it_began_with(here):
    result = torchdeck("train", "digits-cnn", "--detach", "--json", "--set", "training.epochs=1", cwd=here)
    assert json.loads(result.stdout)["event"] == "run_started"


def test_a_run_is_paused_gone_on_with_and_stopped_from_scripts(here):
    run = detached(here, *UNENDING)
    paused = torchdeck("pause", cwd=here)
    assert (paused.returncode, paused.stdout) == (0, "")
    (asked,) = events(run, "command")
    assert paused.stderr == f"{run.name}: Paused at step {asked['step']}, in epoch {asked['epoch']}.\n"
    assert listed(here, run)["paused"] is True
    assert "‖" in torchdeck("runs", cwd=here).stdout
    steps = len(events(run, "step"))
    time.sleep(1)
    assert len(events(run, "step")) == steps
    assert torchdeck("continue", run.name, cwd=here).returncode == 0
    wait_for(lambda: len(events(run, "step")) > steps)
    assert listed(here, run)["paused"] is False
    released = torchdeck("pause", "--release", cwd=here)
    assert released.returncode == 0 and released.stderr == f"{run.name}: Paused; cpu is free for other processes.\n"
    wait_for(lambda: any("memory is released" in event["message"] for event in events(run, "log")))
    assert listed(here, run)["paused"] is True
    steps = len(events(run, "step"))
    assert torchdeck("continue", cwd=here).returncode == 0
    wait_for(lambda: len(events(run, "step")) > steps)
    stopped = torchdeck("stop", run.name, cwd=here)
    assert (stopped.returncode, stopped.stdout) == (0, "")
    assert stopped.stderr.splitlines() == [
        f"{run.name}: {events(run)[-1]['message']}",
        f"The run is in {run}",
        f"Resume it with: torchdeck resume {run.name}",
    ]
    assert "Stopped by hand at step" in stopped.stderr
    assert events(run)[-1]["event"] == "finished" and listed(here, run)["status"] == "stopped"
    wait_for(lambda: not psutil.pid_exists(json.loads((run / "environment.json").read_text())["pid"]))
    again = torchdeck("stop", run.name, cwd=here)
    assert again.returncode == 1 and len(again.stderr.splitlines()) == 1 and "the run has ended" in again.stderr
    nothing = torchdeck("stop", cwd=here)
    assert nothing.returncode == 2 and "no run is active" in nothing.stderr


def test_what_is_asked_while_a_run_is_handed_over_is_done_by_the_process_that_goes_on_with_it(here):
    run = detached(here, *UNENDING)
    wait_for(lambda: events(run, "step"))
    first = process_of(run)
    ask(run, {"command": "detach"})
    wait_for(lambda: events(run, "finished"))
    ask(run, {"command": "set_lr", "value": 0.0123})
    stopped = torchdeck("stop", run.name, cwd=here)
    assert stopped.returncode == 0 and "Stopped by hand at step" in stopped.stderr
    assert [event["command"] for event in events(run, "command")] == ["detach", "set_lr", "stop"]
    assert len(events(run, "run_started")) == 2 and pid_of(run) != first.pid
    assert listed(here, run)["status"] == "stopped"


def test_what_asks_a_run_that_does_not_answer_gives_up_in_time(here):
    run = detached(here, *UNENDING)
    process_of(run).suspend()
    result = torchdeck("pause", "--timeout", "1", cwd=here)
    assert result.returncode == 1
    assert "did not answer 'pause' within 1 s" in result.stderr and len(result.stderr.splitlines()) == 1


def test_a_run_whose_process_was_killed_is_stale_and_offered_for_resuming(here):
    run = detached(here, *UNENDING)
    wait_for(lambda: events(run, "checkpoint"))
    process_of(run).kill()
    wait_for(lambda: listed(here, run)["status"] == "stale")
    text = torchdeck("runs", cwd=here).stdout
    assert "stale" in text and f"torchdeck resume {run.name}" in text
    asked = torchdeck("pause", run.name, cwd=here)
    assert asked.returncode == 1 and "torchdeck resume" in asked.stderr
    resumed = torchdeck("resume", run.name, "--detach", cwd=here)
    assert resumed.returncode == 0 and resumed.stdout.strip() == run.name
    assert listed(here, run)["status"] == "live"
    assert events(run, "run_started")[-1]["resumed_from"]


def test_ctrl_c_before_a_detached_run_has_begun_leaves_no_process(here):
    process = begin_detached(here)
    (child,) = children_of(process)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_S) == 130
    assert process.stderr.read() == "Interrupted before the run had started.\n"
    assert not child.is_running()


def test_a_run_is_watched_from_elsewhere_to_its_end_by_several_at_once(here):
    run = detached(here, *UNENDING)
    lines = subprocess.Popen([*COMMAND, "attach", "--headless"], cwd=here, stderr=subprocess.PIPE, text=True)
    data = subprocess.Popen([*COMMAND, "attach", run.name, "--json"], cwd=here, stdout=subprocess.PIPE, text=True)
    gone = subprocess.Popen([*COMMAND, "attach", "--json"], cwd=here, stdout=subprocess.PIPE, text=True)
    assert json.loads(gone.stdout.readline())["event"] == "run_started"
    gone.stdout.close()
    assert gone.wait(PATIENCE_S) == 0
    for line in lines.stderr:
        if line.startswith("epoch "):
            break
    (run / "commands.jsonl").open("a").write('{"command": "set_lr", "value": 0.0005}\n')
    assert torchdeck("stop", cwd=here).returncode == 0
    assert data.wait(PATIENCE_S) == lines.wait(PATIENCE_S) == 0
    said = lines.stderr.read()
    (rate, _) = events(run, "command")
    lines_said = said.splitlines()
    before, after = rate["outcome"]["before"], rate["outcome"]["after"]
    assert f"Learning rate {before:.3g} → {after:.3g}." in lines_said
    assert "Stopped by hand; everything is being saved." in lines_said
    assert lines_said[-2:] == [f"The run is in {run}", f"Resume it with: torchdeck resume {run.name}"]
    assert [json.loads(line) for line in data.stdout] == events(run)
    afterwards = torchdeck("attach", "--json", cwd=here)
    assert afterwards.returncode == 0
    assert [json.loads(line) for line in afterwards.stdout.splitlines()] == events(run)


def test_ctrl_c_leaves_a_run_that_is_watched_as_it_is(here):
    run = detached(here, *UNENDING)
    viewer = subprocess.Popen([*COMMAND, "attach", "--headless"], cwd=here, stderr=subprocess.PIPE, text=True)
    viewer.stderr.readline()
    viewer.send_signal(signal.SIGINT)
    assert viewer.wait(PATIENCE_S) == 0
    said = viewer.stderr.read()
    assert f"{run.name} trains in its own process; closing this terminal does not stop it." in said.splitlines()
    assert f"torchdeck attach {run.name}\n" in said and said.endswith(f"torchdeck stop {run.name}\n")
    assert listed(here, run)["status"] == "live"


def test_who_watches_a_run_whose_process_is_killed_is_told_so(here):
    run = detached(here, *UNENDING)
    viewer = subprocess.Popen([*COMMAND, "attach", "--headless"], cwd=here, stderr=subprocess.PIPE, text=True)
    viewer.stderr.readline()
    process_of(run).kill()
    assert viewer.wait(PATIENCE_S) == 1
    assert f"Resume it with: torchdeck resume {run.name}" in viewer.stderr.read()
