"""`torchdeck runs`, `runs show` and `runs rm` on the command line."""

import ctypes
import json
import os
import pty
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from test_cli import COMMAND, refused, torchdeck

from engine.protocol.events import Epoch, Finished, Reason, RunStarted
from engine.runs import RunDirectory
from engine.runs.run_lock import RunLock


def ended(runs: Path, name: str) -> Path:
    run = RunDirectory.create(runs, name, f'name = "{name}"\n', {})
    run.append(
        RunStarted(
            run=run.name,
            directory=str(run.path),
            experiment={"name": name},
            device="cpu",
            precision="float32",
            threads=1,
            parameters=1,
            train_samples=1,
            val_samples=1,
            steps_per_epoch=1,
            epochs=1,
        )
    )
    run.append(Finished(reason=Reason.COMPLETED, epoch=1, step=1, seconds=1.0, message="Trained 1 epoch."))
    run.close()
    return run.path


def of(result):
    """The output of a command that succeeded."""
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    return result.stdout


def test_a_run_resumed_for_more_epochs_shows_them_and_the_duration_of_all_sessions(tmp_path):
    few = ["--headless", "--set", "training.threads=1", "--set"]
    of(torchdeck("train", "digits-cnn", *few, "training.epochs=2", cwd=tmp_path))
    of(torchdeck("resume", "--headless", "--set", "training.epochs=4", cwd=tmp_path))
    of(torchdeck("resume", "--headless", "--set", "training.epochs=5", cwd=tmp_path))
    assert "5/5" in of(torchdeck("runs", cwd=tmp_path))
    (run,) = json.loads(of(torchdeck("runs", "--json", cwd=tmp_path)))
    events = [json.loads(line) for line in (Path(run["path"]) / "events.jsonl").read_text().splitlines()]
    ends = [event for event in events if event["event"] == "finished"]
    spent = sum(event["seconds"] for event in events if event["event"] == "epoch")
    assert len(ends) == 3 and run["epochs"] == 5
    assert run["seconds"] == ends[-1]["seconds"] > ends[1]["seconds"] > ends[0]["seconds"] and run["seconds"] >= spent
    shown = of(torchdeck("runs", "show", cwd=tmp_path))
    assert "epochs = 5" in shown and "epochs = 2" not in shown and "training.epochs=5" in shown
    assert json.loads(of(torchdeck("runs", "show", "--json", cwd=tmp_path)))["experiment"]["training"]["epochs"] == 5


def test_a_killed_session_counts_until_its_last_event(tmp_path):
    arguments = ["train", "digits-cnn", "--headless", "--runs-dir", "runs", "--set", "training.epochs=100000"]
    process = subprocess.Popen(
        [*COMMAND, *arguments, "--set", "training.early_stopping=false"], cwd=tmp_path, stderr=subprocess.PIPE
    )
    for line in process.stderr:
        if line.startswith(b"epoch "):
            break
    process.kill()
    process.wait()
    time.sleep(1.5)
    (stale,) = json.loads(of(torchdeck("runs", "--json", cwd=tmp_path)))
    assert stale["status"] == "stale" and stale["seconds"] > 0
    of(torchdeck("resume", "--headless", "--set", "training.epochs=2000", "--detach", cwd=tmp_path))
    of(torchdeck("stop", cwd=tmp_path))
    (run,) = json.loads(of(torchdeck("runs", "--json", cwd=tmp_path)))
    events = [json.loads(line) for line in (Path(run["path"]) / "events.jsonl").read_text().splitlines()]
    last = max(i for i, event in enumerate(events) if event["event"] == "run_started")
    session_s = events[-1]["time"] - events[last]["time"]
    assert run["status"] == "stopped" and run["epochs"] == 2000
    assert stale["seconds"] + session_s - 0.1 <= run["seconds"] <= stale["seconds"] + session_s + 5


def test_runs_show_shows_the_epochs_of_a_long_run_too(tmp_path):
    path = ended(tmp_path / "runs", "long")
    step = {"event": "step", "time": 1.0, "epoch": 1, "step": 1, "loss": 0.5, "lr": 1e-3, "samples_per_s": 1}
    with (path / "events.jsonl").open("a") as file:
        file.write(f"{json.dumps(step)}\n" * 20_000)
        file.write(Epoch(epoch=77, step=9, train_loss=0.25, lr=1e-3, seconds=1, samples_per_s=1).to_json() + "\n")
    assert (path / "events.jsonl").stat().st_size > 1 << 20
    (row,) = [line for line in of(torchdeck("runs", "show", cwd=tmp_path)).splitlines() if "0.25" in line]
    assert row.split()[0] == "77"


def test_a_best_value_that_is_not_finite_is_valid_json(tmp_path):
    path = ended(tmp_path / "runs", "wild")
    epoch = Epoch(epoch=1, step=9, train_loss=0.25, lr=1e-3, seconds=1, samples_per_s=1, best=float("inf"))
    lines = (path / "events.jsonl").read_text().splitlines(keepends=True)
    (path / "events.jsonl").write_text("".join([lines[0], epoch.to_json() + "\n", lines[1]]))

    def strict(constant):
        raise AssertionError(constant)

    for arguments in (["runs", "--json"], ["runs", "show", "--json"]):
        said = of(torchdeck(*arguments, cwd=tmp_path))
        json.loads(said, parse_constant=strict)
        assert '"best": "Infinity"' in said


def no_folder(at: Path) -> Path:
    at.write_text("")
    return at


def below_a_file(at: Path) -> Path:
    at.write_text("")
    return at / "runs"


def a_loop(at: Path) -> Path:
    at.symlink_to(at)
    return at


def too_long(at: Path) -> Path:
    return at.with_name("a" * 300)


@pytest.mark.parametrize("place", [no_folder, below_a_file, a_loop, too_long])
def test_a_folder_of_runs_that_cannot_be_read_is_reported_and_not_shown_as_empty(place, tmp_path):
    folder = place(tmp_path / "it")
    for arguments in (["runs"], ["runs", "--json"], ["runs", "--runs-dir", str(folder), "show"], ["resume"], ["stop"]):
        (line,) = refused(torchdeck(*arguments, cwd=tmp_path, env={"TORCHDECK_RUNS": str(folder)}))
        assert line.startswith(f"{folder}: the folder of runs cannot be read (") and "--runs-dir" in line
    nothing = tmp_path / "nothing"
    assert "no runs in" in of(torchdeck("runs", cwd=tmp_path, env={"TORCHDECK_RUNS": str(nothing)}))


def test_a_run_that_cannot_be_read_is_listed_with_the_reason_and_hides_no_other(tmp_path):
    good, linked, odd = (ended(tmp_path / "runs", name) for name in ("good", "linked", "odd"))
    (linked / "events.jsonl").rename(tmp_path / "kept")
    (linked / "events.jsonl").symlink_to(tmp_path / "kept")
    (odd / "events.jsonl").unlink()
    (odd / "events.jsonl").mkdir()
    (tmp_path / "runs" / "loop").symlink_to("loop")
    listed = of(torchdeck("runs", cwd=tmp_path))
    assert f"✓  {good.name}" in listed and "Too many levels of symbolic links" in listed
    runs = {run["name"]: run for run in json.loads(of(torchdeck("runs", "--json", cwd=tmp_path)))}
    assert runs[good.name]["status"] == "completed" and runs[good.name]["problem"] == ""
    for name in (linked.name, odd.name, "loop"):
        assert runs[name]["status"] == "unreadable" and "cannot be read" in runs[name]["problem"]
        for command in (["runs", "show"], ["resume", "--headless"], ["attach", "--headless"], ["stop"]):
            (line,) = refused(torchdeck(*command, name, cwd=tmp_path))
            assert "cannot be read" in line and name in line
    assert good.name in of(torchdeck("runs", "show", cwd=tmp_path))  # the newest that can be read


def under_permissions() -> None:
    """Make permissions apply to a child that root starts, as to any other user."""
    if os.geteuid() == 0:
        drop_from_bounding_set, dac_override, dac_read_search = 24, 1, 2
        for capability in (dac_override, dac_read_search):
            if ctypes.CDLL(None).prctl(drop_from_bounding_set, capability, 0, 0, 0):
                raise OSError("capabilities cannot be dropped here")


def test_a_run_without_permission_hides_no_other_and_such_a_folder_is_not_shown_as_empty(tmp_path):
    mine, theirs, file = (ended(tmp_path / "runs", name) for name in ("mine", "theirs", "file"))
    theirs.chmod(0)
    (file / "events.jsonl").chmod(0)
    try:
        result = torchdeck("runs", "--json", cwd=tmp_path, preexec_fn=under_permissions)
        runs = {run["name"]: run for run in json.loads(of(result))}
        assert runs[mine.name]["status"] == "completed"
        for path in (theirs, file):
            assert runs[path.name]["status"] == "unreadable"
            assert "Permission denied" in runs[path.name]["problem"]
        (tmp_path / "runs").chmod(0)
        (line,) = refused(torchdeck("runs", cwd=tmp_path, preexec_fn=under_permissions))
        assert "the folder of runs cannot be read (Permission denied)" in line
    finally:
        (tmp_path / "runs").chmod(0o700)
        theirs.chmod(0o700)


def test_a_run_without_its_experiment_can_be_shown_and_resumed(tmp_path):
    trained = ["train", "digits-cnn", "--headless", "--set", "training.threads=1", "--set", "training.epochs=1"]
    of(torchdeck(*trained, cwd=tmp_path))
    (run,) = (tmp_path / "runs").iterdir()
    text = (run / "experiment.toml").read_text()
    (run / "experiment.toml").unlink()
    listed = of(torchdeck("runs", cwd=tmp_path))
    assert "completed" in listed and "1/1" in listed and "experiment.toml is missing" in listed
    shown = of(torchdeck("runs", "show", cwd=tmp_path))
    assert "experiment.toml is missing" in shown and text.rstrip() in shown
    again = torchdeck("resume", run.name, "--headless", "--set", "training.epochs=2", cwd=tmp_path)
    assert "epoch 2/2" in again.stderr and "experiment.toml was missing" in again.stderr
    assert of(again) == "" and (run / "experiment.toml").read_text() == text
    assert (run / "experiment.toml").stat().st_mode & 0o777 == 0o600
    assert "missing" not in of(torchdeck("runs", cwd=tmp_path))


def test_a_run_without_its_experiment_in_file_and_events_is_not_resumed(tmp_path):
    trained = ["train", "digits-cnn", "--headless", "--set", "training.threads=1", "--set", "training.epochs=1"]
    of(torchdeck(*trained, cwd=tmp_path))
    (run,) = (tmp_path / "runs").iterdir()
    (run / "experiment.toml").unlink()
    events = (run / "events.jsonl").read_text()
    (run / "events.jsonl").write_text(events.replace('"layers":', '"players":', 1))
    assert "do not have the complete experiment" in of(torchdeck("runs", "show", cwd=tmp_path))
    (line,) = refused(torchdeck("resume", "--headless", cwd=tmp_path))
    assert "experiment.toml" in line and "do not have the complete experiment" in line
    assert not (run / "experiment.toml").exists()


def test_a_killed_removal_is_finished_by_the_next_command(tmp_path):
    killed = """
        import os, signal, sys
        from pathlib import Path
        import engine.runs.removal as removal
        removal.shutil.rmtree = lambda path: os.kill(os.getpid(), signal.SIGKILL)
        removal.remove_run(Path(sys.argv[1]))
    """
    for command in (["runs"], ["runs", "rm", "--yes", "other"]):
        other, run = ended(tmp_path / "runs", "other"), ended(tmp_path / "runs", "gone")
        process = subprocess.run([sys.executable, "-c", textwrap.dedent(killed), str(run)], timeout=60, check=False)
        removing = run.with_name(f".removing-{run.name}")
        assert process.returncode == -signal.SIGKILL and removing.is_dir() and not run.exists()
        lock = RunLock(removing)  # as another process that removes it
        of(torchdeck("runs", cwd=tmp_path))
        assert removing.is_dir()
        lock.release()
        result = torchdeck(*command, cwd=tmp_path)
        assert "gone" not in of(result) and f"{run.name}: its removal was interrupted" in result.stderr
        assert not removing.exists() and other.exists() is (command == ["runs"])
        if other.exists():
            of(torchdeck("runs", "rm", "--yes", "other", cwd=tmp_path))


def test_finishing_a_removal_follows_no_link(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("mine")
    removing = tmp_path / "runs" / ".removing-x"
    removing.mkdir(parents=True)
    (removing / "checkpoints").symlink_to(tmp_path / "precious")
    (tmp_path / "runs" / ".removing-y").symlink_to(tmp_path / "precious")
    of(torchdeck("runs", cwd=tmp_path))
    assert not removing.exists() and (tmp_path / "precious" / "file").read_text() == "mine"


def test_without_a_terminal_removing_names_the_option_and_removes_nothing(tmp_path):
    run = ended(tmp_path / "runs", "mine")
    (line,) = refused(torchdeck("runs", "rm", "mine", cwd=tmp_path))
    assert "--yes" in line and run.name in line and run.exists()


@pytest.mark.parametrize(("answer", "is_gone"), [(b"n\n", False), (b"y\n", True)])
def test_a_terminal_asks_before_a_run_is_removed(answer, is_gone, tmp_path):
    run = ended(tmp_path / "runs", "mine")
    deck, terminal = pty.openpty()
    command = [*COMMAND, "runs", "--runs-dir", "runs", "rm", "mine"]
    process = subprocess.Popen(command, cwd=tmp_path, stdin=terminal, stderr=subprocess.PIPE)
    os.write(deck, answer)
    assert b"permanently?" in process.communicate(timeout=60)[1]
    os.close(deck)
    os.close(terminal)
    assert process.returncode == (0 if is_gone else 1) and run.exists() is not is_gone


def test_every_sentence_about_a_stale_run_begins_with_a_capital(tmp_path):
    path = ended(tmp_path / "runs", "left")
    lines = (path / "events.jsonl").read_text().splitlines(keepends=True)
    (path / "events.jsonl").write_text(lines[0])
    said = of(torchdeck("runs", "show", cwd=tmp_path)).splitlines()[0]
    assert said.startswith(f"? {path.name}: stale: its process exited unexpectedly. Resume it with: torchdeck resume")
    assert ". its" not in of(torchdeck("runs", cwd=tmp_path))
