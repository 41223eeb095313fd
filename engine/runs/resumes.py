"""The record of a run's resumes: `resumes.jsonl`, one line each.

A line has the checkpoint, what was changed of the experiment (`path=value`, in effect from there on), the runtime
configuration, and what a list of runs shows: the number of epochs from then on, and how long the run took before.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from engine.private_files import open_descriptor, open_file

RESUMES = "resumes.jsonl"

_MAX_BYTES = 1 << 20


class Resume(BaseModel):
    """One resume of a run."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="strings")

    time: FiniteFloat = Field(default_factory=time.time)
    checkpoint: str = ""
    overrides: tuple[str, ...]
    """What was changed, as `path=value`."""
    changes: tuple[str, ...] = ()
    """The same for people, as `path: old → new`."""
    ran_with: dict[str, Any] = {}
    """The runtime configuration: device, precision, threads, …"""
    epochs: int | None = None
    """The number of epochs from here on."""
    seconds_before: FiniteFloat = 0.0
    """How long the earlier sessions took in total."""


def read_resumes(run: Path) -> list[Resume]:
    """The resumes of a run, oldest first. Never raises.

    A torn line is skipped: the session that wrote it never began.
    """
    resumes = []
    with suppress(OSError):
        with open_file(run / RESUMES) as file:
            lines = file.read(_MAX_BYTES).split(b"\n")
        for line in lines[:-1]:
            with suppress(ValueError):
                resumes.append(Resume.model_validate_json(line))
    return resumes


def record_resume(run: Path, resume: Resume) -> None:
    """Record that a run is resumed.

    Raises:
        OSError: it cannot be written.
    """
    descriptor = open_descriptor(run / RESUMES, os.O_RDWR | os.O_APPEND | os.O_CREAT)
    try:
        size = os.fstat(descriptor).st_size
        torn = size and os.pread(descriptor, 1, size - 1) != b"\n"
        os.write(descriptor, b"\n" * bool(torn) + resume.model_dump_json().encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
