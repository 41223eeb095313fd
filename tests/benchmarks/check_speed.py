"""The time of `check`: the first call of a process, and a call after one layer of fifty was changed.

    python tests/benchmarks/check_speed.py [--rounds 5]

`first` is a fresh process's first check() of a network of 50 layers, with the engine's own imports, after torch is
imported: at most 0.5 s. `again` is check() of the same document with one nested layer changed to a new value, so
that nothing of it is cached: at most 30 ms. It prints the medians and minima of the rounds, as wall-clock time and as
CPU time of the process, which depends less on other programs. The exit status is 1 if a median of wall-clock time
exceeds its bound.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from typing import Any

BOUNDS_S = {"first": 0.5, "again": 0.030}
BLOCKS = 7


def document(change: int = 0) -> dict[str, Any]:
    """Return fifty layers, with those in containers: seven Residual blocks of six, and eight layers around them."""

    def conv(channels: int, **more: Any) -> dict[str, Any]:
        return {"type": "Conv2d", "out_channels": channels, "kernel_size": 3, "padding": 1, **more}

    def block(hidden: int) -> dict[str, Any]:
        return {
            "type": "Residual",
            "layers": [conv(hidden), "BatchNorm2d", "ReLU", conv(32), "BatchNorm2d"],
        }

    blocks = [block(17 + change if i == BLOCKS // 2 else 16) for i in range(BLOCKS)]
    before = [conv(32), "BatchNorm2d", "ReLU"]
    after = ["ReLU", {"type": "AdaptiveAvgPool2d", "output_size": 1}, "Flatten", {"type": "Dropout", "p": 0.1}]
    last = {"type": "Linear", "out_features": "auto"}
    return {"data": {"source": "digits"}, "model": {"layers": [*before, *blocks, *after, last]}}


def clocks() -> tuple[float, float]:
    """Return wall-clock seconds, and the CPU seconds of this process."""
    return time.perf_counter(), time.process_time()


def since(started: tuple[float, float]) -> tuple[float, float]:
    now = clocks()
    return now[0] - started[0], now[1] - started[1]


def measure() -> None:
    """Measure in a separate process: the first check, and twenty after a change. Prints a line of JSON."""
    import torch  # noqa: F401  its import is not measured

    started = clocks()
    from engine import check
    from engine.experiment import Experiment

    plan = check(Experiment.model_validate(document()))
    first = since(started)
    assert plan.ok and len(plan.layers) == 50, (len(plan.layers), plan.mistakes)
    again = []
    for change in range(1, 21):
        experiment = Experiment.model_validate(document(change))
        started = clocks()
        check(experiment)
        again.append(since(started))
    print(json.dumps({"first": [first], "again": again}))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure()
        return 0
    found: dict[str, list[tuple[float, float]]] = {"first": [], "again": []}
    for _ in range(options.rounds):
        said = subprocess.run(
            [sys.executable, __file__, "--measure"], check=True, capture_output=True, text=True
        ).stdout
        for name, times in json.loads(said).items():
            found[name] += times
    within = True
    for name, times in found.items():
        clock, cpu = ([t[i] * 1e3 for t in times] for i in (0, 1))
        within &= statistics.median(clock) <= BOUNDS_S[name] * 1e3
        print(
            f"{name}  median {statistics.median(clock):.1f} ms (minimum {min(clock):.1f}), "
            f"CPU {statistics.median(cpu):.1f} ms (minimum {min(cpu):.1f}); bound {BOUNDS_S[name] * 1e3:.0f} ms"
        )
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
