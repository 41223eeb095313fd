"""A long list of runs is not read again each time, and is always correct."""

import json
import os
import time
from pathlib import Path

import pytest

from engine.protocol.events import Finished, Reason, Step
from engine.runs import RunDirectory, list_runs, summarize
from engine.runs.state_cache import SUMMARIES

RUNS = 40


def ended(runs: Path, number: int) -> Path:
    run = RunDirectory.create(runs, f"run-{number}", 'name = "x"\n', {})
    run.append(Step(epoch=1, step=5, loss=1.0, lr=1e-3, samples_per_s=1.0))
    run.append(Finished(reason=Reason.COMPLETED, epoch=number, step=5, seconds=1.0, message="Trained."))
    run.close()
    return run.path


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for number in range(RUNS):
        ended(tmp_path, number)
    return tmp_path


def read_again(runs: Path) -> list[object]:
    return sorted((summarize(p) for p in runs.iterdir() if p.is_dir()), key=lambda r: (r.started, r.name), reverse=True)


def test_the_cached_states_are_those_of_the_events(runs: Path) -> None:
    assert list_runs(runs) == read_again(runs)
    assert (runs / SUMMARIES).stat().st_mode & 0o777 == 0o600
    cached = json.loads((runs / SUMMARIES).read_text())["runs"]
    assert len(cached) == RUNS
    assert list_runs(runs) == read_again(runs)


def test_the_list_comes_from_the_cache_while_events_are_the_same(runs: Path) -> None:
    list_runs(runs)
    text = (runs / SUMMARIES).read_text()
    (runs / SUMMARIES).write_text(text.replace("Trained.", "Cached."))
    assert {run.message for run in list_runs(runs)} == {"Cached."}


def test_a_changed_run_is_read_again_and_a_removed_one_is_not_listed(runs: Path) -> None:
    first, second = list_runs(runs)[:2]
    with (first.path / "events.jsonl").open("a") as file:
        file.write(Finished(reason=Reason.FAILED, epoch=1, step=6, seconds=1.0, message="It broke.").to_json() + "\n")
    for path in second.path.iterdir():
        path.rmdir() if path.is_dir() else path.unlink()
    second.path.rmdir()
    again = list_runs(runs)
    assert len(again) == RUNS - 1 and second.name not in {run.name for run in again}
    assert next(run for run in again if run.name == first.name).status == "failed"


def test_changed_events_of_the_same_length_are_read_again(runs: Path) -> None:
    path = list_runs(runs)[0].path / "events.jsonl"
    text = path.read_text()
    time.sleep(0.01)
    path.write_text(text.replace("completed", "stopped  ").replace('stopped  "', 'stopped"  '))
    assert path.stat().st_size == len(text)
    assert [run.status for run in list_runs(runs)].count("stopped") == 1


def test_whether_a_run_is_live_is_never_cached(runs: Path) -> None:
    run = RunDirectory.create(runs, "active", 'name = "x"\n', {})
    run.append(Step(epoch=1, step=5, loss=1.0, lr=1e-3, samples_per_s=1.0))
    assert [r.status for r in list_runs(runs) if r.path == run.path] == ["live"]
    run.close()
    assert [r.status for r in list_runs(runs) if r.path == run.path] == ["stale"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00",
        b"[]",
        b'{"format": 3, "runs": {}}',
        b'{"format": 4, "runs": []}',
        b"[" * 100_000,
        b'{"format": 4, "runs": {"NAME": 3}}',
        b'{"format": 4, "runs": {"NAME": {"stamp": STAMP, "state": 3}}}',
        b'{"format": 4, "runs": {"NAME": {"stamp": STAMP, "state": {"started": "soon", "epoch": NaN}}}}',
        b'{"format": 4, "runs": {"NAME": {"stamp": STAMP, "state": {"started": Infinity}}}}',
        b'{"format": 4, "runs": {"NAME": {"stamp": STAMP, "state": {"ends": {"epoch": 4}}}}}',
        b'{"format": 4, "runs": {"../../elsewhere": {"stamp": [1, 2, 3], "state": {}}}}',
    ],
)
def test_a_damaged_cache_is_ignored(runs: Path, content: bytes) -> None:
    run = list_runs(runs)[0]
    events = (run.path / "events.jsonl").stat()
    stamp = json.dumps([events.st_ino, events.st_size, events.st_mtime_ns]).encode()
    (runs / SUMMARIES).write_bytes(content.replace(b"NAME", run.name.encode()).replace(b"STAMP", stamp))
    assert {r.name for r in list_runs(runs)} == {p.name for p in runs.iterdir() if p.is_dir()}


def test_a_link_in_place_of_the_cache_is_not_followed(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "file"
    elsewhere.write_text("mine")
    os.symlink(elsewhere, runs / SUMMARIES)
    assert len(list_runs(runs)) == RUNS
    assert elsewhere.read_text() == "mine"
