"""A run that is killed again and again is, in the end, the run that never was: to the last bit.

Every run goes through the command line; `TORCHDECK_KILLS` says how often runs are killed in all (`make test-faults`).
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.training.checkpoint import load_checkpoint, newest_checkpoint

KILLS = int(os.environ.get("TORCHDECK_KILLS", "10"))

CNN = """
seed = 3
[data]
source = "digits"
batch_size = 16
[model]
layers = [
  {type = "Conv2d", out_channels = 6, kernel_size = 3, padding = 1}, "BatchNorm2d", "ReLU",
  {type = "MaxPool2d", kernel_size = 2}, "Flatten",
  {type = "Dropout", p = 0.3}, {type = "Linear", out_features = "auto"},
]
[loss]
type = "CrossEntropyLoss"
label_smoothing = 0.1
"""

LSTM = """
seed = 5
[data]
source = "mackey-glass"
length = 1200
window = 24
batch_size = 10
[model]
layers = [{type = "LSTM", hidden_size = 10, num_layers = 2, dropout = 0.2}, {type = "Linear", out_features = "auto"}]
"""

ADAM = "optimizer={type='AdamW', lr=2e-3}"
SGD = "optimizer={type='SGD', lr=0.05, momentum=0.9, nesterov=true}"
STOPS = "training.early_stopping={patience=2, min_delta=0.05}"

CASES: dict[str, tuple[str, list[str]]] = {
    "cnn-onecycle-augment-mixup-cutmix": (
        CNN,
        [
            ADAM,
            "scheduler={type='OneCycleLR', max_lr=4e-3}",
            "regularization={mixup=0.4, cutmix=1.0}",
            "data.augment=[{type='RandomCrop', padding=1, size=8}, {type='RandomRotation', degrees=10}]",
        ],
    ),
    "lstm-plateau": (
        LSTM,
        [SGD, "scheduler={type='ReduceLROnPlateau', patience=1, threshold=0.2}", "regularization.clip_grad_norm=0.5"],
    ),
    "cnn-chained-accumulation-ema": (
        CNN,
        [
            SGD,
            "scheduler={type='ChainedScheduler', schedulers=[{type='LinearLR', total_iters=3}, "
            "{type='ExponentialLR', gamma=0.8}], warmup_epochs=0.5}",
            "training.accumulation_steps=3",
            "regularization.average={type='ema', decay=0.95}",
        ],
    ),
    "lstm-sequential-stops-early": (
        LSTM,
        [
            ADAM,
            STOPS,
            "scheduler={type='SequentialLR', schedulers=[{type='ConstantLR', factor=0.5, total_iters=2}, "
            "{type='CosineAnnealingLR'}], milestones=[2]}",
        ],
    ),
    "cnn-cyclic-swa": (
        CNN,
        [
            SGD,
            "scheduler={type='CyclicLR', base_lr=1e-3, max_lr=0.05, step_size_up=40}",
            "regularization.average={type='swa', start=0.4}",
        ],
    ),
    "cnn-cosine-bfloat16": (CNN, [ADAM, "scheduler=CosineAnnealingLR", "training.amp=bfloat16"]),
    "lstm-step-ema": (
        LSTM,
        [
            ADAM,
            "scheduler={type='StepLR', step_size=2, gamma=0.5}",
            "regularization.average={type='ema', decay=0.9, start_epoch=2}",
        ],
    ),
    "cnn-restarts-every-step": (
        CNN,
        [ADAM, "scheduler={type='CosineAnnealingWarmRestarts', T_0=50, interval='step'}", "regularization.l1=1e-4"],
    ),
    "cnn-multistep-stops-early": (
        CNN,
        [SGD, STOPS, "scheduler={type='MultiStepLR', milestones=[2, 4], gamma=0.3}", "regularization.mixup=0.2"],
    ),
    "lstm-polynomial-accumulation": (
        LSTM,
        ["optimizer={type='RMSprop', lr=1e-3}", "scheduler=PolynomialLR", "training.accumulation_steps=4"],
    ),
    "cnn-exponential-muon": (
        CNN.replace('"Flatten",', '"Flatten", {type = "Linear", out_features = 24}, "ReLU",'),
        ["optimizer={type='Muon', lr=0.01}", "scheduler={type='ExponentialLR', gamma=0.9}"],
    ),
}

OFTEN = [
    *("training.threads=1", "training.epochs=5", "training.checkpoint_every_s=1e-6"),
    "training.checkpoint_within_epoch_s=1e-6",
]

PLACES = {
    "os.fsync": 30,
    "os.rename": 8,
    "os.replace": 1,
    "safetensors.torch.serialize_file": 12,
    "engine.training.runner.Runner.epoch_ended": 3,
    "engine.training.checkpoint_policy.CheckpointPolicy.save": 6,
    "engine.training.checkpoint_writer.mark_best": 2,
    "engine.training.checkpoint_writer.save_checkpoint": 10,
}
"""Functions before or after which a run is killed, each with the number of calls to choose from."""


class Runner:
    """The process that runs commands and kills them, see killed_program."""

    def __init__(self, folder: Path) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        program = [sys.executable, str(Path(__file__).with_name("killed_program.py"))]
        self._process = subprocess.Popen(
            program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=folder
        )
        self._log = folder / "output.txt"

    def run(self, *arguments: str, kill: dict[str, Any] | None = None) -> tuple[int, float]:
        """Run a command; returns its exit status, or minus the signal that ended it, and the seconds it took."""
        assert self._process.stdin is not None and self._process.stdout is not None
        request = {"arguments": arguments, "kill": kill, "log": str(self._log)}
        print(json.dumps(request), file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline())
        return answer["status"], answer["seconds"]

    @property
    def output(self) -> str:
        return self._log.read_text()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    runner = Runner(tmp_path_factory.mktemp("runner"))
    yield runner
    runner.close()


def epochs_of(run: Path) -> dict[int, set[str]]:
    """The events of each epoch without the values of clocks; an epoch that was trained twice may have two."""
    found: dict[int, set[str]] = {}
    for line in (run / "events.jsonl").read_bytes().split(b"\n")[:-1]:
        try:
            event = json.loads(line)
        except ValueError:
            continue  # torn by a kill
        if event["event"] == "epoch":
            measured = {k: v for k, v in event.items() if k not in ("time", "seconds", "samples_per_s")}
            found.setdefault(event["epoch"], set()).add(json.dumps(measured, sort_keys=True))
    return found


def assert_equal(run: Path, expected: Path, story: list[Any]) -> None:
    assert epochs_of(run) == epochs_of(expected), story
    for kind in ("last", "best"):
        ours, theirs = (newest_checkpoint(path / "checkpoints", kind=kind) for path in (run, expected))
        assert ours is not None and theirs is not None and ours.name == theirs.name, (kind, ours, theirs, story)
        one, other = load_checkpoint(ours), load_checkpoint(theirs)
        for left, right in ((one.model, other.model), (one.trainer, other.trainer)):
            assert left.keys() == right.keys()
            assert [name for name in right if not same(left[name], right[name])] == [], (kind, story)
        assert one.state == other.state, (kind, story)


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.dtype == other.dtype and torch.equal(
        one.reshape(-1).view(torch.uint8), other.reshape(-1).view(torch.uint8)
    )


def chosen_kill(dice: random.Random, duration_s: float) -> dict[str, Any]:
    if dice.random() < 0.5:
        return {"after_s": dice.uniform(0.0, duration_s)}
    place = dice.choice(list(PLACES))
    return {"at": place, "call": dice.randint(1, PLACES[place]), "side": dice.choice(["before", "after"])}


def shares(kills: int) -> dict[str, int]:
    """The number of kills of each case; with few kills, only the first cases run."""
    cases = list(CASES)[: max(1, min(len(CASES), kills // 3))]
    return {case: kills // len(cases) + (i < kills % len(cases)) for i, case in enumerate(cases)}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("case", "kills"), shares(KILLS).items())
def test_a_run_killed_many_times_ends_with_the_same_bits_as_one_never_killed(
    case: str, kills: int, runner: Runner, tmp_path: Path
) -> None:
    text, overrides = CASES[case]
    document, runs = tmp_path / "experiment.toml", tmp_path / "runs"
    document.write_text(text)
    sets = [argument for override in (*overrides, *OFTEN) for argument in ("--set", override)]
    train = ["train", str(document), "--headless", *sets, "--name", "x", "--runs-dir"]
    status, duration_s = runner.run(*train, str(tmp_path / "uninterrupted"))
    assert status == 0, runner.output
    (expected,) = (tmp_path / "uninterrupted").iterdir()

    dice = random.Random(f"{case} {os.environ.get('TORCHDECK_SEED', '0')}")
    story: list[Any] = []
    killed, run = 0, None
    while killed < kills:
        kill = chosen_kill(dice, duration_s)
        command = [*train, str(runs)] if run is None else ["resume", str(run), "--headless"]
        status, _ = runner.run(*command, kill=kill)
        story.append((command[0], kill, status))
        if run is None and runs.is_dir():
            (run,) = runs.iterdir()
        if status == -signal.SIGKILL:
            killed += 1
        elif status == 0:  # it ended before the kill, and would only end again
            assert run is not None
            assert_equal(run, expected, story)
            shutil.rmtree(runs)
            run = None
        else:
            assert status == 2 and "no checkpoint" in runner.output, (story, runner.output)
            shutil.rmtree(runs)
            run = None
    command = [*train, str(runs)] if run is None else ["resume", str(run), "--headless"]
    status, _ = runner.run(*command)
    if status == 2 and "no checkpoint" in runner.output:
        shutil.rmtree(runs)
        status, _ = runner.run(*train, str(runs))
    assert status == 0, (story, runner.output)
    (run,) = runs.iterdir()
    assert_equal(run, expected, story)
