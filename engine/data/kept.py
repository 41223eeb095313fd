"""What a run keeps of its data: which samples are in which part, and all that was learned from the training part.

    data.json            vocabulary, scales, encoders, classes
    split.safetensors    int64 indices `train`, `validation` and `test`

A run that is gone on with compares them: trained on other samples, it would be another run.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from engine.data.dataset import Dataset
from engine.free_memory import free_host_memory

LEARNED, SPLIT = "data.json", "split.safetensors"
_PARTS = ("train", "validation", "test")


def keep(dataset: Dataset, run: Path) -> None:
    """Write both files into a run's folder, the owner's alone.

    Raises:
        OSError: they cannot be written.
    """
    parts = {part: getattr(dataset, part) for part in _PARTS}
    for name, content in ((LEARNED, json.dumps(_learned(dataset), ensure_ascii=False).encode()), (SPLIT, save(parts))):
        aside = run / f".{name}-{os.getpid()}"
        aside.unlink(missing_ok=True)
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        os.replace(aside, run / name)


def difference(dataset: Dataset, run: Path) -> str:
    """What is not as it was when the run began, as a sentence; empty where all is, or where nothing was kept."""
    try:
        parts = load(_read(run / SPLIT))
        learned = json.loads(_read(run / LEARNED))
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"What the run kept of its data cannot be read ({error.strerror or error})."
    except (ValueError, RecursionError, SafetensorError):
        return f"What the run kept of its data, {LEARNED} or {SPLIT}, is damaged."
    for part in _PARTS:
        now, then = getattr(dataset, part), parts.get(part)
        if then is None or not torch.equal(now, then):
            count = 0 if then is None else len(then)
            return (
                f"The {part} part is not the one that the run began with: it has {len(now):,} samples and had "
                f"{count:,}, or they are others."
            )
    if learned != json.loads(json.dumps(_learned(dataset))):
        return "What the run learned from its training part (vocabulary, scales, classes) is not what it was."
    return ""


def _read(file: Path) -> bytes:
    """A file of the run's own: no link, no pipe that would be waited on, no more than memory holds.

    Raises:
        OSError: it is none.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as opened:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > free_host_memory() // 2:
            raise OSError(f"{file.name} is no file that a run writes")
        return opened.read()


def _learned(dataset: Dataset) -> dict[str, Any]:
    return dataset.learned | {"classes": list(dataset.description.classes)}
