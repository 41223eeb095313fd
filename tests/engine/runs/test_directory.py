"""The run directory that a session writes, and what happens when it cannot be written to."""

import json
import os
import re
import resource
import shutil
import stat
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import psutil
import pytest

from engine.experiment.mistakes import Refused
from engine.protocol.events import Device, Event, Log, Step, event_from_json
from engine.runs import Follower, RunDirectory, runs_dir
from engine.runs.directory import read_environment


def log(text: str) -> Log:
    return Log(message=text)


def messages(path: Path) -> list[str]:
    return [event.message for event in Follower(path).drain() if isinstance(event, Log)]


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path / "runs", "digits-cnn", 'name = "digits-cnn"\n', {"torch": "2.15.0"})


def test_a_run_is_a_folder_named_by_its_start_and_its_experiment(run: RunDirectory) -> None:
    assert run.path.parent.name == "runs" and run.name == run.path.name
    assert sorted(path.name for path in run.path.iterdir()) == [
        "checkpoints",
        "commands.jsonl",
        "environment.json",
        "events.jsonl",
        "experiment.toml",
        "lock",
    ]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-digits-cnn", run.name)
    assert (run.path / "experiment.toml").read_text() == 'name = "digits-cnn"\n'
    assert run.checkpoints == run.path / "checkpoints"


def test_the_environment_names_the_process_that_trains(run: RunDirectory) -> None:
    environment = json.loads((run.path / "environment.json").read_text())
    assert environment["torch"] == "2.15.0" and environment["pid"] == os.getpid()
    assert environment["process_started"] == psutil.Process().create_time()
    assert run.environment == environment


def test_only_the_owner_can_read_the_files(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        run = RunDirectory.create(tmp_path / "deep" / "runs", "x", "", {})
        run.append(log("hello"))
        run.write_log("a traceback")
    finally:
        os.umask(before)
    for path in (tmp_path / "deep" / "runs", run.path, *run.path.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_runs_that_start_in_the_same_second_get_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.strftime", lambda form: "2026-11-23T16-15-30")
    names = [RunDirectory.create(tmp_path, "gru", "", {}).name for _ in range(3)]
    assert names == [f"2026-11-23T16-15-30-gru{number}" for number in ("", "-2", "-3")]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "-x", "a\n", "a\x1b[2J", "é", "a" * 65, "a b", "a\0"])
def test_a_name_that_could_leave_the_folder_or_harm_a_terminal_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Refused, match="cannot name a run") as refused:
        RunDirectory.create(tmp_path / "runs", name, "", {})
    assert "\x1b" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_refused_in_one_sentence_with_the_fix(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "runs", Path("/proc/runs")):
        with pytest.raises(Refused) as refused:
            RunDirectory.create(folder, "x", "", {})
        (mistake,) = refused.value.mistakes
        assert mistake.path == str(folder)
        assert "--runs-dir" in mistake.fix and "TORCHDECK_RUNS" in mistake.fix
        assert "\n" not in str(mistake)


def test_an_experiment_that_utf8_cannot_encode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"experiment\.toml"):
        RunDirectory.create(tmp_path, "x", "path = 'caf\udce9'", {})
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_could_not_be_created_completely_leaves_no_folder(tmp_path: Path) -> None:
    code = """
        import resource, sys
        from pathlib import Path
        from engine.experiment.mistakes import Refused
        from engine.runs import RunDirectory
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        try:
            RunDirectory.create(Path(sys.argv[1]), "x", "#" * 200, {})
        except Refused as refused:
            print(refused)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.startswith(f"{tmp_path}: a run cannot be written there (File too large)"), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_events_are_read_as_they_were_written(run: RunDirectory) -> None:
    events: list[Event] = [
        log("a\nb \x1b[31m é"),
        Step(epoch=1, step=1, loss=float("nan"), lr=1e-3, samples_per_s=5.0),
    ]
    for event in events:
        assert run.append(event) is None
    lines = (run.path / "events.jsonl").read_bytes().split(b"\n")
    assert len(lines) == 3 and lines[2] == b""
    assert event_from_json(lines[0]) == events[0]
    assert json.loads(lines[1])["loss"] == "NaN"


def test_a_viewer_can_read_an_event_as_soon_as_it_is_appended(run: RunDirectory) -> None:
    follower = Follower(run.path)
    for number in range(3):
        run.append(log(str(number)))
        assert [event.message for event in follower.drain() if isinstance(event, Log)] == [str(number)]


def test_several_threads_append_complete_lines(run: RunDirectory) -> None:
    def work(name: int) -> None:
        for number in range(200):
            run.append(log(f"{name}:{number}:" + "x" * 500))

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = messages(run.path)
    assert len(found) == 800
    for name in range(4):
        assert [int(m.split(":")[1]) for m in found if m.startswith(f"{name}:")] == list(range(200))


def test_text_that_utf8_cannot_encode_does_not_end_the_run(run: RunDirectory) -> None:
    reported = run.append(log("caf\udce9"))
    assert reported is not None and "log" in reported
    assert run.append(log("next")) is None
    assert messages(run.path) == ["next"]


def test_a_deleted_folder_is_reported_once_and_important_events_are_written_later(run: RunDirectory) -> None:
    run.append(log("before"))
    shutil.rmtree(run.path)
    reported = run.append(log("one"))
    assert (
        reported is not None
        and "events.jsonl" in reported
        and "Training continues" in reported
        and run.failure == reported
    )
    assert run.append(Step(epoch=1, step=1, loss=1.0, lr=1.0, samples_per_s=1.0)) is None
    assert run.append(Device(memory_bytes=1, memory_total_bytes=2)) is None
    assert run.append(log("two")) is None
    assert run.close() is False
    run.path.mkdir()
    assert run.append(log("three")) is None
    assert run.failure is None
    assert messages(run.path) == ["one", "two", "three"]
    assert [event.event for event in Follower(run.path).drain()] == ["log"] * 3
    assert run.close() is True


def test_waiting_events_are_written_by_close(run: RunDirectory) -> None:
    (run.path / "events.jsonl").unlink()
    (run.path / "events.jsonl").mkdir()
    assert run.append(log("waiting")) is not None
    (run.path / "events.jsonl").rmdir()
    assert run.close() is True
    assert messages(run.path) == ["waiting"]


def test_a_full_disk_tears_no_line_and_loses_no_important_event(tmp_path: Path) -> None:
    code = """
        import json, resource, sys
        from pathlib import Path
        from engine.runs import RunDirectory
        from engine.protocol.events import Log
        for full in range(3_000, 3_130):  # the disk is full at any place in a line
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            run = RunDirectory.create(Path(sys.argv[1]), "x", "", {})
            resource.setrlimit(resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
            reported = [run.append(Log(message=str(number))) for number in range(50)]
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            reported += [run.append(Log(message=str(number))) for number in range(50, 60)]
            run.close()
            print(json.dumps([str(run.path), [s for s in reported if s]]))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == 130
    for path, reported in results:
        assert len(reported) == 1 and "File too large" in reported[0]
        follower = Follower(Path(path))
        assert [e.message for e in follower.drain() if isinstance(e, Log)] == [str(number) for number in range(60)]
        assert follower.skipped_lines == 0


def test_appending_after_a_torn_line_begins_a_new_line(run: RunDirectory) -> None:
    run.append(log("whole"))
    run.close()
    with (run.path / "events.jsonl").open("ab") as file:
        file.write(b'{"event": "log", "mess')
    again = RunDirectory.open(run.path)
    again.append(log("after"))
    follower = Follower(run.path)
    assert [e.message for e in follower.drain() if isinstance(e, Log)] == ["whole", "after"]
    assert follower.skipped_lines == 1


def test_a_link_in_place_of_the_events_file_is_not_followed(run: RunDirectory, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("mine")
    (run.path / "events.jsonl").unlink()
    (run.path / "events.jsonl").symlink_to(target)
    assert run.append(log("x")) is not None
    assert target.read_text() == "mine"


def test_taking_over_a_run_keeps_the_rest_of_its_environment(run: RunDirectory) -> None:
    (run.path / "environment.json").write_text('{"torch": "2.10", "pid": 1, "host": "elsewhere", "process_started": 1}')
    run.close()
    again = RunDirectory.open(run.path)
    again.take_over()
    assert again.environment["torch"] == "2.10"
    assert again.environment["pid"] == os.getpid() and again.environment["host"] != "elsewhere"
    again.take_over({"torch": "2.15"})
    assert again.environment["torch"] == "2.15"


def test_opening_a_folder_that_is_not_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="not a run"):
        RunDirectory.open(tmp_path)


def test_the_folder_of_runs_is_the_option_then_the_variable_then_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TORCHDECK_RUNS", raising=False)
    assert runs_dir(None) == tmp_path / "runs"
    monkeypatch.setenv("TORCHDECK_RUNS", "/elsewhere/runs")
    assert runs_dir(None) == Path("/elsewhere/runs")
    assert runs_dir("here") == tmp_path / "here"
    assert runs_dir("~/r") == Path.home() / "r"
    monkeypatch.setenv("TORCHDECK_RUNS", "")
    assert runs_dir() == tmp_path / "runs"


def test_appending_takes_almost_no_time_from_training(run: RunDirectory) -> None:
    step = Step(epoch=1, step=1, loss=1.0, lr=1.0, samples_per_s=1.0)
    run.append(step)
    before = resource.getrusage(resource.RUSAGE_THREAD)
    for _ in range(1000):
        run.append(step)
        run.new_commands()
    after = resource.getrusage(resource.RUSAGE_THREAD)
    used_s = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    # Ten a second are at most 0.5 % of a core, on a machine ten times slower than the one of this figure.
    assert used_s / 1000 < 0.5e-3


@pytest.mark.timeout(20)
def test_a_pipe_in_place_of_the_environment_is_not_waited_for(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "x", "", {"torch": "2"})
    run.close()
    (run.path / "environment.json").unlink()
    os.mkfifo(run.path / "environment.json")
    assert read_environment(run.path) == {}
    again = RunDirectory.open(run.path)
    again.take_over()
    assert read_environment(run.path)["pid"] == os.getpid()
    again.close()
