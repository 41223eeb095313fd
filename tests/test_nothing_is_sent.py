"""Escape sequences in names, labels, texts and logs are shown, never sent, whichever door they come in by."""

import json
import os

import numpy as np
import pytest
import warm_torchdeck

EVIL = "\x1b]0;mine\x07\x1b[2J\x9b31m"


def said(*arguments, cwd):
    environment = os.environ | {"TORCHDECK_RUNS": str(cwd / "runs")}
    result = warm_torchdeck.run(*arguments, cwd=cwd, env=environment)
    assert "Traceback" not in result.stderr, result.stderr
    return result.stdout + result.stderr


def assert_nothing_sent(text):
    assert not [c for c in text if (ord(c) < 32 and c not in "\n\t") or 0x7F <= ord(c) < 0xA0], repr(text)


@pytest.fixture
def run(tmp_path):
    """A run from a stranger: everything that is text in it is hostile."""
    path = tmp_path / "runs" / f"2026-01-01T00-00-00-{EVIL.replace('/', '')}"
    path.mkdir(parents=True)
    (path / "experiment.toml").write_text(f'name = "{EVIL}"')
    started = {
        "event": "run_started",
        "run": EVIL,
        "directory": EVIL,
        "experiment": {"name": EVIL, "training": {"early_stopping": {"monitor": EVIL}}},
        "device": EVIL,
        "precision": EVIL,
        "threads": 1,
        "parameters": 1,
        "train_samples": 1,
        "val_samples": 1,
        "steps_per_epoch": 1,
        "epochs": 1,
        "resumed_from": EVIL,
    }
    epoch = {"event": "epoch", "epoch": 1, "step": 1, "train_loss": 1, "lr": 1, "seconds": 1, "samples_per_s": 1}
    events = [
        started,
        {"event": "log", "level": "info", "message": EVIL},
        {"event": "command", "command": EVIL, "epoch": 1, "step": 1, "outcome": EVIL},
        {**epoch, f"val_{EVIL}": 1.0, "best": 1, "best_epoch": 1},
        {"event": "finished", "reason": "failed", "epoch": 1, "step": 1, "seconds": 1, "message": EVIL, "best": 1},
    ]
    (path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ["runs"],
        ["runs", "--json"],
        ["runs", "show"],
        ["runs", "show", "--json"],
        ["attach", "--headless"],
        ["attach", "--json"],
        ["resume", "--headless"],
        ["stop", "2026"],
        ["attach", "2026"],
    ],
    ids=" ".join,
)
def test_a_run_of_a_stranger_is_shown(run, tmp_path, arguments):
    assert_nothing_sent(said(*arguments, cwd=tmp_path))


@pytest.mark.parametrize("verb", ["check", "train", "data"])
def test_a_document_of_a_stranger_is_refused_in_plain_words(tmp_path, verb):
    name = "".join(f"\\u{ord(c):04x}" for c in EVIL)
    (tmp_path / "evil.toml").write_text(f'name = "{name}"\n"{name}" = 1\ndata = {{source = "{name}"}}\n')
    assert_nothing_sent(said(verb, "evil.toml", cwd=tmp_path))


def test_labels_of_data_are_shown(tmp_path):
    x = np.arange(80, dtype=np.float32).reshape(40, 2)
    np.savez(tmp_path / "mine.npz", x=x, y=np.array([EVIL, "b"] * 20))
    (tmp_path / "mine.toml").write_text('name = "mine"\ndata = {source = "arrays", path = "mine.npz"}\n')
    assert_nothing_sent(said("data", "mine.toml", cwd=tmp_path))
