"""The time of a command from prompt to prompt, and how much of it the end of the process takes.

    python tests/benchmarks/command_time.py [--rounds 7] [ARGUMENTS OF TORCHDECK]

It runs `torchdeck check digits-cnn`, or the given arguments, as it is and with Python's full shutdown, in alternation.
It prints the medians in seconds and the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

AS_IT_IS = [sys.executable, "-m", "tui.cli"]
WITHOUT = [
    sys.executable,
    "-c",
    "import contextlib, tui.cli; tui.cli.exit_without_teardown = contextlib.nullcontext; tui.cli.main()",
]


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    known, arguments = parser.parse_known_args()
    arguments = arguments or ["check", "digits-cnn"]
    pairs = [(seconds([*AS_IT_IS, *arguments]), seconds([*WITHOUT, *arguments])) for _ in range(known.rounds)]
    here, there = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(one / other for one, other in pairs)
    print(f"torchdeck {' '.join(arguments)}: {here:.2f} s; with a full shutdown {there:.2f} s; ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
