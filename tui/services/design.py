"""A document that is open in the deck: its text with all earlier versions, its file, its plan and findings."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import Draft, EditHistory, expanded, override_value, reads_experiment, set_value
from tui.user_files import replace_text

if TYPE_CHECKING:
    from engine import Plan
    from tui.pictures import Findings


_NUMBERS = itertools.count(1)


class Design:
    """One open document.

    Args:
        draft: the document as it was read.
        source: the preset or file that it was read from.
        path: the file that it is saved to; None for a preset and for a document that was never saved.
    """

    def __init__(self, draft: Draft, source: str = "", path: Path | None = None) -> None:
        self.number = next(_NUMBERS)
        """Unique among the documents of this process."""
        self.source = source
        self.path = path
        self._name = ""
        self.base = draft.text
        """The text at `source`, without the changes of `--set`."""
        self.history = EditHistory(_with_overrides(draft))
        self.saved = self.history.text
        self.typed: dict[str, Any] = {}
        """Values typed into fields, by path; some may have been undone."""
        self.draft = draft
        self.plan: Plan | None = None
        self.failure = ""
        """Why there is no plan, where the check itself failed."""
        self.checking: Draft | None = None
        """The draft whose plan is being made."""
        self.findings: dict[str, tuple[Plan, Findings]] = {}
        """Findings for the picture of a part, with the plan that they were made from."""

    @property
    def name(self) -> str:
        """The experiment's name; while the text cannot be read, the last name that could."""
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
        """Whether fields of the text can be changed: it must be valid TOML for that."""
        return self.draft.experiment is not None and bool(self.text)

    def change(self, text: str, what: str, group: str = "") -> bool:
        """Replace the text; returns whether it differs. `what` describes the change in a few words."""
        if not self.history.change(text, what, group):
            return False
        self._read()
        return True

    def undo(self) -> str:
        """Undo the last change; returns its description, or an empty string."""
        return self._moved(self.history.undo)

    def redo(self) -> str:
        """Redo the change that was undone last; returns its description, or an empty string."""
        return self._moved(self.history.redo)

    def changed_outside(self, path: Path) -> bool:
        """Whether a file holds text that this deck neither read from it nor wrote to it."""
        try:
            there = expanded(path).read_bytes()
        except OSError:
            return False  # there is no file, or the write will report the problem
        known = self.path is not None and expanded(path).resolve() == expanded(self.path).resolve()
        return there != (self.base if known else self.text).encode()

    def save(self, path: Path) -> None:
        """Write the text to a file in one step: a full disk loses nothing.

        Raises:
            OSError: the file cannot be written.
        """
        path = expanded(path)
        replace_text(path, self.text)
        self.path, self.source, self.saved, self.base = path, str(path), self.text, self.text
        self.history.end_group()

    def _moved(self, by: Callable[[], str]) -> str:
        what = by()
        if what:
            self._read()
        return what

    def _read(self) -> None:
        self.draft, self.plan, self.failure = (
            reads_experiment(self.text, origin=self.source or "the document"),
            None,
            "",
        )


def _with_overrides(draft: Draft) -> str:
    """The text with the changes of `--set`."""
    text = draft.text
    for override in draft.overrides:
        path, _, value = override.partition("=")
        try:
            text = set_value(text, path.strip(), override_value(value.strip()))
        except (ValueError, LookupError, TypeError):
            continue  # among the draft's mistakes
    return text
