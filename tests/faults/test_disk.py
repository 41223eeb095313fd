"""A disk that fills or becomes read-only, a folder that is removed: training continues and reports it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from engine.experiment import reads
from engine.plan import check
from engine.protocol.commands import Simple
from engine.protocol.events import Checkpoint, Epoch, Event, Log, Reason, RunStarted
from engine.runs import Follower, find_run, list_runs
from engine.training import checkpoint_writer
from engine.training.checkpoint import checkpoints_in, load_checkpoint, newest_checkpoint
from engine.training.session import Session

# A checkpoint has 0.9 MB: three of them, and one that is being written, fit into 8 MB.
RUN = """
[data]
source = "digits"
[model]
layers = ["Flatten", {type = "Linear", out_features = 1024}, "ReLU", {type = "Linear", out_features = "auto"}]
[training]
epochs = 100000
threads = 1
checkpoint_every_s = 1e-6
"""


STARTED: list[Session] = []


def session_in(folder: Path) -> Session:
    session = Session.create(check(reads(RUN)), runs_dir=folder)
    session.start()
    STARTED.append(session)
    return session


CHECKED: dict[int, int] = {}
"""How many events of each list `until` has checked, since several may come at the same time."""


def until(session: Session, seen: list[Event], text: str, timeout_s: float = 40) -> str:
    """Wait for an event with this text or type; all events go into `seen`. Returns its message."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        seen += session.drain()
        while CHECKED.get(id(seen), 0) < len(seen):
            event = seen[CHECKED.get(id(seen), 0)]
            CHECKED[id(seen)] = CHECKED.get(id(seen), 0) + 1
            if text in (event.message if isinstance(event, Log) else type(event).__name__):
                return event.message if isinstance(event, Log) else ""
        assert session.alive, session.finished
        time.sleep(0.02)
    raise AssertionError(f"no event has {text!r}: {[e.message for e in seen if isinstance(e, Log)]}")


def stopped(session: Session, seen: list[Event]) -> Event:
    session.send(Simple(command="stop"))
    assert session.join(60)
    seen += session.drain()
    return seen[-1]


def assert_all_intact(run: Path) -> None:
    folders = checkpoints_in(run / "checkpoints")
    assert folders
    for folder in folders:
        assert all(torch.isfinite(t).all() for t in load_checkpoint(folder).model.values())


def fill(disk: Path) -> Path:
    """Write a file that takes all the space left."""
    rest = disk / "rest"
    with rest.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(1 << 12)):
            pass
    return rest


@pytest.fixture(autouse=True)
def short_intervals(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(checkpoint_writer, "RETRY_S", 0.3)
    monkeypatch.setattr("engine.training.folder_guard.CHECK_S", 0.2)
    yield
    while STARTED:  # no session of a failed test trains forever
        STARTED[-1].interrupt()
        STARTED.pop().join(60)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a file system of 8 MB cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


def test_a_disk_that_fills_during_the_run_loses_no_checkpoint_and_saving_resumes_when_space_returns(
    small_disk: Path,
) -> None:
    CHECKED.clear()
    session, seen = session_in(small_disk / "runs"), []
    until(session, seen, "Epoch")
    until(session, seen, "Checkpoint")
    rest = fill(small_disk)
    said = until(session, seen, "The checkpoint could not be written")
    assert "No space left on device" in said and "writing is retried" in said
    full: list[Event] = []
    until(session, full, "Epoch")  # it trains
    assert_all_intact(session.directory)
    before = newest_checkpoint(session.directory / "checkpoints")
    assert before is not None
    rest.unlink()
    until(session, seen, "Checkpoints can be written to")
    until(session, seen, "Checkpoint")
    end = stopped(session, seen)
    assert end.reason is Reason.STOPPED
    last = newest_checkpoint(session.directory / "checkpoints")
    assert last is not None and load_checkpoint(last).state["position"]["step"] == end.step
    assert_all_intact(session.directory)
    written = Follower(session.directory)
    found = written.drain()
    while not written.caught_up:
        found += written.drain()
    assert written.skipped_lines == 0 and found[-1] == end  # no line is torn
    # The current epoch has not ended, even after its last step: its validation is missing.
    current = load_checkpoint(last).state["position"]["epoch"]
    assert [e.epoch for e in found if isinstance(e, Epoch)] == list(range(1, current))
    assert current in (end.epoch, end.epoch + 1)


@pytest.mark.parametrize("ending", ["interrupted", "stopped"])
def test_a_run_that_ends_on_a_full_disk_reports_what_is_not_saved(small_disk: Path, ending: str) -> None:
    CHECKED.clear()
    session, seen = session_in(small_disk / "runs"), []
    until(session, seen, "Checkpoint")
    until(session, seen, "Checkpoint")
    fill(small_disk)
    until(session, seen, "The checkpoint could not be written")
    if ending == "interrupted":
        session.interrupt()
    else:
        session.send(Simple(command="stop"))
    assert session.join(60)
    assert session.finished is not None and session.finished.reason.value == ending
    assert "could not be written, so the one before it is kept" in session.finished.message
    assert "everything is saved" not in session.finished.message
    assert_all_intact(session.directory)


def test_a_disk_that_becomes_read_only_does_not_stop_training_and_is_used_again_afterwards(small_disk: Path) -> None:
    CHECKED.clear()
    session, seen = session_in(small_disk / "runs"), []
    until(session, seen, "Checkpoint")
    # A bind mount, as by an administrator: open files would prevent that the whole disk becomes read-only.
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    checkpoints = session.directory / "checkpoints"
    subprocess.run(["mount", "--bind", str(checkpoints), str(checkpoints)], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(checkpoints)], check=True)
    try:
        said = until(session, seen, "The checkpoint could not be written")
        assert "Read-only file system" in said
        until(session, seen, "Epoch")
        assert_all_intact(session.directory)
    finally:
        subprocess.run(["umount", "-l", str(checkpoints)], check=True)
    until(session, seen, "Checkpoints can be written to")
    assert stopped(session, seen).reason is Reason.STOPPED
    assert_all_intact(session.directory)


@pytest.mark.parametrize("how", ["deleted", "moved"])
def test_a_folder_that_is_removed_during_the_run_is_reported_and_created_again(tmp_path: Path, how: str) -> None:
    CHECKED.clear()
    session, seen = session_in(tmp_path / "runs"), []
    until(session, seen, "Checkpoint")
    run = session.directory
    if how == "moved":
        run.rename(tmp_path / "elsewhere")
    else:
        for _ in range(50):  # a folder that is written to may need a second attempt
            shutil.rmtree(run, ignore_errors=True)
            if not run.exists():
                break
    said = until(session, seen, "was deleted or moved, so nothing of the run can be saved")
    assert str(run) in said and "Training continues" in said
    until(session, seen, "is created again")
    until(session, seen, "Checkpoint")
    assert [r.status for r in list_runs(tmp_path / "runs")] == ["live"]
    end = stopped(session, seen)
    assert end.reason is Reason.STOPPED
    last = newest_checkpoint(run / "checkpoints")
    assert last is not None and load_checkpoint(last).state["position"]["step"] == end.step
    found = Follower(run).drain()
    assert any(isinstance(e, RunStarted) for e in found) and found[-1] == end
    (listed,) = list_runs(tmp_path / "runs")
    assert listed.status == "stopped" and find_run(tmp_path / "runs", None) == run
    assert all(path.stat().st_mode & 0o077 == 0 for path in (run, *run.rglob("*")))
    Session.resume(run)


def test_training_continues_while_the_folder_cannot_be_created_again(tmp_path: Path) -> None:
    CHECKED.clear()
    session, seen = session_in(tmp_path / "deep" / "runs"), []
    until(session, seen, "Checkpoint")
    (tmp_path / "deep").rename(tmp_path / "away")
    (tmp_path / "deep").write_text("in the way")
    until(session, seen, "was deleted or moved, so nothing of the run can be saved")
    until(session, seen, "Epoch")
    time.sleep(1)
    assert session.alive
    assert sum("was deleted or moved" in e.message for e in seen if isinstance(e, Log)) == 1
    (tmp_path / "deep").unlink()
    until(session, seen, "is created again")
    end = stopped(session, seen)
    assert end.reason is Reason.STOPPED and newest_checkpoint(session.directory / "checkpoints") is not None


def test_events_that_could_not_be_written_are_written_later(tmp_path: Path) -> None:
    CHECKED.clear()
    session, seen = session_in(tmp_path / "runs"), []
    until(session, seen, "Checkpoint")
    events = session.directory / "events.jsonl"
    moved = events.with_name("moved")
    events.rename(moved)
    moved.unlink()
    events.mkdir()  # a folder cannot be appended to
    until(session, seen, "Events cannot be written to")
    until(session, seen, "Epoch")
    events.rmdir()
    until(session, seen, "Events can be written again")
    end = stopped(session, seen)
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    assert lines[-1]["event"] == "finished" and any(line["event"] == "epoch" for line in lines)
    assert end.reason is Reason.STOPPED and any(isinstance(e, Checkpoint) for e in seen)
    assert os.path.getsize(events)
