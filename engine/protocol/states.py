"""The states of a run, as the programs that list or show it name them."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal


class Reason(StrEnum):
    """Why a run ended."""

    COMPLETED = "completed"
    EARLY_STOPPED = "early_stopped"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    DETACHED = "detached"
    """Only this process's part ended: another process resumes the run, without a terminal."""
    FAILED = "failed"


RunStatus = Literal["live", "completed", "early_stopped", "stopped", "interrupted", "failed", "stale", "unreadable"]
"""The state of a run on disk: why it ended; `live` while a process trains it; `stale` when no process does and the run
has no end; `unreadable` when this process cannot read it."""

ViewState = Literal["none", "waiting", "loading", "training", "paused", "moving", "stale", "finished"]
"""The state of a run that a program shows. `none`: there is no run; `waiting`: it reported nothing yet; `loading`: it
reported something and takes no step yet; `moving`: from one process to another; `stale`: its process exited without
ending the run."""
