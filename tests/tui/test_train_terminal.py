"""The train screen in a real terminal: the bytes that an active run writes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

HERE = Path(__file__).parent
WARM_S = 2.0
MEASURED_S = 5.0


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


def test_an_active_run_writes_at_most_5_kb_a_second(program: pexpect.spawn) -> None:
    written(program, WARM_S)
    assert 0 < written(program, MEASURED_S) / MEASURED_S <= 5000


def test_an_active_run_is_drawn_at_least_once_a_second(program: pexpect.spawn) -> None:
    written(program, WARM_S)
    frames, last_at, end = 0, 0.0, time.monotonic() + MEASURED_S
    while time.monotonic() < end:
        try:
            program.read_nonblocking(65536, timeout=0.02)
        except pexpect.TIMEOUT:
            continue
        if time.monotonic() - last_at > 0.1:
            frames += 1
        last_at = time.monotonic()
    assert frames / MEASURED_S >= 1


def test_a_paused_run_writes_nothing(program: pexpect.spawn) -> None:
    written(program, 1.0)
    program.send("p")
    program.expect("paused")
    written(program, 1.0)
    assert written(program, 2.0) == 0
