"""The time of `torchdeck runs` with many runs in the folder: the first time, and later.

python tests/benchmarks/list_runs.py [RUNS]
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from engine.protocol.events import Epoch, Finished, Reason, RunStarted, Step
from engine.runs import RunDirectory

TIMES = 5


def make(runs: Path, number: int) -> None:
    """Write a run of 30 epochs as digits-cnn writes it."""
    run = RunDirectory.create(runs, f"digits-cnn-{number}", 'name = "digits-cnn"\n', {})
    experiment = {"name": "digits-cnn", "training": {"early_stopping": {"monitor": "val_loss", "patience": 8}}}
    plan = tuple((step, step / 256) for step in range(256))
    run.append(
        RunStarted(
            run=run.name,
            directory=str(run.path),
            experiment=experiment,
            device="cpu",
            precision="float32",
            threads=1,
            parameters=18_602,
            train_samples=1438,
            val_samples=359,
            steps_per_epoch=23,
            epochs=30,
            lr_plan=plan,
        )
    )
    for epoch in range(1, 31):
        run.append(Step(epoch=epoch, step=epoch * 23, loss=0.5, lr=1e-3, grad_norm=0.4, samples_per_s=24_000))
        run.append(
            Epoch(epoch=epoch, step=epoch * 23, train_loss=0.5, val_loss=0.4, lr=1e-3, seconds=1, samples_per_s=1)
        )
    run.append(Finished(reason=Reason.COMPLETED, epoch=30, step=690, seconds=30, message="Trained 30 epochs."))
    run.close()


def processor_s() -> float:
    """Return the CPU seconds of child processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            make(Path(folder), number)
        command = [sys.executable, "-m", "tui.cli", "runs", "--runs-dir", folder]
        for which in ("first", *["again"] * TIMES):
            began, used_s = time.perf_counter(), processor_s()
            listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            assert len(listed.splitlines()) == count + 1
            took_s, used_s = time.perf_counter() - began, processor_s() - used_s
            print(f"{which}: {took_s:.2f} s, {used_s:.2f} s of CPU, with the start of the process")


if __name__ == "__main__":
    main()
