"""Measure how long a checkpoint stops training: the copy of the tensors, and the effect of the writer's thread.

    python tests/benchmarks/checkpoint_pause.py [--megabytes 100] [--steps 300] [--folder DIR]

A model of this size (and Adam's two moments of the same size) takes steps of some milliseconds on one thread. The
program prints the time of `capture` and of a plain copy of the same tensors; the time of `CheckpointPolicy.save`; the
median step with and without the writer's thread active; and the longest step.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch

from engine.data import load_data
from engine.experiment import reads
from engine.plan import check
from engine.training.assemble import assemble
from engine.training.checkpoint_policy import CheckpointPolicy
from engine.training.checkpoint_state import capture
from engine.training.memory import keep_freed_memory


class SilentHost:
    """Ignores events and has no commands."""

    inbox: tuple[()] = ()

    def emit(self, event: object) -> None: ...
    def poll(self) -> None: ...
    def epoch_ended(self, *, improved: bool) -> None: ...


def loop_of(megabytes: int):
    hidden = int((megabytes * 2**20 / 4 / 2) ** 0.5)
    layers = f'["Flatten", {{type = "Linear", out_features = {hidden}}}, "ReLU", ' + ", ".join(
        [f'{{type = "Linear", out_features = {hidden}}}, "ReLU"'] * 2
    )
    document = f"""
[data]
source = "digits"
batch_size = 8
[model]
layers = {layers}, {{type = "Linear", out_features = "auto"}}]
[optimizer]
type = "Adam"
[training]
threads = 1
"""
    plan = check(reads(document))
    assert plan.ok, plan.mistakes
    return assemble(plan, load_data(plan.experiment.data, 0), SilentHost())


def steps(loop, count: int, still: object = None) -> list[float]:
    """Take steps while `still()` is true, at most `count`. Returns the seconds of each."""
    taken = []
    while len(taken) < count and (still is None or still()):
        for batch in loop.batches.training(8, 0, 1):
            began = time.perf_counter()
            loop.step([batch])
            loop.losses.fetch()
            taken.append(time.perf_counter() - began)
            if len(taken) >= count or (still is not None and not still()):
                break
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--folder", help="where checkpoints are written; by default a temporary folder")
    asked = parser.parse_args()
    keep_freed_memory()
    loop = loop_of(asked.megabytes)
    steps(loop, 5)
    quiet = steps(loop, asked.steps)
    tensors = [*loop.network.state_dict().values()]
    tensors += [t for slots in loop.optimizer.state.values() for t in slots.values() if torch.is_tensor(t)]
    size = sum(t.numel() * t.element_size() for t in tensors) / 2**20

    def timed(what) -> float:
        found = []
        for _ in range(5):
            began = time.perf_counter()
            kept = what()
            found.append(time.perf_counter() - began)
            del kept
        return statistics.median(found)

    copy = timed(lambda: [t.clone() for t in tensors])
    take = timed(lambda: capture(loop))
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        policy = CheckpointPolicy(Path(folder, "checkpoints"), every_s=1e9, within_epoch_s=1e9, emit=lambda event: None)
        saves, busy, written = [], [], []
        for _ in range(3):
            began = time.perf_counter()
            policy.save(loop)
            saves.append(time.perf_counter() - began)
            busy += steps(loop, 10_000, lambda: policy._writer._thread is not None)
            written.append(time.perf_counter() - began)
            steps(loop, 5)
        policy.close()
    print(f"{size:,.0f} MB of tensors: copying {copy * 1e3:.0f} ms, capture {take * 1e3:.0f} ms, ", end="")
    print(f"save {statistics.median(saves) * 1e3:.0f} ms; on disk after {statistics.median(written):.2f} s")
    print(
        f"a step {statistics.median(quiet) * 1e3:.1f} ms (longest {max(quiet) * 1e3:.0f}), while it is written "
        f"{statistics.median(busy) * 1e3:.1f} ms (longest {max(busy) * 1e3:.0f}, {len(busy)} steps)"
    )


if __name__ == "__main__":
    main()
