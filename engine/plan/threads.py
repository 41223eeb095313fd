"""Who may use more than one CPU thread inside an operation: the engine, and nobody beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def single_threaded() -> Iterator[None]:
    """What torch does in this thread meanwhile, it does without helpers.

    OpenMP keeps a team of threads for every thread that has asked for one, and once all teams together are more than
    the cores, every one of them sleeps between two operations where it would have waited awake. One tensor that `check`
    made on the main thread with a team cost an LSTM that another thread trains 17 % of its speed, 75,000 switches
    where there were 800.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
