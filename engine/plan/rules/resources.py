"""What a run needs against the machine: memory, and a folder for published weights."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import lru_cache

from engine.devices import devices
from engine.experiment.mistakes import Mistake
from engine.plan.context import CheckContext
from engine.plan.rules.registry import rule


@rule
def memory_is_too_small(context: CheckContext) -> Iterator[Mistake]:
    """A training step that does not fit into the memory of the device."""
    there = _memory_of(context.device)
    if context.memory_bytes <= there:
        return
    found = f"a training step needs about {context.memory_bytes / 2**30:,.1f} GiB"
    expected = f"{context.device} has {there / 2**30:,.1f} GiB"
    if context.weights_bytes > there:
        yield Mistake("model.layers", found, expected, "Make the layers with the most parameters smaller.")
    else:
        fix = "Make it smaller, and training.accumulation_steps larger."
        yield Mistake("data.batch_size", found, expected, fix)


@lru_cache(maxsize=8)
def _memory_of(device: str) -> int:
    return next((d.memory_bytes for d in devices() if d.device == device), sys.maxsize)


@rule
def published_weights_have_no_folder(context: CheckContext) -> Iterator[Mistake]:
    """Published weights whose folder is in a home folder that does not exist."""
    for file in context.files:
        if file.mistake is not None:
            yield file.mistake
