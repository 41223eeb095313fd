"""Saving beside training: nothing that happens to a write reaches the run, and what is whole stays."""

import json
import shutil
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
import torch

from engine.training import checkpoint_writer
from engine.training.checkpoint import CheckpointState, Kind, load_checkpoint, newest_checkpoint, save_checkpoint
from engine.training.checkpoint_writer import CheckpointWriter


class Run:
    """A writer, with what it said."""

    def __init__(self, folder: Path, resumed_from: Path | None = None) -> None:
        self.folder = folder
        self.written: list[tuple[str, str, int, int]] = []
        self.failed: list[str] = []
        self.writer = CheckpointWriter(
            folder,
            on_written=lambda kind, path, epoch, step: self.written.append((kind, path.name, epoch, step)),
            on_failed=self.failed.append,
            resumed_from=resumed_from,
        )

    def submit(self, *kinds: Kind, epoch: int, value: float | None = None, **state: object) -> None:
        model = {"w": torch.full((8,), float(epoch if value is None else value))}
        self.writer.submit(CheckpointState(model, {}, {"epoch": epoch, **state}), *kinds, epoch=epoch, step=epoch * 10)

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def epoch_of(self, kind: Kind) -> int:
        found = newest_checkpoint(self.folder, kind=kind)
        assert found is not None
        return load_checkpoint(found).state["epoch"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "checkpoints")


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Writes wait until it is set."""
    gate = threading.Event()

    def waiting(*arguments: object, **named: object) -> Path:
        assert gate.wait(30)
        return save_checkpoint(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(checkpoint_writer, "save_checkpoint", waiting)
    return gate


def test_the_last_two_and_the_best_are_kept(run: Run) -> None:
    for epoch in range(1, 9):
        run.submit(*(("last", "best") if epoch in (2, 4) else ("last",)), epoch=epoch)
        assert run.writer.wait()
    assert run.names() == ["epoch-0004-step-000040", "epoch-0007-step-000070", "epoch-0008-step-000080"]
    assert (run.epoch_of("last"), run.epoch_of("best")) == (8, 4)
    assert run.failed == []


def test_the_same_moment_as_last_and_best_is_one_folder_however_it_is_said(run: Run) -> None:
    run.submit("last", "best", epoch=1)
    run.writer.wait()
    run.submit("last", epoch=2)
    run.writer.wait()
    run.submit("best", epoch=2)
    run.writer.wait()
    run.submit("best", epoch=3)
    run.submit("last", epoch=3)
    assert run.writer.close()
    assert run.names() == ["epoch-0002-step-000020", "epoch-0003-step-000030"]
    assert sorted(run.written) == sorted(
        (kind, f"epoch-000{epoch}-step-0000{epoch}0", epoch, epoch * 10)
        for epoch in (1, 2, 3)
        for kind in ("last", "best")
    )
    assert run.epoch_of("best") == 3


def test_a_step_that_is_saved_again_with_another_state_is_replaced_and_keeps_its_mark(run: Run) -> None:
    run.submit("last", "best", epoch=1, validated=False)
    run.writer.wait()
    run.submit("last", epoch=1, validated=True)
    assert run.writer.close()
    assert run.names() == ["epoch-0001-step-000010"]
    best = newest_checkpoint(run.folder, kind="best")
    assert best is not None and load_checkpoint(best).state["validated"] is True


def test_submit_returns_at_once_and_the_newest_that_waits_replaces_an_older_one(
    run: Run, gate: threading.Event
) -> None:
    run.submit("last", epoch=1)  # one that waited would do so until the gate is open
    run.submit("best", epoch=2)
    for epoch in range(3, 40):
        run.submit("last", epoch=epoch)
    assert run.writer.wait(timeout_s=0.05) is False
    gate.set()
    assert run.writer.close()
    # Whatever waited when the writer's thread first looked is written, too; of the 39 no more than that.
    written = [(kind, epoch) for kind, _, epoch, _ in run.written]
    assert ("best", 2) in written and written[-1] == ("last", 39)
    assert len(written) <= 4


def test_state_is_taken_as_it_is_at_the_moment_of_submitting(run: Run, gate: threading.Event) -> None:
    history = [1.0]
    run.submit("last", epoch=1, history=history)
    history.append(2.0)
    gate.set()
    run.writer.close()
    newest = newest_checkpoint(run.folder)
    assert newest is not None and load_checkpoint(newest).state["history"] == [1.0]


def test_state_that_cannot_be_saved_is_told_to_the_caller(run: Run) -> None:
    with pytest.raises(TypeError):
        run.submit("last", epoch=1, rng=torch.zeros(1))


def test_a_writer_that_is_never_closed_ends_with_its_work(run: Run) -> None:
    run.submit("last", epoch=1)
    assert run.writer.wait(30)
    assert not [thread for thread in threading.enumerate() if thread.name == "checkpoint writer"]


def test_the_interpreter_ends_only_when_the_write_is_done(tmp_path: Path) -> None:
    code = """
        import sys, time, torch
        from pathlib import Path
        from engine.training import checkpoint_writer
        real = checkpoint_writer.save_checkpoint
        checkpoint_writer.save_checkpoint = lambda *a, **n: (time.sleep(0.3), real(*a, **n))[1]
        writer = checkpoint_writer.CheckpointWriter(Path(sys.argv[1]), on_written=print, on_failed=print)
        writer.submit(checkpoint_writer.CheckpointState({"w": torch.ones(3)}, {}, {}), "last", epoch=1, step=10)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], check=True, timeout=60)
    assert newest_checkpoint(tmp_path) is not None


def test_leftovers_of_a_killed_process_are_cleaned_up(run: Run) -> None:
    run.submit("last", epoch=1)
    run.writer.close()
    for name in (".writing-epoch-0002-step-000020", ".removing-epoch-0000-step-000000"):
        (run.folder / name).mkdir()
        (run.folder / name / "model.safetensors").write_bytes(b"half")
    (run.folder / "notes.txt").write_text("mine")
    again = Run(run.folder)
    assert again.names() == ["epoch-0001-step-000010", "notes.txt"]


def test_a_checkpoint_that_was_about_to_be_replaced_is_put_back(run: Run) -> None:
    run.submit("last", epoch=1)
    run.writer.close()
    (run.folder / "epoch-0001-step-000010").rename(run.folder / "epoch-0001-step-000010~")
    found = newest_checkpoint(run.folder)
    assert found is not None and found.name.endswith("~")
    again = Run(run.folder, resumed_from=found)
    again.submit("last", epoch=2)
    again.writer.close()
    assert again.names() == ["epoch-0001-step-000010", "epoch-0002-step-000020"]


def test_a_resumed_run_removes_the_future_that_it_writes_anew(run: Run) -> None:
    for epoch in (1, 2, 3):
        run.submit("last", *(("best",) if epoch != 2 else ()), epoch=epoch)
        run.writer.wait()
    damaged = run.folder / "epoch-0003-step-000030"
    (damaged / "model.safetensors").write_bytes(b"")
    found = newest_checkpoint(run.folder)
    assert found is not None and found.name == "epoch-0002-step-000020"
    again = Run(run.folder, resumed_from=found)
    assert damaged.exists()
    again.submit("last", epoch=2, value=2.5, again=True)
    again.writer.wait()
    assert not damaged.exists()
    again.submit("last", epoch=3, value=3.5)
    again.writer.close()
    assert again.names() == ["epoch-0002-step-000020", "epoch-0003-step-000030"]
    assert again.epoch_of("last") == 3
    assert newest_checkpoint(run.folder, kind="best") is None  # The mark went with the future that it was made in.


def test_a_folder_that_went_away_is_said_once_and_the_next_save_goes_on(run: Run) -> None:
    run.submit("last", "best", epoch=1)
    run.writer.wait()
    shutil.rmtree(run.folder)
    blocker = run.folder
    blocker.write_text("a file where the folder was")
    for epoch in (2, 3, 4):
        run.submit("last", epoch=epoch)
        assert run.writer.wait() is False
    assert len(run.failed) == 1
    assert str(run.folder) in run.failed[0] and "writing is retried every 10 s" in run.failed[0]
    blocker.unlink()
    run.submit("last", epoch=5)
    assert run.writer.close()
    assert run.names() == ["epoch-0005-step-000050"]


def test_a_best_one_that_could_not_be_written_is_not_forgotten(run: Run) -> None:
    run.folder.write_text("a file where the folder belongs")
    run.submit("best", epoch=1)
    run.writer.wait()
    run.submit("last", epoch=2)
    run.writer.wait()
    assert run.written == []
    run.folder.unlink()
    run.submit("last", epoch=3)
    assert run.writer.close()
    # The best first: no checkpoint lies on the disk whose best does not.
    assert [(kind, epoch) for kind, _, epoch, _ in run.written] == [("best", 1), ("last", 3)]


def test_closing_tries_once_more_and_says_whether_all_is_saved(run: Run) -> None:
    run.folder.write_text("a file where the folder belongs")
    run.submit("last", epoch=1)
    run.writer.wait()
    assert run.writer.close() is False
    assert len(run.failed) == 2 and "retried" not in run.failed[1]
    run.folder.unlink()
    assert run.writer.close() is True
    assert run.epoch_of("last") == 1


def test_tensors_that_cannot_be_stored_do_not_end_the_run(run: Run) -> None:
    run.writer.submit(CheckpointState({"w": torch.zeros(2).to_sparse()}, {}, {}), "last", epoch=1, step=10)
    assert run.writer.wait() is False and len(run.failed) == 1
    run.submit("last", epoch=2)
    assert run.writer.close() and run.epoch_of("last") == 2


def test_a_full_disk_leaves_the_last_good_checkpoint_and_is_said_in_one_sentence(tmp_path: Path) -> None:
    code = """
        import json, resource, sys, torch
        from pathlib import Path
        from engine.training.checkpoint import CheckpointState
        from engine.training.checkpoint_writer import CheckpointWriter
        failed, folder = [], Path(sys.argv[1])
        writer = CheckpointWriter(folder, on_written=lambda *_: None, on_failed=failed.append)
        def submit(epoch):
            model = {"w": torch.full((1 << 18,), float(epoch))}
            writer.submit(CheckpointState(model, {}, {}), "last", epoch=epoch, step=epoch)
            return writer.wait()
        ok = [submit(1)]
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, resource.RLIM_INFINITY))
        ok += [submit(2), submit(3)]
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        during = sorted(path.name for path in folder.iterdir())
        ok += [submit(4), writer.close()]
        print(json.dumps([ok, failed, during, sorted(path.name for path in folder.iterdir())]))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "c")], capture_output=True, text=True, timeout=60
    )
    ok, failed, during, after = json.loads(done.stdout)
    assert ok == [True, False, False, True, True], done.stderr
    assert failed == [
        f"The checkpoint could not be written to {tmp_path / 'c'}: File too large. "
        "Earlier checkpoints are kept; writing is retried every 10 s."
    ]
    assert during == ["epoch-0001-step-000001"]
    assert after == ["epoch-0001-step-000001", "epoch-0004-step-000004"]


def test_training_goes_on_while_a_large_model_is_written(tmp_path: Path) -> None:
    """64 MB are written while this thread works: no moment without the interpreter is as long as the write.

    On a busy machine one of five writes will do: what others take is no moment of ours.
    """
    model = {f"{index}": torch.randn(1 << 20) for index in range(16)}
    seen = []
    for attempt in range(5):
        run = Run(tmp_path / str(attempt))
        run.writer.submit(CheckpointState(model, {}, {}), "last", epoch=1, step=1)
        began = last = time.perf_counter()
        longest = 0.0
        while not run.writer.wait(timeout_s=0):
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
            time.sleep(0.0005)
        took = time.perf_counter() - began
        assert run.writer.close()
        seen.append((longest, took))
        if longest < max(0.5 * took, 0.05):
            return
    raise AssertionError(seen)
