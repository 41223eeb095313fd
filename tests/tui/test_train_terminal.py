"""The train screen in a real terminal: what a live run writes, and what it costs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import psutil
import pytest

HERE = Path(__file__).parent
WARM_S = 4.0
MEASURED_S = 8.0


@pytest.fixture
def program() -> Iterator[pexpect.spawn]:
    path = os.pathsep.join([str(HERE.parents[1]), str(HERE), os.environ.get("PYTHONPATH", "")])
    environ = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": path}
    child = pexpect.spawn(
        sys.executable, [str(HERE / "train_program.py")], dimensions=(36, 120), env=environ, timeout=30
    )
    child.expect("training")
    yield child
    child.close(force=True)


def written(child: pexpect.spawn, seconds: float) -> int:
    """Bytes that the program writes in this time."""
    end, total = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        try:
            total += len(child.read_nonblocking(65536, timeout=0.1))
        except pexpect.TIMEOUT:
            continue
    return total


def test_a_live_run_writes_at_most_5_kb_a_second_and_draws_within_its_budget(program: pexpect.spawn) -> None:
    written(program, WARM_S)
    process = psutil.Process(program.pid)
    before = sum(process.cpu_times()[:2])
    wrote = written(program, MEASURED_S)
    cost = sum(process.cpu_times()[:2]) - before
    assert 0 < wrote / MEASURED_S <= 5000
    # The budget is 2 % of a core; the played back run and a slow frame at the edge of the time are in this, too.
    assert cost / MEASURED_S < 0.04


def test_a_paused_run_writes_nothing_at_all(program: pexpect.spawn) -> None:
    written(program, 1.0)
    program.send("p")
    program.expect("paused")
    written(program, 1.0)
    assert written(program, 2.0) == 0
