"""The threads of a process: OpenMP lets all teams sleep between operations when they exceed the cores."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import os
import torch
from engine.experiment import read
from engine.plan import check

torch.set_num_threads(2)
assert check(read("digits-cnn")).ok
before = len(os.listdir("/proc/self/task"))
torch.rand(4_000_000).add_(1)
print(len(os.listdir("/proc/self/task")) - before, torch.get_num_threads())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_check_leaves_no_second_team_of_threads():
    shown = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout
    assert shown.split() == ["1", "2"], "the first work for two threads is the one that makes their team"
