"""Undo and redo without limit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """A state of the document, and the change that led to it."""

    text: str
    what: str = ""
    """The change in a few words: `out_features 128`."""
    group: str = ""
    """Successive changes of one group count as one, such as the values of a held arrow key."""


class History:
    """The states of a document in order."""

    def __init__(self, text: str) -> None:
        self._steps = [Step(text)]
        self._at = 0

    @property
    def text(self) -> str:
        """The document as it is now."""
        return self._steps[self._at].text

    @property
    def can_undo(self) -> bool:
        """Whether there is a state before this one."""
        return self._at > 0

    @property
    def can_redo(self) -> bool:
        """Whether the last undone change can be redone."""
        return self._at + 1 < len(self._steps)

    def change(self, text: str, what: str, group: str = "") -> bool:
        """Add a new state and forget undone ones; returns whether the text differs."""
        if text == self.text:
            return False
        if group and group == self._steps[self._at].group and not self.can_redo:
            self._steps[self._at] = Step(text, what, group)
            return True
        del self._steps[self._at + 1 :]
        self._steps.append(Step(text, what, group))
        self._at += 1
        return True

    def end_group(self) -> None:
        """Let the next change count as a separate one, of the same group too."""
        here = self._steps[self._at]
        self._steps[self._at] = Step(here.text, here.what)

    def undo(self) -> str:
        """Go back one state; returns the change that was undone, or an empty string."""
        if not self.can_undo:
            return ""
        what = self._steps[self._at].what
        self._at -= 1
        return what

    def redo(self) -> str:
        """Go forward one state; returns the change that was redone, or an empty string."""
        if not self.can_redo:
            return ""
        self._at += 1
        return self._steps[self._at].what
