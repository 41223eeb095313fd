"""What the deck remembers between sessions: the cursor, folded containers, plot options and the theme."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tui.user_files import replace_text, state_dir

MOST_DOCUMENTS = 100
VERSION = 1


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    seen: float = 0.0
    """When it was stored, in seconds since the epoch."""


class DocumentMemory(_Entry):
    """The state of a document on the design screen."""

    part: str = ""
    """The selected part."""
    path: str = ""
    """The selected layer."""
    folded: tuple[str, ...] = ()
    """The folded containers."""


class PlotMemory(_Entry):
    """The plot options for a kind of metric."""

    log: bool = False
    smoothing: float = Field(default=0.6, ge=0, lt=1)
    zoom: bool = False


K = TypeVar("K", bound=_Entry)


class Memory:
    """What is remembered. Several decks share one file; if two change the same entry, the later one wins.

    Args:
        file: the file to use, such as `memory_file()`; without one, nothing is stored on disk.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._changed: dict[str, Any] = {}
        self._theme, self._documents, self._plots = _read(file)

    @property
    def theme(self) -> str:
        """The theme that was chosen last; empty if none was."""
        return self._theme

    @theme.setter
    def theme(self, name: str) -> None:
        if name != self._theme:
            self._theme = self._changed["theme"] = name

    def document(self, source: str) -> DocumentMemory | None:
        """Return the state of a preset's or file's document."""
        return self._documents.get(source)

    def plots(self, kind: str) -> PlotMemory | None:
        """Return the plot options that were last used for this kind of metric."""
        return self._plots.get(kind)

    def keep_document(self, source: str, *, part: str, path: str, folded: frozenset[str]) -> None:
        """Remember the state of a document."""
        new = DocumentMemory(part=part, path=path, folded=tuple(sorted(folded)), seen=time.time())
        self._keep("documents", self._documents, source, new)

    def keep_plots(self, kind: str, *, log: bool, smoothing: float, zoom: bool) -> None:
        """Remember plot options."""
        new = PlotMemory(log=log, smoothing=smoothing, zoom=zoom, seen=time.time())
        self._keep("plots", self._plots, kind, new)

    def _keep(self, part: str, among: dict[str, K], name: str, new: K) -> None:
        before = among.get(name)
        if before is None or before.model_copy(update={"seen": new.seen}) != new:
            among[name] = new
            self._changed.setdefault(part, {})[name] = new

    def write(self) -> None:
        """Write changed entries to the file and keep those of other decks; a write error is ignored."""
        if self._file is None or not self._changed:
            return
        theme, documents, plots = _read(self._file)
        documents |= self._changed.get("documents", {})
        plots |= self._changed.get("plots", {})
        record = {
            "version": VERSION,
            "theme": self._changed.get("theme", theme),
            "documents": _newest(documents),
            "plots": _newest(plots),
        }
        with suppress(OSError):
            new = not self._file.exists()
            if new:
                os.close(os.open(self._file, os.O_CREAT | os.O_WRONLY, 0o600))
            replace_text(self._file, json.dumps(record, ensure_ascii=False, indent=1) + "\n")
            self._changed.clear()


def memory_file() -> tuple[Path | None, str]:
    """Return the file of the deck's memory; or None, and a sentence that says why there is none."""
    try:
        return state_dir() / "deck.json", ""
    except OSError as error:
        why = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        return None, f"The deck cannot store its state ({why}). Set XDG_STATE_HOME to a folder."


def _newest(kept: dict[str, K]) -> dict[str, Any]:
    newest = sorted(kept.items(), key=lambda item: -item[1].seen)[:MOST_DOCUMENTS]
    return {name: value.model_dump(mode="json") for name, value in newest}


def _read(file: Path | None) -> tuple[str, dict[str, DocumentMemory], dict[str, PlotMemory]]:
    """Read a file; a damaged file, another version and values of a wrong type are ignored."""
    try:
        record = json.loads(file.read_bytes()) if file is not None else {}
    except (OSError, ValueError, RecursionError):
        record = {}
    if not isinstance(record, dict) or record.get("version") != VERSION:
        return "", {}, {}
    theme = record.get("theme")
    return (
        theme if isinstance(theme, str) else "",
        _entries(record.get("documents"), DocumentMemory.model_validate),
        _entries(record.get("plots"), PlotMemory.model_validate),
    )


def _entries(given: object, read: Callable[[Any], K]) -> dict[str, K]:
    entries: dict[str, K] = {}
    for name, value in given.items() if isinstance(given, dict) else ():
        with suppress(ValidationError):
            entries[name] = read(value)
    return entries
