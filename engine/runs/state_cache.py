"""A cache of the states of a folder's runs, in a file of that folder, so that a long list is not read again each time.

An entry is valid while the events file that it was read from is the same file, with the same size and modification
time. What depends on anything else (does the process exist?) is not cached. The file can be removed at any time.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine.private_files import read_file, replace_file
from engine.runs.run_state import RunState

SUMMARIES = ".summaries.json"

_FORMAT = 4
_MAX_BYTES = 64 << 20
_ENTRY_MAX_CHARACTERS = 8 << 10
_MIN_NEW_ENTRIES = 32
"""The file is written when this many runs were read from their events."""


class StateCache:
    """The cached states of the runs in one folder."""

    def __init__(self, runs_dir: Path) -> None:
        self._path = runs_dir / SUMMARIES
        self._cached = _read(self._path)
        self._seen: dict[str, dict[str, Any]] = {}
        self._new = 0

    def get(self, name: str, events: os.stat_result) -> RunState | None:
        """The cached state of a run, if its events file did not change since."""
        entry = self._cached.get(name)
        if not isinstance(entry, dict) or entry.get("stamp") != _stamp(events):
            return None
        try:
            state = RunState.model_validate(entry.get("state"))
        except ValidationError:
            return None
        self._seen[name] = entry
        return state

    def add(self, name: str, events: os.stat_result, state: RunState) -> None:
        """Cache a state. `events` is the status of the events file from before it was read."""
        entry = {"stamp": _stamp(events), "state": state.model_dump(mode="json")}
        if len(json.dumps(entry)) <= _ENTRY_MAX_CHARACTERS:
            self._seen[name] = entry
            self._new += 1

    def write(self) -> None:
        """Write the file if there is enough new. Never raises: without the file, runs are read again each time."""
        if self._new < _MIN_NEW_ENTRIES:
            return
        with suppress(OSError):
            replace_file(self._path, json.dumps({"format": _FORMAT, "runs": self._seen}).encode())


def _stamp(events: os.stat_result) -> list[int]:
    return [events.st_ino, events.st_size, events.st_mtime_ns]


def _read(path: Path) -> dict[str, Any]:
    try:
        cached = json.loads(read_file(path, _MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(cached, dict) or cached.get("format") != _FORMAT or not isinstance(cached.get("runs"), dict):
        return {}
    runs: dict[str, Any] = cached["runs"]
    return runs
