"""Training on a folder of images, from its files and from kept pixels, with and without a terminal."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

sys.path.append(str(Path(__file__).parent / "tui"))
import warm_torchdeck
from real_terminal import Terminal

PROGRAM = Path(__file__).parent / "tui" / "image_deck_program.py"
TORCHDECK = [sys.executable, "-m", "tui.cli"]
PATIENCE_S = 90

EXPERIMENT = """
name = "zoo"
[data]
source = "images"
path = "images"
cache = false
batch_size = 8
[model]
layers = [
  {type = "Conv2d", out_channels = 4, kernel_size = 3}, "ReLU", "Flatten", {type = "Linear", out_features = "auto"},
]
[training]
epochs = 3
threads = 1
device = "cpu"
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with an experiment on sixty images; nothing goes on in it at the end."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TORCHDECK_RUNS", raising=False)
    rng = np.random.default_rng(0)
    for number in range(60):
        folder = tmp_path / "images" / "abc"[number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8) // (1 + number % 3)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    (tmp_path / "zoo.toml").write_text(EXPERIMENT)
    return tmp_path


def command(*more):
    changes = [part for change in more for part in ("--set", change)]
    return ["train", "zoo.toml", "--headless", "--json", *changes]


def of_session(session):
    """The processes of a terminal's session, or what is left of it."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):
            pass
    return found


def wait_for(condition):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_losses_have_the_same_bits_from_kept_pixels_a_thread_and_processes(here):
    losses = {}
    for way in ("cache=true", "workers=0", "workers=1", "workers=2"):
        result = warm_torchdeck.run(*command(f"data.{way}"), cwd=here)
        assert result.returncode == 0, result.stderr
        events = [json.loads(line) for line in result.stdout.splitlines()]
        losses[way] = [(e["train_loss"], e["val_loss"]) for e in events if e["event"] == "epoch"]
        said = " ".join(e["message"] for e in events if e["event"] == "log")
        by = {"cache=true": "are on cpu", "workers=0": "a thread", "workers=1": "a process", "workers=2": "2 processes"}
        assert by[way] in said
    assert len(losses["cache=true"]) == 3 and len(set(map(str, losses.values()))) == 1


@pytest.mark.parametrize("workers", [0, 2])
def test_ctrl_c_on_a_run_that_reads_images_saves_and_leaves_no_process(here, workers):
    process = subprocess.Popen(
        [*TORCHDECK, *command(f"data.workers={workers}", "training.epochs=100000", "training.early_stopping=false")],
        cwd=here,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for line in process.stdout:
        if json.loads(line)["event"] == "epoch":
            break
    assert len(of_session(process.pid)) >= 1 + workers
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process in the foreground
    rest, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130 and "Traceback" not in said
    assert json.loads(rest.splitlines()[-1])["reason"] == "interrupted"
    wait_for(lambda: not of_session(process.pid))


def test_images_are_read_by_processes_from_inside_the_deck(here, monkeypatch):
    monkeypatch.setattr("real_terminal.PATIENCE_S", PATIENCE_S)
    terminal = Terminal(here, "train", "zoo.toml", "--set", "data.workers=2", program=PROGRAM)
    try:
        terminal.until("completed")
        terminal.press("q")
        assert terminal.status() == 0 and terminal.is_restored()
        (run,) = (here / "runs").iterdir()
        events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
        assert any("by 2 processes" in e.get("message", "") for e in events)
        assert [e["epoch"] for e in events if e["event"] == "epoch"] == [1, 2, 3]
        shell = terminal.pid
        wait_for(lambda: not [p for p in of_session(shell) if "python" in p.name()])
    finally:
        terminal.end()


def test_a_broken_image_among_many_is_one_line_of_a_check_and_status_2(here):
    (here / "images" / "a" / "0.png").write_bytes(b"II*\0")
    (here / "images" / "b" / "1.png").write_bytes((here / "images" / "b" / "1.png").read_bytes()[:-30])
    result = warm_torchdeck.run("check", "zoo.toml", cwd=here)
    assert result.returncode == 2
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == ["data.path a/0.png", "data.path b/1.png"]


def test_ctrl_c_while_images_are_looked_at_ends_at_once_with_nothing_left(here):
    many = here / "many"
    for name in ("a", "b"):
        (many / name).mkdir(parents=True)
        for number in range(10_000):
            (many / name / f"{number}.png").hardlink_to(here / "images" / "a" / "0.png")
    process = subprocess.Popen(
        [*TORCHDECK, "check", "zoo.toml", "--set", "data.path=many", "--set", "data.cache=true"],
        cwd=here,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: list((here / "cache" / "torchdeck").glob(".images-*.part")))
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130 and "Traceback" not in said
    assert list((here / "cache" / "torchdeck").iterdir()) == [] and not of_session(process.pid)
