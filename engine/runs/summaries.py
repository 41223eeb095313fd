"""What the events of a folder's runs came to, kept beside them, so that a long list is not read anew each time.

An entry holds for as long as the events file that it was read from is the same file, of the same size and time of
change. What depends on anything else (is a process there?) is never kept. The file can be removed at any time.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine.private_files import read_file, replace_file
from engine.runs.facts import Facts

SUMMARIES = ".summaries.json"

_FORMAT = 3
_MAX_BYTES = 64 << 20
_ENTRY_MAX_CHARACTERS = 8 << 10
_WORTH_WRITING = 32
"""So many runs must have been read anew before the file is written."""


class Summaries:
    """The kept facts of the runs in one folder."""

    def __init__(self, runs_dir: Path) -> None:
        self._path = runs_dir / SUMMARIES
        self._kept = _read(self._path)
        self._seen: dict[str, dict[str, Any]] = {}
        self._new = 0

    def get(self, name: str, events: os.stat_result) -> Facts | None:
        """What was kept of a run, if its events are still those that it was read from."""
        entry = self._kept.get(name)
        if not isinstance(entry, dict) or entry.get("stamp") != _stamp(events):
            return None
        try:
            facts = Facts.model_validate(entry.get("facts"))
        except ValidationError:
            return None
        self._seen[name] = entry
        return facts

    def keep(self, name: str, events: os.stat_result, facts: Facts) -> None:
        """Keep what was read from events that looked so before they were read."""
        entry = {"stamp": _stamp(events), "facts": facts.model_dump(mode="json")}
        if len(json.dumps(entry)) <= _ENTRY_MAX_CHARACTERS:
            self._seen[name] = entry
            self._new += 1

    def write(self) -> None:
        """Write what is worth it. Never raises: a folder that cannot be written to is read anew each time."""
        if self._new < _WORTH_WRITING:
            return
        with suppress(OSError):
            replace_file(self._path, json.dumps({"format": _FORMAT, "runs": self._seen}).encode())


def _stamp(events: os.stat_result) -> list[int]:
    return [events.st_ino, events.st_size, events.st_mtime_ns]


def _read(path: Path) -> dict[str, Any]:
    try:
        kept = json.loads(read_file(path, _MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(kept, dict) or kept.get("format") != _FORMAT or not isinstance(kept.get("runs"), dict):
        return {}
    runs: dict[str, Any] = kept["runs"]
    return runs
