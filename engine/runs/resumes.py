"""The times that a run was gone on with: `resumes.jsonl`, a line for each.

A line says from which checkpoint, what was changed of the experiment then (`path=value`, which holds from there on),
what it ran with, and what a list of runs shows of it: the epochs that it has now, and how long it took before.
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
    """One time that a run was gone on with."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="strings")

    time: FiniteFloat = Field(default_factory=time.time)
    checkpoint: str = ""
    overrides: tuple[str, ...]
    """What was changed, as `path=value`."""
    changes: tuple[str, ...] = ()
    """What that came to, as `path: old → new`."""
    ran_with: dict[str, Any] = {}
    epochs: int | None = None
    """How many the run has from here on."""
    seconds_before: FiniteFloat = 0.0
    """How long its earlier sessions took, all together."""


def read_resumes(run: Path) -> list[Resume]:
    """The times that a run was gone on with, oldest first. Never raises.

    A line that is torn changed nothing, since the run did not begin.
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
    """Write down that a run is gone on with.

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
