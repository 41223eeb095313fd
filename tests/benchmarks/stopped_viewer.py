"""The cost of a stopped viewer for the run that it watches.

    python tests/benchmarks/stopped_viewer.py [--seconds 60]

`torchdeck attach --json` watches a detached run of digits-cnn. The viewer runs for a period, is stopped with SIGSTOP
for the same period, and runs again. The program prints the run's samples a second in each period, from its events, and
the ratio of the stopped period to the mean of the other two.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def torchdeck(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tui.cli", *arguments]


def speed(run: Path, begin: float, end: float) -> float:
    """Return the median samples a second of the step events of a period."""
    found = []
    for line in (run / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["event"] == "step" and begin < event["time"] < end:
            found.append(event["samples_per_s"])
    return statistics.median(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        long = ["--set", "training.epochs=1000000", "--set", "training.early_stopping=false", "--runs-dir", folder]
        subprocess.run(torchdeck("train", "digits-cnn", "--detach", *long), check=True)
        (run,) = (path for path in Path(folder).iterdir() if path.is_dir())
        viewer = subprocess.Popen(
            torchdeck("attach", "--json", "--runs-dir", folder), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        try:
            time.sleep(5)
            spans = []
            for stopped in (False, True, False):
                os.kill(viewer.pid, signal.SIGSTOP if stopped else signal.SIGCONT)
                begin = time.time()
                end = begin + seconds
                while time.time() < end:
                    if stopped:
                        time.sleep(0.2)
                    elif viewer.stdout is not None:
                        viewer.stdout.readline()
                spans.append((begin, end))
        finally:
            viewer.kill()
            subprocess.run(torchdeck("stop", "--runs-dir", folder), check=False)
        before, stopped_speed, after = (speed(run, *span) for span in spans)
        print(f"watched {before:,.0f}, viewer stopped {stopped_speed:,.0f}, watched again {after:,.0f} samples/s")
        print(f"ratio {stopped_speed / ((before + after) / 2):.3f}")


if __name__ == "__main__":
    main()
