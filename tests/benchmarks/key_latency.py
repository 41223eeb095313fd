"""How long a key takes to change the screen while a run keeps every core busy.

    python tests/benchmarks/key_latency.py [--keys 500] [--size 80x24]

The deck runs in a pseudo-terminal and trains a network whose steps use both cores. Keys edit another document on the
design screen: they move through the layers, change values, add and delete layers, undo. The program prints the median,
the 95th percentile and the longest time from a key to the first byte that changes the screen, for each kind of key and
for all of them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pexpect
import pyte

DOWN, UP, RIGHT, LEFT, HOME = "\x1b[B", "\x1b[A", "\x1b[C", "\x1b[D", "\x1b[H"
ROUND = [
    ("move", DOWN),
    ("move", DOWN),
    ("duplicate", "D"),
    ("move a layer", "J"),
    ("undo", "u"),
    ("undo", "u"),
    ("to the form", "\r"),
    ("step", RIGHT),
    ("step", LEFT),
    ("back", "\x1b[Z"),
    ("wrap: the list", "w"),
    ("wrap: taken", "\r"),
    ("fold", " "),
    ("fold", " "),
    ("undo", "u"),
    ("move", UP),
    ("to the top", HOME),
]
SETTLED_S = 0.06
PATIENCE_S = 3.0

BUSY = """
name = "busy"
[data]
source = "arrays"
path = "{data}"
batch_size = 128
[model]
layers = [
  {{type = "Conv2d", out_channels = 32, kernel_size = 3, padding = 1}}, "ReLU", {{type = "MaxPool2d", kernel_size = 2}},
  {{type = "Conv2d", out_channels = 64, kernel_size = 3, padding = 1}}, "ReLU", {{type = "MaxPool2d", kernel_size = 2}},
  "Flatten", {{type = "Linear", out_features = 256}}, "ReLU", {{type = "Linear", out_features = 10}}]
[training]
epochs = 100000
threads = {threads}
"""


class Screen:
    """The terminal of the deck."""

    def __init__(self, command: list[str], columns: int, rows: int) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self.child = pexpect.spawn(command[0], command[1:], dimensions=(rows, columns), env=environment)
        self.child.delaybeforesend = None  # pexpect would delay every key by 50 ms

    def read(self, seconds: float) -> float | None:
        """Read the output of a period. Returns when it arrived, before it was parsed; None without output."""
        try:
            data = self.child.read_nonblocking(1 << 16, timeout=seconds)
        except pexpect.TIMEOUT:
            return None
        came = time.perf_counter()
        self._stream.feed(data.replace(b"\x1b[<u", b""))
        return came

    @property
    def state(self) -> tuple[object, ...]:
        """Return all that a user sees, colours included: a moved cursor bar changes only colours."""
        return tuple(tuple(self.screen.buffer[y].items()) for y in range(self.screen.lines))

    def until(self, text: str, seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while text not in "\n".join(self.screen.display):
            if time.monotonic() > end:
                sys.exit(f"{text!r} did not come:\n" + "\n".join(self.screen.display))
            self.read(0.1)

    def press(self, key: str) -> float:
        """Seconds from a key to the arrival of the bytes that first change the screen."""
        while self.read(SETTLED_S) is not None:
            pass
        before = self.state
        began = time.perf_counter()
        self.child.send(key)
        while time.perf_counter() - began < PATIENCE_S:
            came = self.read(0.05)
            if came is not None and self.state != before:
                return came - began
        return PATIENCE_S


def said(name: str, seconds: list[float]) -> str:
    ordered = sorted(1000 * s for s in seconds)
    worst = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    median = statistics.median(ordered)
    return (
        f"{name:16} {len(ordered):4} keys  median {median:5.0f} ms  95 % {worst:5.0f} ms  longest {ordered[-1]:5.0f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=500)
    parser.add_argument("--size", default="80x24")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--idle", action="store_true", help="without a run, to compare")
    asked = parser.parse_args()
    columns, rows = map(int, asked.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder
        document, data = Path(folder, "busy.toml"), Path(folder, "data.npz")
        random = np.random.default_rng(0)
        np.savez(data, x=random.standard_normal((4096, 3, 32, 32)).astype(np.float32), y=random.integers(0, 10, 4096))
        document.write_text(BUSY.format(data=data, threads=asked.threads))
        command = [sys.executable, "-m", "tui.cli", "train", str(document), "--runs-dir", str(Path(folder, "runs"))]
        deck = Screen(command, columns, rows)
        deck.until("● training")
        if asked.idle:
            deck.child.send("s")
            deck.until("Stop this run?")
            deck.child.send("s")
            deck.until("stopped")
        deck.child.send("1")
        deck.until("╭─ Experiment")
        deck.press(HOME)
        measured: dict[str, list[float]] = {}
        while sum(map(len, measured.values())) < asked.keys:
            for name, key in ROUND:
                measured.setdefault(name, []).append(deck.press(key))
        for name, seconds in measured.items():
            print(said(name, seconds))
        print(said("all", [s for seconds in measured.values() for s in seconds]))
        deck.child.terminate(force=True)


if __name__ == "__main__":
    main()
