"""A run with too little memory for a step, in a child process with a small address space."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.experiment import read, reads
from engine.plan import check
from engine.training.checkpoint import load_checkpoint, newest_checkpoint

DOCUMENT = """
[data]
source = "digits"
batch_size = 512
[model]
layers = ["Flatten", {type = "Linear", out_features = 64}, "ReLU", {type = "Linear", out_features = "auto"}]
[loss]
type = "CrossEntropyLoss"
weight = "balanced"
[optimizer]
type = "SGD"
lr = 0.05
[training]
epochs = 2
threads = 1
"""

PROGRAM = """
    import resource, sys
    from pathlib import Path
    import torch
    import tui.headless
    from engine.training import memory, runner, session

    # The freed memory that glibc keeps differs between runs, and here every byte counts.
    memory.keep_freed_memory = session.keep_freed_memory = runner.keep_freed_memory = memory.release_freed_memory

    def limit(loop, megabytes):
        # The memory of the process now, and this many more megabytes.
        pages = int(open("/proc/self/statm").read().split()[0])
        most = pages * resource.getpagesize() + int(megabytes * 2**20)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))

    # A layer that needs 1 MB a sample, which is much compared with torch and Python.
    class Large(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            if self.training or sys.argv[3] == "everywhere":
                x.new_empty((x.shape[0] << 18) + (1 << 28 if sys.argv[3] == "always" else 0))
            return self.inner(x)

    prepare = runner.Runner.build

    def prepared(self):
        loop = prepare(self)
        linear = loop.network.get_submodule("1")
        forward = linear.forward
        large = Large(forward)

        def with_large(x):
            large.train(linear.training)
            return large(x)

        linear.forward = with_large
        run = loop.run

        def limited():
            self.policy.wait()
            limit(loop, float(sys.argv[2]))
            loop.run = run
            return run()

        loop.run = limited
        return loop

    runner.Runner.build = prepared
    from engine.experiment import read
    sys.exit(tui.headless.train_headless(read(sys.argv[1], sys.argv[4:]), Path("runs"), as_json=True))
"""


def run(folder: Path, megabytes: float, *overrides: str, where: str = "training") -> tuple[int, list[dict[str, Any]]]:
    (folder / "experiment.toml").write_text(DOCUMENT)
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), "experiment.toml", str(megabytes), where, *overrides]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit of the address space is Linux's")
def test_the_run_reports_a_batch_size_that_fits(tmp_path: Path) -> None:
    status, events = run(tmp_path, 400)
    message = events[-1]["message"]
    assert status == 1 and events[-1]["reason"] == "failed"
    said = re.match(
        r"Out of memory at step 1 with a batch of 512; a batch of (\d+) fits\. Set data\.batch_size = (\d+) with "
        r"training\.accumulation_steps = (\d+) for steps of the same size, or training\.on_out_of_memory = "
        r'"accumulate"',
        message,
    )
    assert said and said[1] == said[2] and 32 <= int(said[1]) < 400, message
    assert int(said[1]) * int(said[3]) >= 512
    (tmp_path / "again").mkdir()
    changes = (f"data.batch_size={said[1]}", f"training.accumulation_steps={said[3]}")
    status, events = run(tmp_path / "again", 400, *changes)
    assert status == 0, str([e["message"] for e in events if "message" in e][-3:])


def test_with_accumulate_training_in_parts_gives_the_weights_of_whole_batches(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    status, _ = run(tmp_path / "whole", 100_000, "training.on_out_of_memory=accumulate")
    assert status == 0
    (tmp_path / "parts").mkdir()
    status, events = run(tmp_path / "parts", 400, "training.on_out_of_memory=accumulate")
    assert status == 0, events[-1]
    said, *_ = [e["message"] for e in events if e["event"] == "log" and "Out of memory" in e["message"]]
    assert re.search(
        r"Out of memory at step 1 with a batch of 512. From now on each batch is split into \d+ parts", said
    )
    weights, losses = [], []
    for name in ("whole", "parts"):
        (path,) = (tmp_path / name / "runs").iterdir()
        weights.append(load_checkpoint(newest_checkpoint(path / "checkpoints")).model)
        lines = map(json.loads, (path / "events.jsonl").read_text().splitlines())
        losses.append([e["train_loss"] for e in lines if e["event"] == "epoch"])
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, rtol=1e-5, atol=1e-6)
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    state = load_checkpoint(newest_checkpoint(path / "checkpoints")).state
    assert state["micro_batches"] > 1


def test_a_validation_that_does_not_fit_uses_smaller_batches(tmp_path: Path) -> None:
    status, events = run(tmp_path, 300, "data.batch_size=128", "data.validation=0.5", where="everywhere")
    assert status == 0, str([e["message"] for e in events if "message" in e][-3:])
    (said,) = [e["message"] for e in events if e["event"] == "log" and "Out of memory" in e["message"]]
    assert "Out of memory while validating. It is repeated with 128 samples at a time" in said


def test_a_model_without_memory_for_one_sample_is_reported(tmp_path: Path) -> None:
    status, events = run(tmp_path, 300, "training.on_out_of_memory=accumulate", where="always")
    assert status == 1 and "There is no memory even for a step on one sample" in events[-1]["message"]


def test_batch_norm_cannot_train_in_parts() -> None:
    plan = check(read("digits-cnn", ["training.on_out_of_memory=accumulate"]))
    (mistake,) = [m for m in plan.mistakes if m.path == "training.on_out_of_memory"]
    assert not plan.ok and "BatchNorm" not in mistake.found and "use the whole batch" in mistake.expected
    assert check(reads(DOCUMENT, ["training.on_out_of_memory=accumulate"])).ok
