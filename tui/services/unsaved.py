"""Unsaved changes, stored on disk while the deck is open so that a crash loses nothing; and the recent files."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from engine import expanded
from tui.services.design import Design
from tui.user_files import replace_text, state_dir


@dataclass(frozen=True, slots=True)
class UnsavedDocument:
    """A document that a deck had not saved when its process ended."""

    file: Path
    name: str
    source: str
    """The preset or file that it was made from."""
    path: Path | None
    """The file that it was last saved to."""
    base: str
    """The text of that file when it was read or saved."""
    time: float
    text: str


class UnsavedFiles:
    """The unsaved documents of this process, one file each. Files of processes that have ended can be recovered."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._written: dict[Path, str] = {}

    @property
    def folder(self) -> Path:
        """The folder of the files; it is created if it does not exist."""
        folder = self._folder or state_dir() / "unsaved"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def keep(self, design: Design) -> None:
        """Store a document until it is saved.

        Raises:
            OSError: the file cannot be written.
        """
        file, text = self._file(design), design.text
        record = {"pid": os.getpid(), "started": _started(os.getpid()), "name": design.name, "source": design.source}
        record |= {"path": str(design.path) if design.path else None, "base": design.base}
        record |= {"time": time.time(), "text": text}
        if self._written.get(file) != text:
            replace_text(file, json.dumps(record, ensure_ascii=False))
            os.chmod(file, 0o600)
            self._written[file] = text

    def drop(self, design: Design) -> None:
        """Delete the stored document: it was saved or discarded."""
        with suppress(OSError):
            file = self._file(design)
            self._written.pop(file, None)
            file.unlink(missing_ok=True)

    def _file(self, design: Design) -> Path:
        return self.folder / f"{os.getpid()}-{design.number}.json"

    def of_earlier_decks(self) -> list[UnsavedDocument]:
        """Return the documents of processes that have ended, the newest first. Other files are ignored."""
        found = []
        try:
            files = list(self.folder.glob("*.json"))
        except OSError:  # the folder does not exist and cannot be created
            return []
        for file in files:
            record = _read(file)
            if record is None or _started(int(record["pid"])) == record["started"]:
                continue
            path = Path(record["path"]) if record["path"] else None
            base, when, text = record["base"], record["time"], record["text"]
            found.append(UnsavedDocument(file, record["name"], record["source"], path, base, when, text))
        return sorted(found, key=lambda document: -document.time)


def _read(file: Path) -> dict[str, Any] | None:
    types = {"pid": int, "started": float, "name": str, "source": str, "base": str, "time": float, "text": str}
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        right = all(isinstance(record[key], type) for key, type in types.items())
        return record if right and isinstance(record["path"], (str, type(None))) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _started(pid: int) -> float:
    """When a process started, which distinguishes it from another process with the same number; 0 without one."""
    try:
        return float(psutil.Process(pid).create_time())
    except (psutil.Error, ValueError, OverflowError):
        return 0.0


class RecentFiles:
    """The files that were opened and saved, the newest first."""

    MOST = 20

    def __init__(self, file: Path | None = None) -> None:
        self._file = file

    @property
    def file(self) -> Path:
        """The file that the list is stored in."""
        return self._file or state_dir() / "recent.json"

    def list(self) -> list[Path]:
        """Return the files that still exist."""
        try:
            names = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        paths = [Path(name) for name in names if isinstance(name, str)] if isinstance(names, list) else []
        return [path for path in paths if path.is_file()]

    def add(self, path: Path) -> None:
        """Put a file at the top of the list."""
        path = expanded(path).absolute()
        paths = [path, *(other for other in self.list() if other != path)][: self.MOST]
        with suppress(OSError):
            replace_text(self.file, json.dumps([str(p) for p in paths]))
