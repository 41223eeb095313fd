"""The list of runs with the state of each, whatever the condition of their folders."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from engine.experiment.mistakes import Refused
from engine.protocol.events import Checkpoint, CommandDone, Epoch, Event, Finished, Log, Reason, RunStarted, Step
from engine.protocol.outcomes import MemoryReleased, Paused
from engine.runs import RunDirectory, find_run, list_runs, summarize
from engine.runs.resumes import Resume, record_resume


def started(run: RunDirectory, monitor: str | None = None, epochs: int = 30, **named: Any) -> RunStarted:
    stopping = {"monitor": monitor, "patience": 5} if monitor else None
    return RunStarted(
        run=run.name,
        directory=str(run.path),
        experiment={"name": "digits-cnn", "training": {"epochs": epochs, "early_stopping": stopping}},
        device="cpu",
        precision="float32",
        threads=1,
        parameters=100,
        train_samples=10,
        val_samples=5,
        steps_per_epoch=23,
        epochs=epochs,
        **named,
    )


def epoch(number: int, **named: Any) -> Epoch:
    fields = {"train_loss": 0.5, "lr": 1e-3, "seconds": 1.0, "samples_per_s": 10.0, "best": 0.25, "best_epoch": 2}
    return Epoch(epoch=number, step=number * 23, **(fields | named))


def step(number: int) -> Step:
    return Step(epoch=(number - 1) // 23 + 1, step=number, loss=0.1, lr=1e-3, samples_per_s=9.0)


def finished(reason: Reason = Reason.COMPLETED, **named: Any) -> Finished:
    fields: dict[str, Any] = {
        "epoch": 30,
        "step": 690,
        "best": 0.125,
        "best_epoch": 28,
        "seconds": 12.5,
        "message": "Trained.",
    }
    return Finished(reason=reason, **(fields | named))


def make(runs: Path, *events: Event, name: str = "digits-cnn") -> RunDirectory:
    run = RunDirectory.create(runs, name, f'name = "{name}"\n', {})
    for event in events:
        run.append(event)
    return run


def disown(run: RunDirectory, **named: Any) -> None:
    """Make the run look as if another process had trained it, with a lock that cannot be seen from here."""
    process = json.loads((run.path / "lock").read_text()) | {"flock": False} | named
    run.close()
    (run.path / "lock").write_text(json.dumps(process))


def test_an_ended_run_shows_how_it_ended(tmp_path: Path) -> None:
    for reason in set(Reason) - {Reason.DETACHED}:
        run = make(tmp_path)
        for event in (started(run, "val_accuracy", time=1000.0), epoch(1), step(24), epoch(2), finished(reason)):
            run.append(event)
        run.append(Log(message="a last word"))
        summary = summarize(run.path)
        assert summary is not None
        assert summary.status == reason
        assert (summary.name, summary.path, summary.experiment_name) == (run.name, run.path, "digits-cnn")
        assert (summary.epoch, summary.epochs, summary.started, summary.seconds) == (30, 30, 1000.0, 12.5)
        assert (summary.best, summary.best_epoch, summary.monitor) == (0.125, 28, "val_accuracy")
        assert summary.message == "Trained."


def test_a_detached_run_is_live_until_it_is_clear_that_no_process_resumes_it(tmp_path: Path) -> None:
    run = make(tmp_path)
    run.append(started(run))
    run.append(finished(Reason.DETACHED))
    run.close()
    assert [run.status for run in list_runs(tmp_path)] == ["live"]  # this process may start the other one
    environment = run.environment
    (run.path / "environment.json").write_text(json.dumps(environment | {"pid": 2**22 - 1}))
    assert [run.status for run in list_runs(tmp_path)] == ["stale"]
    (run.path / "environment.json").write_text(json.dumps(environment))
    run.append(finished(Reason.DETACHED, time=time.time() - 1000))
    assert [run.status for run in list_runs(tmp_path)] == ["stale"]


def test_a_paused_run_is_distinguished_from_one_that_trains(tmp_path: Path) -> None:
    run = make(tmp_path)
    asked = {"epoch": 1, "step": 5, "outcome": Paused()}
    for event, paused in (
        (started(run), False),
        (step(5), False),
        (CommandDone(command="pause", **asked), True),
        (CommandDone(command="checkpoint", **asked), True),
        (step(5), True),
        (CommandDone(command="continue", **asked), False),
        (CommandDone(command="pause", **asked), True),
        (step(6), False),
    ):
        run.append(event)
        summary = summarize(run.path)
        assert summary is not None and summary.paused is paused, event


def test_a_run_of_this_process_is_live_from_its_creation(tmp_path: Path) -> None:
    run = make(tmp_path)
    summary = summarize(run.path)
    assert summary is not None
    assert (summary.status, summary.epoch, summary.epochs, summary.best) == ("live", 0, 0, None)
    assert summary.experiment_name == "digits-cnn" and abs(summary.started - time.time()) < 60
    run.append(started(run))
    run.append(epoch(1))
    run.append(step(30))
    summary = summarize(run.path)
    assert summary is not None
    assert (summary.status, summary.epoch, summary.epochs) == ("live", 2, 30)
    assert (summary.best, summary.best_epoch, summary.monitor) == (0.25, 2, "val_loss")


def test_a_run_whose_process_was_killed_is_stale(tmp_path: Path) -> None:
    code = """
        import sys, time
        from pathlib import Path
        from engine.runs import RunDirectory
        from engine.protocol.events import Log
        run = RunDirectory.create(Path(sys.argv[1]), "x", "", {})
        run.append(Log(message="hello"))
        print("ready", flush=True)
        time.sleep(60)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    assert [run.status for run in list_runs(tmp_path)] == ["live"]
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert [run.status for run in list_runs(tmp_path)] == ["stale"]  # a zombie, which its parent did not wait for yet
    process.wait()
    assert [run.status for run in list_runs(tmp_path)] == ["stale"]


def test_a_reused_process_id_does_not_make_a_run_live(tmp_path: Path) -> None:
    run = make(tmp_path)
    disown(run, process_started=0.0)
    assert [r.status for r in list_runs(tmp_path)] == ["stale"]


def test_a_run_on_another_host_is_live_while_it_has_a_heartbeat(tmp_path: Path) -> None:
    run = make(tmp_path, Log(message="hello"))
    disown(run, host="gpu-box-7", pid=1)
    assert [r.status for r in list_runs(tmp_path)] == ["live"]
    an_hour_ago = time.time() - 3600
    os.utime(run.path / "lock", (an_hour_ago, an_hour_ago))
    assert [r.status for r in list_runs(tmp_path)] == ["stale"]


def test_a_run_resumed_after_its_end_is_live_again(tmp_path: Path) -> None:
    run = make(tmp_path)
    for event in (started(run, time=1000.0), epoch(5), finished(Reason.INTERRUPTED), started(run, resumed_from="x")):
        run.append(event)
    (summary,) = list_runs(tmp_path)
    assert (summary.status, summary.started, summary.message) == ("live", 1000.0, "")
    run.append(step(140))
    assert [r.status for r in list_runs(tmp_path)] == ["live"]
    run.append(finished(Reason.COMPLETED))
    assert [r.status for r in list_runs(tmp_path)] == ["completed"]


def test_the_last_epoch_is_found_behind_an_hour_of_steps(tmp_path: Path) -> None:
    run = make(tmp_path)
    run.append(started(run))
    run.append(epoch(3, best=0.75))
    with (run.path / "events.jsonl").open("ab") as file:
        for number in range(70, 20_000):
            file.write(step(number).to_json().encode() + b"\n")
    (summary,) = list_runs(tmp_path)
    assert summary.best == 0.75 and summary.epoch == (19_999 - 1) // 23 + 1


def test_a_killed_run_of_an_earlier_version_is_in_its_last_epoch_and_not_in_the_next(tmp_path: Path) -> None:
    late = step(690).model_copy(update={"epoch": 31})
    for events, shown in (((epoch(30), late), 30), ((epoch(29), step(690)), 30), ((epoch(30), late, step(40)), 2)):
        run = make(tmp_path / str(len(events)) / str(shown) / events[0].event)
        for event in (started(run), *events):
            run.append(event)
        disown(run, pid=2**22 + 5)
        summary = summarize(run.path)
        assert summary is not None and (summary.status, summary.epoch) == ("stale", shown)


def test_values_that_are_not_finite_are_read_as_numbers(tmp_path: Path) -> None:
    run = make(tmp_path)
    run.append(started(run))
    run.append(epoch(1, best=float("inf")))
    (summary,) = list_runs(tmp_path)
    assert summary.best == float("inf")


def test_the_number_of_epochs_is_that_of_the_last_resume_however_long_ago(tmp_path: Path) -> None:
    run = make(tmp_path)
    for event in (started(run, epochs=2), epoch(1), epoch(2), finished(epoch=2, step=46)):
        run.append(event)
    record_resume(run.path, Resume(overrides=("training.epochs=5",), epochs=5))
    run.append(started(run, epochs=5, resumed_from="x"))
    with (run.path / "events.jsonl").open("ab") as file:
        for number in range(47, 47 + 40_000):
            file.write(step(number).to_json().encode() + b"\n")
    assert (run.path / "events.jsonl").stat().st_size > 4 << 20
    (summary,) = list_runs(tmp_path)
    assert summary.epochs == 5


def test_checkpoints_have_the_best_value_of_an_epoch_that_ended_hours_ago(tmp_path: Path) -> None:
    run = make(tmp_path)
    run.append(started(run))
    run.append(epoch(1, best=0.75, best_epoch=1))
    with (run.path / "events.jsonl").open("ab") as file:
        for number in range(24, 24 + 40_000):
            file.write(step(number).to_json().encode() + b"\n")
            if number % 3000 == 0:
                saved = Checkpoint(kind="last", epoch=2, step=number, path="x", best=0.75, best_epoch=1)
                file.write(saved.to_json().encode() + b"\n")
    assert (run.path / "events.jsonl").stat().st_size > 4 << 20
    (summary,) = list_runs(tmp_path)
    assert (summary.best, summary.best_epoch) == (0.75, 1)


def test_a_run_that_saves_a_checkpoint_while_paused_is_paused(tmp_path: Path) -> None:
    run = make(tmp_path)
    saved = Checkpoint(kind="last", epoch=1, step=24, path="x", best=0.75, best_epoch=1)
    asked = CommandDone(command="pause", epoch=2, step=24, outcome=Paused())
    for event in (started(run), epoch(1), step(24), asked, step(24), *[saved] * 200):
        run.append(event)
    (summary,) = list_runs(tmp_path)
    assert summary.paused
    run.append(step(25))
    run.append(saved)
    (summary,) = list_runs(tmp_path)
    assert not summary.paused


def test_a_run_handed_over_with_its_memory_released_is_at_its_checkpoint(tmp_path: Path) -> None:
    run = make(tmp_path, name="released")
    saved = Checkpoint(kind="last", epoch=3, step=54, path="x", best=0.75, best_epoch=2)
    released = CommandDone(command="release", epoch=3, step=54, outcome=MemoryReleased(device="cuda:0"))
    for event in (started(run), epoch(2), step(54), saved, finished(Reason.DETACHED), started(run), released):
        run.append(event)
    summary = summarize(run.path)
    assert summary is not None and (summary.status, summary.paused, summary.epoch) == ("live", True, 3)
    assert (summary.best, summary.best_epoch) == (0.75, 2)


def test_the_position_of_a_run_is_shown_before_its_next_session_takes_a_step(tmp_path: Path) -> None:
    run = make(tmp_path)
    for event in (started(run), epoch(3, best=0.75), finished(Reason.INTERRUPTED), started(run, resumed_from="x")):
        run.append(event)
    (summary,) = list_runs(tmp_path)
    assert (summary.status, summary.epoch, summary.best, summary.message) == ("live", 3, 0.75, "")


def test_the_duration_of_a_run_is_that_of_all_its_sessions(tmp_path: Path) -> None:
    now = time.time()
    run = make(tmp_path)
    run.append(started(run, time=now - 5000))
    run.append(step(1))
    record_resume(run.path, Resume(overrides=(), time=now - 100, seconds_before=700.0))
    run.append(started(run, time=now - 100, resumed_from="x"))
    (summary,) = list_runs(tmp_path)
    assert summary.status == "live" and 800 <= summary.seconds < 860
    run.append(Log(message="its last word", time=now - 40))
    run.close()
    (summary,) = list_runs(tmp_path)
    assert summary.status == "stale" and 760 <= summary.seconds < 861


JUNK = (
    b"\xff\xfe junk\n",
    b'"text"\n[]\n{}\nnull\n',
    b'{"event": "of a later version", "time": 5}\n',
    b'{"event": "step"}\n{"event": "run_started"}\n{"event": "command", "command": "pause"}\n',
    b'{"event": "step", "epoch": 1, "step": 3, "loss": 1, "lr": 1, "samples_per_s": 1}\n',
    b'{"event": "command", "command": "pause", "epoch": 1, "step": 999, "outcome": "paused"}\n',
    b'{"event": "finished", "reason": "failed"}\n{"event": "finished", "reason": "abducted", "epoch": 1, "step": 1}\n',
    b"x" * 100_000 + b"\n",
    b"\n" * 100_000,
    b'{"event": "run_started"',
)


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("best", [0.125, None])
def test_junk_after_its_end_does_not_change_the_state_of_a_run(tmp_path: Path, junk: bytes, best: float | None) -> None:
    run = make(tmp_path)
    for event in (started(run), epoch(30, best=None), step(690), finished(best=best)):
        run.append(event)
    run.close()
    before = list_runs(tmp_path)
    with (run.path / "events.jsonl").open("ab") as file:
        file.write(junk)
    assert list_runs(tmp_path) == before and before[0].status == "completed"
    again = RunDirectory.open(run.path)
    again.append(started(again, resumed_from="x"))
    again.close()
    assert [r.status for r in list_runs(tmp_path)] == ["stale"]


def test_a_run_without_its_experiment_is_listed_and_found_with_a_note(tmp_path: Path) -> None:
    run = make(tmp_path, name="mine")
    for event in (started(run), epoch(1), finished()):
        run.append(event)
    run.close()
    (run.path / "experiment.toml").unlink()
    (summary,) = list_runs(tmp_path)
    assert (summary.status, summary.experiment_name, summary.epochs) == ("completed", "digits-cnn", 30)
    assert "experiment.toml is missing" in summary.problem and "torchdeck resume" in summary.problem
    assert find_run(tmp_path, "mine") == run.path and find_run(tmp_path, str(run.path)) == run.path


@pytest.mark.parametrize("events", [None, "", '{"event": "deployed"}\n'])
def test_a_folder_of_another_program_is_not_a_run(tmp_path: Path, events: str | None) -> None:
    (tmp_path / "mine").mkdir()
    if events is None:
        (tmp_path / "mine" / "experiment.toml").write_text('name = "mine"')
    else:
        (tmp_path / "mine" / "events.jsonl").write_text(events)
    assert list_runs(tmp_path) == []
    with pytest.raises(Refused, match="no run"):
        find_run(tmp_path, "mine")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"\xff" * 40_000,
        b'{"event": "run_started", "experiment": 3, "epochs": "many", "time": "soon"}\n',
        b'{"event": "finished", "reason": ["x"], "best": {}, "seconds": null, "epoch": 1e999}\n',
        b'{"event": "epoch", "epoch": "NaN", "best": "NaN", "best_epoch": "Infinity", "time": "NaN"}\n',
        b'{"event": "step", "epoch": ' + b"9" * 5000 + b"}\n",
        b"[" * 100_000 + b"\n",
        b'{"event": "finished", "reason": "completed"',
    ],
)
def test_damaged_events_never_prevent_the_list(tmp_path: Path, content: bytes) -> None:
    run = make(tmp_path)
    (run.path / "events.jsonl").write_bytes(content)
    run.close()
    (summary,) = list_runs(tmp_path)
    assert summary.status == "stale" and summary.experiment_name == "digits-cnn"


def test_a_run_with_a_damaged_lock_is_stale(tmp_path: Path) -> None:
    run = make(tmp_path)
    run.close()
    here = socket.gethostname()
    for process in (b"", b"[]", b"\xff", b'{"pid": 1e400, "host": "%s"}', b'{"pid": -1, "host": "%s"}', b"[" * 100_000):
        (run.path / "lock").write_bytes(process.replace(b"%s", here.encode()))
        assert [r.status for r in list_runs(tmp_path)] == ["stale"]


def test_a_resumed_run_is_live_before_its_model_is_built(tmp_path: Path) -> None:
    run = make(tmp_path)
    run.append(started(run))
    run.stop_heartbeat()
    run.append(finished(Reason.INTERRUPTED))
    assert [r.status for r in list_runs(tmp_path)] == ["interrupted"]  # although the session still has its lock
    run.close()
    time.sleep(0.05)
    again = RunDirectory.open(run.path)
    assert [r.status for r in list_runs(tmp_path)] == ["live"]
    again.close()
    assert [r.status for r in list_runs(tmp_path)] == ["interrupted"]


def test_a_folder_that_is_not_a_run_is_not_listed(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "experiment.toml").write_text("")
    assert len(list_runs(tmp_path)) == 1
    assert list_runs(tmp_path / "missing") == []


def test_the_newest_run_comes_first(tmp_path: Path) -> None:
    names = []
    for when in (3000.0, 1000.0, 2000.0):
        run = make(tmp_path)
        run.append(started(run, time=when))
        names.append(run.name)
    assert [run.name for run in list_runs(tmp_path)] == [names[0], names[2], names[1]]
    assert find_run(tmp_path, None).name == names[0]


def test_a_run_is_found_by_name_by_its_beginning_by_experiment_and_by_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.strftime", lambda form: "2026-11-23T16-15-30")
    cnn, lstm = make(tmp_path, name="digits-cnn").path, make(tmp_path, name="digits-lstm").path
    second = make(tmp_path, name="digits-lstm").path
    assert find_run(tmp_path, cnn.name) == cnn
    assert find_run(tmp_path, lstm.name) == lstm  # although the name of the second run begins with it
    assert find_run(tmp_path, second.name) == second
    assert find_run(tmp_path, "2026-11-23T16-15-30-digits-c") == cnn
    assert find_run(tmp_path, "digits-cnn") == cnn
    assert find_run(tmp_path / "elsewhere", str(cnn)) == cnn
    monkeypatch.chdir(tmp_path)
    assert find_run(tmp_path / "elsewhere", f"./{cnn.name}/") == cnn


def test_an_ambiguous_or_unknown_name_is_refused_with_similar_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.strftime", lambda form: "2026-11-23T16-15-30")
    cnn, lstm = make(tmp_path, name="digits-cnn").path, make(tmp_path, name="digits-lstm").path
    with pytest.raises(Refused, match="2 runs") as refused:
        find_run(tmp_path, "2026")
    assert cnn.name in str(refused.value) and lstm.name in str(refused.value)
    with pytest.raises(Refused, match=f"Did you mean {lstm.name}"):
        find_run(tmp_path, "2026-11-23T16-15-30-digits-lsmt")
    with pytest.raises(Refused, match="torchdeck train"):
        find_run(tmp_path / "empty", None)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../outside", "inside/../../outside", "/etc", "x\0y", "a/\0", "~root/x"]
)
def test_a_name_never_selects_a_folder_outside_the_runs_that_is_not_a_run(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "experiment.toml").write_text("")
    make(tmp_path / "runs")
    with pytest.raises(Refused):
        find_run(tmp_path / "runs", name)


def test_a_thousand_runs_are_listed_within_seconds(tmp_path: Path) -> None:
    run = make(tmp_path)
    run.append(started(run, "val_loss", lr_plan=[(n, n / 256) for n in range(256)]))
    for number in range(1, 400):
        run.append(step(number))
    for number in range(1, 31):
        run.append(epoch(number))
    run.append(finished())
    run.close()
    content = {path.name: path.read_bytes() for path in run.path.iterdir() if path.is_file()}
    for number in range(999):
        copy = tmp_path / f"2026-01-01T00-00-00-digits-cnn-{number}"
        copy.mkdir()
        for name, data in content.items():
            (copy / name).write_bytes(data)
    list_runs(tmp_path)
    began = time.process_time()
    runs = list_runs(tmp_path)
    took_s = time.process_time() - began
    assert len(runs) == 1000 and {r.status for r in runs} == {"completed"}
    assert took_s < 3.0, took_s  # several times the usual time, which tests/benchmarks/list_runs.py measures


def test_a_name_that_no_folder_can_have_is_not_a_run(tmp_path):
    with pytest.raises(Refused, match="this is not a run"):
        find_run(tmp_path, f"{'a' * 300}/x")
