"""Runs changed at random are listed, watched and resumed without a traceback, and nothing outside them changes.

`TORCHDECK_MUTATIONS=5000` makes 5000 changed runs, as `make mutations` does.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from pathlib import Path

import pytest

from engine import Refused, Session, check
from engine.experiment import read
from engine.runs import Follower, list_runs
from engine.runs.commands import CommandReader, RejectedLine
from tui.feed import Feed
from tui.printing.runs import run_as_json, run_as_text, runs_as_json, runs_as_text

MUTATIONS = int(os.environ.get("TORCHDECK_MUTATIONS", "200"))

ODD = (
    *(b"", b"\n", b"null", b"0", b"-1", b"1e999", b"NaN", b'""', b"[]", b"{}", b"[" * 5000, b"\x00", b"\xff"),
    *(b"\x1b[2J", b'"\\u001b]0;x\\u0007"', b'"../../../outside"', b'"/etc/passwd"', b"99999999999999999999999"),
    *(b'{"event": "finished"}\n', b'{"command": "set_lr", "value": 1e400}\n'),
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs."""
    changes = ["training.epochs=2", "training.threads=1", "training.early_stopping=false"]
    session = Session.create(check(read("digits-cnn", changes)), runs_dir=tmp_path_factory.mktemp("trained"))
    session.start()
    assert session.join(120)
    (session.directory / "commands.jsonl").write_text('{"command": "pause"}\n{"command": "set_lr", "value": 0.1}\n')
    return session.directory


def mutate(content: bytes, dice: random.Random) -> bytes:
    """Change one thing: flip a bit; remove, repeat, insert or cut off a piece; replace a value of a line."""
    at, until = sorted((dice.randrange(len(content) + 1), dice.randrange(len(content) + 1)))
    until = min(until, at + dice.choice((1, 8, 200)))
    match dice.randrange(6):
        case 0 if content:
            at = dice.randrange(len(content))
            return content[:at] + bytes([content[at] ^ 1 << dice.randrange(8)]) + content[at + 1 :]
        case 1:
            return content[:at] + content[until:]
        case 2:
            return content[:until] + content[at:]
        case 3:
            return content[:at]
        case 4:
            return content[:at] + dice.choice(ODD) + content[until:]
    pieces = content.split(b":")
    place = dice.randrange(len(pieces))
    _, comma, rest = pieces[place].partition(b",")
    pieces[place] = dice.choice(ODD) + comma + rest
    return b":".join(pieces)


def damage(run: Path, dice: random.Random) -> None:
    """Change one file of a run; sometimes write a manifest that matches it, as an attacker would."""
    files = sorted(path for path in run.rglob("*") if path.is_file() and not path.is_symlink() and path.stat().st_size)
    kinds = (
        "events.jsonl",
        "commands.jsonl",
        "state.json",
        "manifest.json",
        ".safetensors",
        "experiment.toml",
        ".json",
    )
    kind = dice.choice(kinds)
    path = dice.choice([file for file in files if file.name.endswith(kind)] or files)
    if dice.random() < 0.05:
        path.unlink()
        path.symlink_to(run.parents[1] / "outside" / "file")
        return
    path.write_bytes(mutate(path.read_bytes(), dice))
    manifest = path.parent / "manifest.json"
    if path != manifest and manifest.exists() and not manifest.is_symlink() and dice.random() < 0.7:
        names = ("model.safetensors", "trainer.safetensors", "state.json")
        contents = {name: (path.parent / name).read_bytes() for name in names}
        entries = {n: {"bytes": len(c), "sha256": hashlib.sha256(c).hexdigest()} for n, c in contents.items()}
        text = json.dumps({"format": "torchdeck checkpoint 1", "files": entries}, indent=2)
        manifest.write_text(f"{text}\n")


def show(run: Path) -> str:
    """Everything that is shown of a run without resuming it."""
    follower = Follower(run)
    feed = Feed(follower)
    while feed.pull() or not follower.caught_up:
        feed.view  # noqa: B018
    shown = [runs_as_text(run.parent), runs_as_json(run.parent)]
    if list_runs(run.parent):
        shown += [run_as_text(run), run_as_json(run)]
    for answer in CommandReader(run / "commands.jsonl", skip_existing=False).read():
        shown.append(answer.reason if isinstance(answer, RejectedLine) else answer.to_json())
    return "\n".join(shown)


@pytest.mark.timeout(max(600, 3 * MUTATIONS))
def test_runs_changed_at_random_open_without_a_traceback_and_change_nothing_outside(
    trained: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("mine")
    refused = resumed = 0
    for seed in range(MUTATIONS):
        dice = random.Random(seed)
        run = tmp_path / "runs" / trained.name
        shutil.rmtree(run.parent, ignore_errors=True)
        shutil.copytree(trained, run)
        for _ in range(dice.choice((1, 1, 2, 4))):
            damage(run, dice)
        try:
            assert "\x1b" not in show(run), seed
            session = Session.resume(run)
        except Refused:
            refused += 1
        except Exception as error:
            raise AssertionError(f"mutation {seed}") from error
        else:
            session.interrupt()
            session.start()
            assert session.join(120), seed
            assert session.finished is not None and session.finished.message, seed
            resumed += 1
        assert [p.name for p in outside.iterdir()] == ["file"] and (outside / "file").read_text() == "mine", seed
        assert sorted(p.name for p in tmp_path.iterdir()) == ["outside", "runs"], seed
    assert refused and resumed
