"""A document on the design screen: its text and all that it was, where it is saved, and what is known of it by now."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.editing.history import History
from engine.editing.text import set_value
from engine.experiment import Draft, reads
from engine.experiment.overrides import override_value
from engine.user_folders import expanded

if TYPE_CHECKING:
    from engine.plan import Plan
    from tui.pictures import Findings


_NUMBERS = itertools.count(1)


class Design:
    """One document, being edited.

    Args:
        draft: the document as it was read.
        source: the preset or file that it was read from.
        path: where it is saved; None for a preset, and for a document that was never saved.
    """

    def __init__(self, draft: Draft, source: str = "", path: Path | None = None) -> None:
        self.number = next(_NUMBERS)
        """Tells it from every other one of this process."""
        self.source = source
        self.path = path
        self._name = ""
        self.base = draft.text
        """What stands at `source`, without what `--set` changed."""
        self.history = History(_with_overrides(draft))
        self.saved = self.history.text
        self.typed: dict[str, Any] = {}
        """What was typed into fields, by their paths; it may have been undone since."""
        self.draft = draft
        self.plan: Plan | None = None
        self.failure = ""
        """Why there is no plan, where checking itself broke."""
        self.asked: Draft | None = None
        """The draft whose plan is being made."""
        self.findings: dict[str, tuple[Plan, Findings]] = {}
        """What was found out for the picture of a part, and the plan that it was found out of."""

    @property
    def name(self) -> str:
        """The experiment's name; while it cannot be read, the last one that it had."""
        if self.draft.experiment is not None:
            self._name = self.draft.experiment.name
        return self._name or self.source

    @property
    def text(self) -> str:
        """The document as TOML."""
        return self.history.text

    @property
    def unsaved(self) -> bool:
        """Whether it was changed since it was read or saved."""
        return self.text != self.saved

    @property
    def editable(self) -> bool:
        """Whether its text can be changed field by field: it must be TOML for that."""
        return self.draft.experiment is not None and bool(self.text)

    def change(self, text: str, what: str, group: str = "") -> bool:
        """Make it another text; whether that is a change. `what` says in a few words what was changed."""
        if not self.history.change(text, what, group):
            return False
        self._read()
        return True

    def undo(self) -> str:
        """Take the last change back; which one, in a few words, or nothing."""
        return self._moved(self.history.undo)

    def redo(self) -> str:
        """Make the change again that was taken back last."""
        return self._moved(self.history.redo)

    def changed_outside(self, path: Path) -> bool:
        """Whether a file holds what this deck has neither read from it nor written to it."""
        try:
            there = expanded(path).read_bytes()
        except OSError:
            return False  # there is none, or writing it will say what is wrong
        known = self.path is not None and expanded(path).resolve() == expanded(self.path).resolve()
        return there != (self.base if known else self.text).encode()

    def save(self, path: Path) -> None:
        """Write it to a file: aside, then renamed, so that a full disk costs nothing.

        Raises:
            OSError: it cannot be written there.
        """
        path = expanded(path)
        write_aside(path, self.text)
        self.path, self.source, self.saved, self.base = path, str(path), self.text, self.text
        self.history.end_group()

    def _moved(self, by: Callable[[], str]) -> str:
        what = by()
        if what:
            self._read()
        return what

    def _read(self) -> None:
        self.draft, self.plan, self.failure = reads(self.text, origin=self.source or "the document"), None, ""


def write_aside(path: Path, text: str) -> None:
    """Replace a file's content as a whole, its permissions kept; through a link, what the link leads to.

    Raises:
        OSError: it cannot be written.
    """
    path = path.resolve()
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, path.stat().st_mode & 0o7777 if path.exists() else 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _with_overrides(draft: Draft) -> str:
    """The text with what `--set` changed in it."""
    text = draft.text
    for override in draft.overrides:
        path, _, value = override.partition("=")
        try:
            text = set_value(text, path.strip(), override_value(value.strip()))
        except (ValueError, LookupError, TypeError):
            continue  # it is among the draft's mistakes
    return text
