"""What a document was and may be again: undo and redo without limit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """A state of the document, and what made it."""

    text: str
    what: str = ""
    """The change in a few words: `out_features 128`."""
    group: str = ""
    """Changes of one group that follow each other are one: the value that an arrow key runs through."""


class History:
    """The states of a document in the order in which they were made."""

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
        """Whether a change was undone that nothing replaced."""
        return self._at + 1 < len(self._steps)

    def change(self, text: str, what: str, group: str = "") -> bool:
        """Go to a new state; what was undone is forgotten. Whether there was a change at all."""
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
        """The next change is one of its own, whatever its group."""
        here = self._steps[self._at]
        self._steps[self._at] = Step(here.text, here.what)

    def undo(self) -> str:
        """Go back a state; what was undone, in a few words, or nothing where there was nothing to undo."""
        if not self.can_undo:
            return ""
        what = self._steps[self._at].what
        self._at -= 1
        return what

    def redo(self) -> str:
        """Go forward again; what was done again, or nothing."""
        if not self.can_redo:
            return ""
        self._at += 1
        return self._steps[self._at].what
