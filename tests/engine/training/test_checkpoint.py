"""What is saved is read back to the bit, or refused; nothing in between."""

import hashlib
import json
import math
import os
import resource
import stat
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from engine.experiment.mistakes import Mistake, Refused
from engine.training.checkpoint import (
    CheckpointState,
    DamagedCheckpoint,
    checkpoint_name,
    checkpoints_in,
    load_checkpoint,
    mark_best,
    newest_checkpoint,
    save_checkpoint,
    verify_checkpoint,
)

FILES = ("model.safetensors", "trainer.safetensors", "state.json", "manifest.json")


def tensors(seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "conv.weight": torch.randn(4, 3, 3, 3, generator=generator),
        "conv.half": torch.randn(5, generator=generator).to(torch.bfloat16),
        "norm.steps": torch.tensor(17),
    }


def save(folder: Path, seed: int = 0, best: bool = False) -> Path:
    trainer = {"rng.cpu": torch.get_rng_state(), "optimizer.0.exp_avg": tensors(seed + 1)["conv.weight"]}
    return save_checkpoint(folder, CheckpointState(tensors(seed), trainer, {"step": seed, "loss": 0.5}), best=best)


def assert_same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> None:
    assert left.keys() == right.keys()
    for name in left:
        assert left[name].dtype == right[name].dtype
        assert torch.equal(left[name], right[name]), name


def test_what_is_saved_is_read_back_to_the_bit(tmp_path: Path) -> None:
    trainer = {"rng": torch.get_rng_state(), "empty": torch.empty(0, 3)}
    state = {"epoch": 3, "history": [0.1 + 0.2, 1e-300, -0.0], "name": "é", "none": None, "on": True}
    folder = save_checkpoint(tmp_path / "c", CheckpointState(tensors(), trainer, state))
    loaded = load_checkpoint(folder)
    assert_same(loaded.model, tensors())
    assert_same(loaded.trainer, trainer)
    assert loaded.state == state


def test_a_run_with_nothing_beside_its_weights_is_saved_too(tmp_path: Path) -> None:
    loaded = load_checkpoint(save_checkpoint(tmp_path / "c", CheckpointState(tensors(), {}, {})))
    assert loaded.trainer == {} and loaded.state == {}


def test_channels_last_tied_and_sliced_tensors_are_saved_with_their_values(tmp_path: Path) -> None:
    weight = torch.randn(4, 3, 2, 2)
    base = torch.arange(12.0)
    model = {
        "last": weight.to(memory_format=torch.channels_last),
        "tied": weight,
        "tied.again": weight,
        "part": base[3:7],
        "turned": base.view(3, 4).t(),
        "alias": base.view(3, 4),
    }
    loaded = load_checkpoint(save_checkpoint(tmp_path / "c", CheckpointState(model, {}, {})))
    assert_same(loaded.model, model)
    assert all(tensor.is_contiguous() for tensor in loaded.model.values())


def test_numbers_that_are_not_finite_are_strings_that_float_takes(tmp_path: Path) -> None:
    state = {"best": math.inf, "losses": (1.0, math.nan, {"low": -math.inf})}
    folder = save_checkpoint(tmp_path / "c", CheckpointState({}, {}, state))
    text = (folder / "state.json").read_text()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    loaded = load_checkpoint(folder).state
    assert loaded == {"best": "Infinity", "losses": [1.0, "NaN", {"low": "-Infinity"}]}
    assert float(loaded["best"]) == math.inf and math.isnan(float(loaded["losses"][1]))


def test_state_that_json_cannot_hold_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="Tensor"):
        save_checkpoint(tmp_path / "c", CheckpointState({}, {}, {"rng": torch.zeros(2)}))
    assert list(tmp_path.iterdir()) == []


def test_only_the_owner_can_read_a_checkpoint(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = save(tmp_path / "c", best=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_the_manifest_holds_what_sha256sum_says(tmp_path: Path) -> None:
    folder = save(tmp_path / "c")
    listed = json.loads((folder / "manifest.json").read_text())["files"]
    assert sorted(listed) == sorted(FILES[:3])
    for name, entry in listed.items():
        content = (folder / name).read_bytes()
        assert entry == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_the_weights_are_plain_safetensors_for_any_other_program(tmp_path: Path) -> None:
    folder = save(tmp_path / "c")
    assert_same(load_file(folder / "model.safetensors"), tensors())


@pytest.mark.parametrize("name", FILES)
def test_every_flipped_bit_is_noticed(tmp_path: Path, name: str) -> None:
    folder = save(tmp_path / "c")
    path = folder / name
    content = path.read_bytes()
    every = max(1, len(content) // 60)
    for index in [*range(0, len(content), every), len(content) - 1]:
        flipped = bytearray(content)
        flipped[index] ^= 1 << (index % 8)
        path.write_bytes(flipped)
        with pytest.raises(DamagedCheckpoint) as damage:
            load_checkpoint(folder)
        # A hash that changed in the manifest shows at the file whose hash it is not, or at the manifest.
        assert str(folder) in str(damage.value)
    path.write_bytes(content)
    load_checkpoint(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_short_or_grown_is_named(tmp_path: Path, name: str) -> None:
    folder = save(tmp_path / "c")
    path = folder / name
    content = path.read_bytes()
    for other in (b"", content[: len(content) // 2], content[:-1], content + b"\0"):
        path.write_bytes(other)
        with pytest.raises(DamagedCheckpoint, match=name):
            load_checkpoint(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = save(tmp_path / "c")
    (folder / name).unlink()
    with pytest.raises(DamagedCheckpoint, match=rf"{name}: the file is missing"):
        load_checkpoint(folder)


def test_a_link_a_pipe_or_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    for number, replace in enumerate(
        (lambda path: path.symlink_to("/dev/zero"), lambda path: os.mkfifo(path), lambda path: path.mkdir())
    ):
        folder = save(tmp_path / str(number))
        (folder / "state.json").unlink()
        replace(folder / "state.json")
        with pytest.raises(DamagedCheckpoint, match=r"state\.json"):
            load_checkpoint(folder)


def forge(folder: Path, name: str, content: bytes) -> None:
    """Replace a file and make the manifest agree, as somebody who means harm would."""
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    verify_checkpoint(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04K\x01.",
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 99_000_000) + b"{}",
        struct.pack("<Q", 73) + b'{"w":{"dtype":"F32","shape":[4000000000],"data_offsets":[0,16000000000]}}' + b"\0",
        struct.pack("<Q", 60) + b'{"w":{"dtype":"F32","shape":[99],"data_offsets":[0,396]}}   ' + b"\0" * 8,
    ],
)
def test_a_header_that_lies_is_refused_in_plain_words_and_without_the_memory(tmp_path: Path, content: bytes) -> None:
    folder = save(tmp_path / "c")
    forge(folder, "model.safetensors", content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DamagedCheckpoint, match=r"model\.safetensors: the file is not safetensors"):
        load_checkpoint(folder)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 << 10  # KiB


@pytest.mark.parametrize("content", [b"[]", b"3", b"{", b"\xff", b"[" * 200_000])
def test_a_state_that_is_no_object_is_refused_in_plain_words(tmp_path: Path, content: bytes) -> None:
    folder = save(tmp_path / "c")
    forge(folder, "state.json", content)
    with pytest.raises(DamagedCheckpoint, match=r"state\.json"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"null",
        b"[1]",
        b'{"files": []}',
        b'{"files": {"model.safetensors": 1, "trainer.safetensors": 1, "state.json": 1}}',
        b'{"files": {"../../x": {"bytes": 1, "sha256": ""}}}',
        b'{"files": {"model.safetensors": {"bytes": 1e999, "sha256": 1}, "trainer.safetensors": {}, "state.json": {}}}',
        b'{"files": ' + b" " * (80 << 10) + b"{}}",
    ],
)
def test_a_manifest_that_is_none_is_refused_in_plain_words(tmp_path: Path, manifest: bytes) -> None:
    folder = save(tmp_path / "c")
    (folder / "manifest.json").write_bytes(manifest)
    with pytest.raises(DamagedCheckpoint, match=r"manifest\.json"):
        load_checkpoint(folder)


def test_damage_is_a_mistake_with_a_way_out(tmp_path: Path) -> None:
    folder = save(tmp_path / "c")
    (folder / "model.safetensors").write_bytes(b"short")
    with pytest.raises(Refused) as refused:
        load_checkpoint(folder)
    (mistake,) = refused.value.mistakes
    assert mistake.path.endswith("model.safetensors")
    assert mistake.found == "the file has 5 bytes" and "were written" in mistake.expected
    assert "train again from the start" in mistake.fix
    assert str(refused.value).startswith(f"{folder}/model.safetensors: the file has 5 bytes; ")


def test_the_newest_whole_checkpoint_is_found_and_damage_is_said(tmp_path: Path) -> None:
    for step in (90, 100, 1_000_000):  # As text, the last would come first.
        save(tmp_path / checkpoint_name(step // 10, step), seed=step)
    (tmp_path / "notes").mkdir()
    (tmp_path / "epoch-9999-step-9999999").write_text("a file")
    newest = tmp_path / checkpoint_name(100_000, 1_000_000)
    assert newest_checkpoint(tmp_path) == newest
    (newest / "trainer.safetensors").write_bytes(b"")
    said: list[Mistake] = []
    found = newest_checkpoint(tmp_path, on_damaged=said.append)
    assert found == tmp_path / checkpoint_name(10, 100)
    assert [damage.path for damage in said] == [str(newest / "trainer.safetensors")]
    assert said[0].fix == f"Delete the folder {newest.name}, then resume from {found.name}."
    assert load_checkpoint(found).state["step"] == 100


def test_the_best_is_the_newest_that_is_marked_and_whole(tmp_path: Path) -> None:
    for epoch in (1, 2, 3, 4):
        save(tmp_path / checkpoint_name(epoch, epoch * 10), best=epoch == 2)
    assert newest_checkpoint(tmp_path, kind="best") == tmp_path / checkpoint_name(2, 20)
    mark_best(tmp_path / checkpoint_name(3, 30))
    assert newest_checkpoint(tmp_path, kind="best") == tmp_path / checkpoint_name(3, 30)
    (tmp_path / checkpoint_name(3, 30) / "state.json").unlink()
    assert newest_checkpoint(tmp_path, kind="best") == tmp_path / checkpoint_name(2, 20)


def test_where_there_is_no_checkpoint_none_is_found(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path) is None
    assert newest_checkpoint(tmp_path / "missing") is None


# Runs in a process of its own. Death is simulated before the n-th system call that the writer makes through Python:
# that call and all after it fail with what nothing catches, so that no clean-up reaches the disk either.
KILLED = """
    import os, shutil, sys, threading
    from pathlib import Path
    import torch
    from engine.training.checkpoint import CheckpointState, load_checkpoint, newest_checkpoint
    from engine.training.checkpoint_writer import CheckpointWriter

    root = Path(sys.argv[1])
    os.fsync = lambda descriptor: None  # Counted, but not waited for: no disk loses power here.

    class Dead(BaseException):
        pass

    def writer(folder):
        return CheckpointWriter(folder, on_written=lambda *_: None, on_failed=sys.exit)

    def submit(writer, epoch, value, *kinds):
        model, trainer = {"w": torch.full((256,), float(value))}, {"t": torch.ones(3)}
        writer.submit(CheckpointState(model, trainer, {"value": value}), *kinds, epoch=epoch, step=epoch)
        return writer.close()

    before = root / "before"
    first = writer(before)
    for epoch in (1, 2, 3):
        assert submit(first, epoch, epoch, *(("last", "best") if epoch == 1 else ("last",)))

    # What is done, and which values of (last, best) may be found after a death in the middle of it.
    scenarios = {
        "a new one": ([(4, 4, "last", "best")], {(3, 1), (4, 4)}),
        "the same step again": ([(3, 5, "last")], {(3, 1), (5, 1)}),
        "a mark": ([(4, 4, "last"), (4, 4, "best")], {(3, 1), (4, 1), (4, 4)}),
    }
    NAMES = "fsync rename replace mkdir open write unlink rmdir scandir chmod close".split()
    real = {name: getattr(os, name) for name in NAMES}
    threading.excepthook = lambda args: args.exc_type is Dead or sys.__excepthook__(*args[:3])

    def step(name):
        def call(*arguments, **named):
            global calls
            calls += 1
            if calls >= at:
                raise Dead
            return real[name](*arguments, **named)
        return call

    for label, (submits, allowed) in scenarios.items():
        seen, at, calls = set(), 0, 0
        while calls >= at:
            at, calls = at + 1, 0
            folder = root / label / str(at)
            shutil.copytree(before, folder)
            for name in NAMES:
                setattr(os, name, step(name))
            try:
                killed = writer(folder)
                for arguments in submits:
                    submit(killed, *arguments)
            except Dead:
                pass
            for name in NAMES:
                setattr(os, name, real[name])

            def damaged(sentence):
                sys.exit(f"{label}, killed before call {at}: {sentence}")

            last = load_checkpoint(newest_checkpoint(folder, on_damaged=damaged)).state["value"]
            best = load_checkpoint(newest_checkpoint(folder, kind="best", on_damaged=damaged)).state["value"]
            assert (last, best) in allowed, (label, at, last, best)
            seen.add((last, best))
            assert submit(writer(folder), 9, 9, "last")
            names = sorted(os.listdir(folder))
            assert len(names) in (2, 3) and not any(n.startswith(".") or n.endswith("~") for n in names), names
        assert seen == allowed, (label, seen)
        print(label, at)
"""

# And the real thing: a process that saves without a pause, killed at moments of chance.
SAVING = """
    import sys, torch
    from itertools import count
    from pathlib import Path
    from engine.training.checkpoint import CheckpointState
    from engine.training.checkpoint_writer import CheckpointWriter

    folder = Path(sys.argv[1])
    writer = CheckpointWriter(folder, on_written=lambda kind, *_: print(kind, flush=True), on_failed=sys.exit)
    for epoch in count(1):
        model = {"w": torch.full((1 << 16,), float(epoch))}
        writer.submit(CheckpointState(model, {}, {"epoch": epoch}), "last", "best", epoch=epoch, step=epoch)
        writer.wait()
"""


def test_a_kill_before_any_system_call_leaves_a_whole_last_and_a_whole_best(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)], capture_output=True, text=True, timeout=150
    )
    assert done.returncode == 0, done.stderr
    moments = {line.rpartition(" ")[0]: int(line.rpartition(" ")[2]) for line in done.stdout.splitlines()}
    assert set(moments) == {"a new one", "the same step again", "a mark"} and min(moments.values()) > 25


def test_sigkill_leaves_whole_checkpoints(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SAVING), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    written = [process.stdout.readline() for _ in range(40)]
    process.kill()
    process.wait()
    assert all(written)
    said: list[Mistake] = []
    for kind in ("last", "best"):
        found = newest_checkpoint(tmp_path, kind=kind, on_damaged=said.append)
        assert found is not None
        loaded = load_checkpoint(found)
        assert loaded.state["epoch"] >= 20
        assert torch.equal(loaded.model["w"], torch.full((1 << 16,), float(loaded.state["epoch"])))
    assert said == []


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            textwrap.dedent("""
                import resource, sys, torch
                from pathlib import Path
                from safetensors import SafetensorError
                from engine.training.checkpoint import CheckpointState, save_checkpoint
                root = Path(sys.argv[1])
                save_checkpoint(root / "a", CheckpointState({"w": torch.zeros(10)}, {}, {}))
                resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
                for model, state in (({"w": torch.zeros(1 << 20)}, {}), ({}, {"text": "x" * (1 << 17)})):
                    try:
                        save_checkpoint(root / "b", CheckpointState(model, {}, state))
                    except (OSError, SafetensorError) as error:
                        print("refused")
            """),
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "refused\nrefused\n", done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    verify_checkpoint(tmp_path / "a")


def test_a_checkpoint_of_the_same_name_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / checkpoint_name(1, 10)
    save(folder, seed=1)
    save(folder, seed=2)
    assert load_checkpoint(folder).state["step"] == 2
    assert checkpoints_in(tmp_path) == [folder] and len(list(tmp_path.iterdir())) == 1
