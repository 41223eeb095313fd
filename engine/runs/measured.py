"""What a run measured in an epoch, from its events."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from engine.private_files import open_file
from engine.protocol.events import Epoch, event_from_json
from engine.runs.directory import EVENTS


def measured_in(run: Path, epoch: int | None) -> dict[str, float]:
    """The metrics of an epoch; of the last time, where it was trained again. Empty where the events do not say."""
    found: dict[str, float] = {}
    if epoch is None:
        return found
    with suppress(OSError), open_file(run / EVENTS) as lines:
        for line in lines:
            if b'"event":"epoch"' not in line:
                continue
            with suppress(ValueError):
                event = event_from_json(line)
                if isinstance(event, Epoch) and event.epoch == epoch:
                    found = event.metrics
    return found
