"""What the deck remembers from one time to the next: where the cursor was, what was folded, how plots were drawn."""

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


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    seen: float = 0.0
    """When it was remembered, in seconds since the epoch."""


class DocumentMemory(_Kept):
    """How a document was left on the design screen."""

    part: str = ""
    """The part that was selected."""
    path: str = ""
    """The layer that was selected."""
    folded: tuple[str, ...] = ()
    """The containers that were folded."""


class PlotMemory(_Kept):
    """How the plots of a kind of metric were drawn."""

    log: bool = False
    smoothing: float = Field(default=0.6, ge=0, lt=1)
    zoom: bool = False


K = TypeVar("K", bound=_Kept)


class Memory:
    """What is remembered. Decks that run at once add to one file: of what both changed, the later one's stays.

    Args:
        file: where it is kept, such as `memory_file()`; without one it lasts as long as the deck.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._changed: dict[str, Any] = {}
        self._theme, self._documents, self._plots = _read(file)

    @property
    def theme(self) -> str:
        """The theme that was chosen last; empty where none was."""
        return self._theme

    @theme.setter
    def theme(self, name: str) -> None:
        if name != self._theme:
            self._theme = self._changed["theme"] = name

    def document(self, source: str) -> DocumentMemory | None:
        """How the document of a preset or file was left."""
        return self._documents.get(source)

    def plots(self, kind: str) -> PlotMemory | None:
        """How the plots of runs with this metric were drawn last."""
        return self._plots.get(kind)

    def keep_document(self, source: str, *, part: str, path: str, folded: frozenset[str]) -> None:
        """Remember how a document is left."""
        new = DocumentMemory(part=part, path=path, folded=tuple(sorted(folded)), seen=time.time())
        self._keep("documents", self._documents, source, new)

    def keep_plots(self, kind: str, *, log: bool, smoothing: float, zoom: bool) -> None:
        """Remember how plots are drawn."""
        new = PlotMemory(log=log, smoothing=smoothing, zoom=zoom, seen=time.time())
        self._keep("plots", self._plots, kind, new)

    def _keep(self, part: str, among: dict[str, K], name: str, new: K) -> None:
        before = among.get(name)
        if before is None or before.model_copy(update={"seen": new.seen}) != new:
            among[name] = new
            self._changed.setdefault(part, {})[name] = new

    def write(self) -> None:
        """Write what changed into the file, beside what other decks wrote; a disk that refuses is no matter."""
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
    """Where the deck remembers; or None, and a sentence on why nothing can be kept."""
    try:
        return state_dir() / "deck.json", ""
    except OSError as error:
        why = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        return None, f"The deck keeps nothing for the next time ({why}). Set XDG_STATE_HOME to a folder."


def _newest(kept: dict[str, K]) -> dict[str, Any]:
    newest = sorted(kept.items(), key=lambda item: -item[1].seen)[:MOST_DOCUMENTS]
    return {name: value.model_dump(mode="json") for name, value in newest}


def _read(file: Path | None) -> tuple[str, dict[str, DocumentMemory], dict[str, PlotMemory]]:
    """What a file remembers, without what makes no sense: another version, a damaged file, a wrong type."""
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
