"""The speed of training: against a fast loop written by hand, and with the deck against without it.

    python tests/benchmarks/training_speed.py [--rounds 5] [--cases digits-cnn,cifar-cnn,lstm-text] [--threads 2]

Each case is the same model, data, batch size, optimizer and seed three times: `plain` (tensors indexed by hand, fused
Adam, no `.item()` in a step, glibc told to keep freed memory), `headless` (`torchdeck train --headless`) and `deck`
(`torchdeck train` in a pseudo-terminal of 120×36). Fresh processes run one at a time, in rotated order.
If other processes used more than a twentieth of a core during a run, it is repeated, up to three times.
It prints samples a second of training only, without the first third of the epochs (imports, caches, first frames):
medians, and the median of the ratios within a round. Only the ratios can be compared between machines.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

CASES = {
    "digits-cnn": {
        "batch": 64,
        "epochs": 160,
        "layers": """[
          {type = "Conv2d", out_channels = 16, kernel_size = 3, padding = 1}, "ReLU",
          {type = "MaxPool2d", kernel_size = 2},
          {type = "Conv2d", out_channels = 32, kernel_size = 3, padding = 1}, "ReLU",
          {type = "MaxPool2d", kernel_size = 2},
          "Flatten", {type = "Linear", out_features = 64}, "ReLU", {type = "Linear", out_features = 10}]""",
    },
    "cifar-cnn": {
        "batch": 128,
        "epochs": 6,
        "layers": """[
          {type = "Conv2d", out_channels = 16, kernel_size = 3, padding = 1}, "ReLU",
          {type = "MaxPool2d", kernel_size = 2},
          "Flatten", {type = "Linear", out_features = 256}, "ReLU", {type = "Linear", out_features = 10}]""",
    },
    "lstm-text": {
        "batch": 64,
        "epochs": 3,
        "layers": """[{type = "Embedding", embedding_dim = 300}, {type = "LSTM", hidden_size = 128},
          {type = "Linear", out_features = 2}]""",
    },
}


def make_data(case: str, path: Path) -> None:
    """Write data of the case's shape that a model can learn."""
    random = np.random.default_rng(0)
    if case == "digits-cnn":
        from sklearn.datasets import load_digits

        x, y = load_digits(return_X_y=True)
        x = (x / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    elif case == "cifar-cnn":
        x = random.standard_normal((7680, 3, 32, 32)).astype(np.float32)
        y = (x.reshape(len(x), -1)[:, :12] @ random.standard_normal((12, 10))).argmax(1)
    else:
        # Words as in a text: the r-th most common one has a probability of about 1 / r.
        x = np.minimum((10_000 ** random.random((7680, 50))).astype(np.int64), 9_999)
        x[0, 0] = 9_999
        y = ((x < 100).sum(1) > 25).astype(np.int64)
    train = len(x) * 5 // 6
    np.savez(path, x=x[:train], y=y[:train].astype(np.int64), x_val=x[train:], y_val=y[train:].astype(np.int64))


def make_document(case: str, data: Path, threads: str) -> str:
    settings = CASES[case]
    return f"""
name = "{case}"
[data]
source = "arrays"
path = "{data}"
batch_size = {settings["batch"]}
[model]
layers = {settings["layers"]}
[optimizer]
type = "Adam"
[training]
epochs = {settings["epochs"]}
threads = {threads}
"""


def plain(case: str, data: Path, threads: int) -> float:
    """Run the loop by hand in this process. Returns samples a second."""
    import ctypes

    libc = ctypes.CDLL(None)
    for name, value in ((-4, 0), (-1, -1), (-2, 64 << 20)):
        libc.mallopt(name, value)
    import torch
    from torch import nn

    class Last(nn.LSTM):
        def forward(self, x):
            return super().forward(x)[0][:, -1]

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    pool, conv = (lambda: nn.MaxPool2d(2)), (lambda i, o: nn.Conv2d(i, o, 3, padding=1))
    model = {
        "digits-cnn": lambda: nn.Sequential(
            *(conv(1, 16), nn.ReLU(), pool(), conv(16, 32), nn.ReLU(), pool()),
            *(nn.Flatten(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)),
        ),
        "cifar-cnn": lambda: nn.Sequential(
            *(conv(3, 16), nn.ReLU(), pool(), nn.Flatten(), nn.Linear(4096, 256), nn.ReLU(), nn.Linear(256, 10))
        ),
        "lstm-text": lambda: nn.Sequential(
            nn.Embedding(10_000, 300), Last(300, 128, batch_first=True), nn.Linear(128, 2)
        ),
    }[case]()
    arrays = np.load(data)
    x, y, xv = (torch.from_numpy(arrays[k]) for k in ("x", "y", "x_val"))
    if x.ndim == 4:
        model = model.to(memory_format=torch.channels_last)
        x, xv = x.to(memory_format=torch.channels_last), xv.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    batch, spent = CASES[case]["batch"], []
    for _ in range(CASES[case]["epochs"]):
        began = time.perf_counter()
        model.train()
        total = torch.zeros(())
        order = torch.randperm(len(x))
        for i in range(0, len(x), batch):
            some = order[i : i + batch]
            loss = nn.functional.cross_entropy(model(x[some]), y[some])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            total += loss.detach() * len(some)
        float(total)
        spent.append(time.perf_counter() - began)
        model.eval()
        with torch.inference_mode():
            for i in range(0, len(xv), 4 * batch):
                model(xv[i : i + 4 * batch])
    steady = spent[len(spent) // 3 :]
    return len(x) * len(steady) / sum(steady)


OTHERS = 0.05
"""Cores that other processes may use during a run, on average: a third busy thread slows two that spin."""
TRIES = 3


def busy_s() -> float:
    """Return the busy seconds of all cores together, for all processes."""
    with open("/proc/stat", encoding="ascii") as stat:
        user, nice, system = map(int, stat.readline().split()[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def undisturbed(measure: Callable[[], float]) -> float:
    """Return the result of `measure` from a run without load from other processes, or from the least disturbed one."""
    found = []
    for _ in range(TRIES):
        busy, began, own = busy_s(), time.monotonic(), sum(os.times()[:4])
        value = measure()
        others = (busy_s() - busy - (sum(os.times()[:4]) - own)) / (time.monotonic() - began)
        found.append((others, value))
        if others <= OTHERS:
            break
    others, value = min(found)
    if others > OTHERS:
        print(f"({others:.2f} of a core used by other processes')", end=" ", flush=True)
    return value


def events_of(runs: Path) -> list[dict]:
    lines = [line for path in runs.glob("*/events.jsonl") for line in path.read_text().splitlines()]
    return [json.loads(line) for line in lines]


def speed(runs: Path) -> float:
    epochs = [e for e in events_of(runs) if e["event"] == "epoch"]
    steady = epochs[len(epochs) // 3 :]
    return len(steady) / sum(1 / e["samples_per_s"] for e in steady)


def headless(document: Path, runs: Path) -> float:
    command = [sys.executable, "-m", "tui.cli", "train", str(document), "--headless", "--runs-dir", str(runs)]
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return speed(runs)


def deck(document: Path, runs: Path) -> float:
    import pexpect

    command = ["-m", "tui.cli", "train", str(document), "--runs-dir", str(runs)]
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    child = pexpect.spawn(sys.executable, command, dimensions=(36, 120), env=environment, timeout=600)
    while not any(e["event"] == "finished" for e in events_of(runs)):
        try:
            child.read_nonblocking(1 << 16, timeout=0.2)
        except pexpect.TIMEOUT:
            continue
    child.send("q")
    child.expect(pexpect.EOF)
    return speed(runs)


def run(way: str, case: str, data: Path, document: Path, threads: int) -> float:
    """Run once in fresh processes. Returns samples a second."""
    if way == "plain":
        command = [sys.executable, __file__, "--threads", str(threads), "--plain", case, str(data)]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    with tempfile.TemporaryDirectory() as runs:
        return (headless if way == "headless" else deck)(document, Path(runs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument(
        "--threads", type=int, default=2, help="threads of the plain loop, and of the others without --auto"
    )
    parser.add_argument("--auto", action="store_true", help="let torchdeck choose its threads")
    parser.add_argument("--ways", default="plain,headless,deck")
    parser.add_argument("--plain", nargs=2, metavar=("CASE", "DATA"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.plain:
        print(plain(asked.plain[0], Path(asked.plain[1]), asked.threads))
        return
    ways = asked.ways.split(",")
    for case in asked.cases.split(","):
        measured: dict[str, list[float]] = {way: [] for way in ways}
        with tempfile.TemporaryDirectory() as folder:
            data, document = Path(folder, "data.npz"), Path(folder, "experiment.toml")
            make_data(case, data)
            document.write_text(make_document(case, data, '"auto"' if asked.auto else str(asked.threads)))
            for number in range(asked.rounds):
                for way in ways[number % len(ways) :] + ways[: number % len(ways)]:
                    measured[way].append(undisturbed(partial(run, way, case, data, document, asked.threads)))
        print(case, "  ".join(f"{way} {statistics.median(v):,.0f}/s" for way, v in measured.items()), end="  ")
        for way, other in (("headless", "plain"), ("deck", "headless")):
            if way in ways and other in ways:
                ratios = [a / b for a, b in zip(measured[way], measured[other], strict=True)]
                print(
                    f"{way}/{other} {statistics.median(ratios):.3f} ({min(ratios):.2f}–{max(ratios):.2f}), of medians "
                    f"{statistics.median(measured[way]) / statistics.median(measured[other]):.3f}",
                    end="  ",
                )
        print(flush=True)


if __name__ == "__main__":
    main()
