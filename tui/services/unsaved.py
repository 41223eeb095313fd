"""What was changed and not saved, kept on disk while the deck is open: a crash or a lost machine costs nothing."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from engine.user_folders import expanded
from tui.services.design import Design, write_aside
from tui.state import state_dir


@dataclass(frozen=True, slots=True)
class Leftover:
    """A document that a deck which is gone had not saved."""

    file: Path
    name: str
    source: str
    """The preset or file that it was made from."""
    path: Path | None
    """Where it was saved last."""
    base: str
    """What stood there when it was read or saved."""
    time: float
    text: str


class UnsavedFiles:
    """The documents of this process that are not saved, a file each; those of processes that are gone are left over."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._written: dict[Path, str] = {}

    @property
    def folder(self) -> Path:
        """Where they stand."""
        folder = self._folder or state_dir() / "unsaved"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def keep(self, design: Design) -> None:
        """Keep a document until it is saved.

        Raises:
            OSError: it cannot be written.
        """
        file, text = self._file(design), design.text
        record = {"pid": os.getpid(), "started": _started(os.getpid()), "name": design.name, "source": design.source}
        record |= {"path": str(design.path) if design.path else None, "base": design.base}
        record |= {"time": time.time(), "text": text}
        if self._written.get(file) != text:
            write_aside(file, json.dumps(record, ensure_ascii=False))
            os.chmod(file, 0o600)
            self._written[file] = text

    def drop(self, design: Design) -> None:
        """A document was saved, or is given up."""
        with suppress(OSError):
            file = self._file(design)
            self._written.pop(file, None)
            file.unlink(missing_ok=True)

    def _file(self, design: Design) -> Path:
        return self.folder / f"{os.getpid()}-{design.number}.json"

    def leftovers(self) -> list[Leftover]:
        """What decks that are gone have left, the newest first; files that are no such record are passed over."""
        found = []
        try:
            files = list(self.folder.glob("*.json"))
        except OSError:  # there is no such folder, and it cannot be made
            return []
        for file in files:
            record = _read(file)
            if record is None or _started(int(record["pid"])) == record["started"]:
                continue
            path = Path(record["path"]) if record["path"] else None
            base = record["base"]
            found.append(Leftover(file, record["name"], record["source"], path, base, record["time"], record["text"]))
        return sorted(found, key=lambda leftover: -leftover.time)


def _read(file: Path) -> dict[str, Any] | None:
    types = {"pid": int, "started": float, "name": str, "source": str, "base": str, "time": float, "text": str}
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        right = all(isinstance(record[key], type) for key, type in types.items())
        return record if right and isinstance(record["path"], (str, type(None))) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _started(pid: int) -> float:
    """When a process began, by which another one of its number is told from it; 0 where there is none."""
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
        """Where they are remembered."""
        return self._file or state_dir() / "recent.json"

    def list(self) -> list[Path]:
        """Those that are still there."""
        try:
            names = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        paths = [Path(name) for name in names if isinstance(name, str)] if isinstance(names, list) else []
        return [path for path in paths if path.is_file()]

    def add(self, path: Path) -> None:
        """Remember a file."""
        path = expanded(path).absolute()
        paths = [path, *(other for other in self.list() if other != path)][: self.MOST]
        with suppress(OSError):
            write_aside(self.file, json.dumps([str(p) for p in paths]))
