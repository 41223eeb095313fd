"""A damaged checkpoint is refused by name; any checkpoint that loads is exactly what was saved."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.experiment import Mistake, Refused, reads
from engine.plan import check
from engine.protocol.events import Log, Reason
from engine.runs import RunDirectory
from engine.training.checkpoint import (
    MANIFEST,
    MODEL,
    STATE,
    TRAINER,
    _manifest_bytes,
    _size_and_hash,
    checkpoints_in,
    load_checkpoint,
    newest_checkpoint,
)
from engine.training.session import Session

FLIPS = 500

RUN = """
[data]
source = "digits"
batch_size = 256
[model]
layers = [
  "Flatten", {type = "Linear", out_features = 8}, {type = "Dropout", p = 0.2}, {type = "Linear", out_features = "auto"},
]
[scheduler]
type = "CosineAnnealingLR"
[regularization]
average = "ema"
[training]
epochs = 3
threads = 1
checkpoint_every_s = 1e-6
early_stopping = {patience = 9}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    session = Session.create(check(reads(RUN)), runs_dir=tmp_path_factory.mktemp("runs"))
    session.start()
    assert session.join(100) and session.finished is not None and session.finished.reason is Reason.COMPLETED
    return session.directory


def contents(folder: Path) -> tuple[Any, ...]:
    loaded = load_checkpoint(folder)
    tensors = {f"{part}.{n}": t for part in ("model", "trainer") for n, t in getattr(loaded, part).items()}
    plain = {n: (str(t.dtype), tuple(t.shape), t.reshape(-1).view(torch.uint8).tolist()) for n, t in tensors.items()}
    return plain, loaded.state


def test_a_flipped_bit_is_reported_with_its_file_and_the_checkpoint_before_is_used(run: Path) -> None:
    *_, before, newest = checkpoints_in(run / "checkpoints")
    expected = contents(newest)
    dice = random.Random(0)
    refused = 0
    for _ in range(FLIPS):
        file = newest / dice.choice((MODEL, TRAINER, STATE, MANIFEST))
        content = file.read_bytes()
        flipped = bytearray(content)
        at, bit = dice.randrange(len(flipped)), dice.randrange(8)
        flipped[at] ^= 1 << bit
        file.write_bytes(bytes(flipped))
        try:
            reported: list[Mistake] = []
            found = newest_checkpoint(run / "checkpoints", on_damaged=reported.append)
            if found == newest:
                assert contents(newest) == expected, (file, at, bit)
            else:
                assert found == before and len(reported) == 1 and reported[0].path.startswith(str(file.parent)), (
                    file,
                    at,
                    bit,
                )
                assert "\n" not in str(reported[0])
                refused += 1
        finally:
            file.write_bytes(content)
    assert refused == FLIPS  # every byte counts: all that is written is checked
    assert contents(newest) == expected


@pytest.mark.parametrize("name", [MODEL, TRAINER, STATE, MANIFEST])
def test_a_run_resumes_from_the_checkpoint_before_a_damaged_one_and_ends_the_same(
    run: Path, name: str, tmp_path: Path
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    newest = checkpoints_in(copy / "checkpoints")[-1]
    expected = contents(newest)
    content = bytearray((newest / name).read_bytes())
    content[len(content) // 2] ^= 4
    (newest / name).write_bytes(bytes(content))
    session = Session.resume(copy)
    session.start()
    assert session.join(100) and session.finished is not None and session.finished.reason is Reason.COMPLETED
    warnings = [e.message for e in session.drain() if isinstance(e, Log) and e.level == "warning"]
    assert any(str(newest) in sentence and "is used instead" in sentence for sentence in warnings)
    assert contents(checkpoints_in(copy / "checkpoints")[-1]) == expected


def test_a_forged_state_is_at_worst_refused_in_a_sentence(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    for folder in checkpoints_in(copy / "checkpoints")[:-1]:
        shutil.rmtree(folder)
    (newest,) = checkpoints_in(copy / "checkpoints")
    original = json.loads((newest / STATE).read_text())
    dice = random.Random(1)
    ends: dict[str, int] = {}
    for _ in range(25):
        state = json.loads(json.dumps(original))
        path = change(state, dice)
        (newest / STATE).write_text(json.dumps(state))
        files = {name: _size_and_hash(newest / name) for name in (MODEL, TRAINER, STATE)}
        (newest / MANIFEST).write_bytes(_manifest_bytes(files))
        before = (newest / STATE).read_bytes(), (newest / MANIFEST).read_bytes()
        session = resumed(copy)
        if session is None:
            ends["refused"] = ends.get("refused", 0) + 1
            continue
        session.start()
        assert session.join(60), path
        assert session.finished is not None and "\n" not in session.finished.message, (path, session.finished)
        ends[session.finished.reason.value] = ends.get(session.finished.reason.value, 0) + 1
        for folder in checkpoints_in(copy / "checkpoints"):
            shutil.rmtree(folder)
        newest.mkdir()
        for name in (MODEL, TRAINER):
            shutil.copy(run / "checkpoints" / newest.name / name, newest / name)
        (newest / STATE).write_bytes(before[0])
        (newest / MANIFEST).write_bytes(before[1])
    assert sum(ends.values()) == 25 and (ends.get("refused", 0) or ends.get("failed", 0)), ends
    RunDirectory.open(copy).close()


def resumed(run: Path) -> Session | None:
    try:
        return Session.resume(run)
    except Refused as refused:
        (mistake,) = refused.mistakes
        return None if "\n" not in str(mistake) else pytest.fail(str(mistake))


def change(value: Any, dice: random.Random) -> list[Any]:
    """Replace the value at a random path; returns the path."""
    path: list[Any] = []
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = dice.choice(keys)
        path.append(key)
        inner = value[key]
        if isinstance(inner, (dict, list)) and inner and dice.random() < 0.8:
            value = inner
            continue
        value[key] = dice.choice([None, "x", -1, 10**30, [], {}, 1.5, True, "NaN", {"tensor": "optimizer.0.exp_avg"}])
        return path
