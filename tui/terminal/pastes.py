"""What comes from the terminal's keyboard, sorted: keys that were pressed, and text that was pasted.

A paste between the marks of a terminal that has them is one message, however large. One without marks looks like
typing. It is told by this: characters that differ, several of them in one read. A person presses one key at a time,
and a key that is held down repeats itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from textual.message import Message

BEGIN, END = "\x1b[200~", "\x1b[201~"

LEAST = 4
"""Characters in one read that are no typing; one less where the last is Enter: a command is pasted with its end."""

QUIET_S = 0.05
"""A paste that comes in pieces is over when nothing has come for so long."""

_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|[\]PX^_].*?(?:\x07|\x1b\\)|[^\[O\]PX^_]|$)", re.DOTALL)
_NO_TEXT = re.compile(rf"(?:{_SEQUENCE.pattern}|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f])+", re.DOTALL)
_OPEN = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|O|[\]PX^_][^\x07\x1b]{0,999}\x1b?)$")
"""An escape sequence of which more is to come. Escape alone is none: it is a key, and is not held back."""


@dataclass(frozen=True, slots=True)
class Typed:
    """Text with the keys of a person: characters and escape sequences."""

    text: str


class Pasted(Message):
    """Text that was pasted.

    Args:
        marked: whether the terminal has marked it as such.
        continues: whether it is a further piece of the paste before.
        was_typing: called by who finds that a program has typed it, so that what follows at once is typing too.
    """

    def __init__(
        self,
        text: str,
        *,
        marked: bool = False,
        continues: bool = False,
        was_typing: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self.text, self.marked, self.continues, self.was_typing = text, marked, continues, was_typing


class PasteSorter:
    """Sorts what is read. One reader calls it, with each read as it came."""

    def __init__(self) -> None:
        self._marked: list[str] | None = None
        """The pieces of a marked paste that is not at its end."""
        self._half = ""
        """The beginning of an escape sequence, of which the rest has not come."""
        self._until_s = float("-inf")
        """Until then what comes belongs to the paste before."""

    def sort(self, data: str, now_s: float) -> Iterator[Typed | Pasted]:
        """The parts of one read.

        Args:
            now_s: when it came, by a clock that does not go back.
        """
        data, self._half = self._half + data, ""
        while data:
            if self._marked is None:
                before, mark, data = data.partition(BEGIN)
                self._marked = [] if mark else None
                yield from self._unmarked(before, now_s, at_end=not mark)
                continue
            tail = self._marked.pop() if self._marked else ""
            text, mark, after = (tail + data).partition(END)
            if not mark:
                # The last few characters may be the beginning of the mark.
                self._marked += [text[: 1 - len(END)], text[1 - len(END) :]]
                return
            whole, self._marked, data = "".join((*self._marked, text)), None, after
            yield Pasted(whole, marked=True)

    def waited(self) -> Iterator[Typed]:
        """What was held back, once nothing has followed for a while."""
        if self._half:
            yield Typed(self._half)
            self._half = ""

    def _expect_typing(self) -> None:
        self._until_s = float("-inf")

    def _unmarked(self, data: str, now_s: float, *, at_end: bool) -> Iterator[Typed | Pasted]:
        half = _OPEN.search(data) if at_end else None
        if half is not None:
            data, self._half = data[: half.start()], half[0]
        plain = _SEQUENCE.sub("", data)
        text = "".join(c for c in plain if _is_text(c))
        continues = now_s < self._until_s
        if not is_burst(text) and not (continues and text):
            if data:
                yield Typed(data)
            return
        self._until_s = now_s + QUIET_S
        before = _NO_TEXT.match(data)
        keys = before[0] if before else ""
        if keys:
            yield Typed(keys)
        yield Pasted(text, continues=continues, was_typing=self._expect_typing)
        after = data[len(keys) :]
        keys = "".join(match[0] for match in _SEQUENCE.finditer(after))
        keys += "".join(c for c in _SEQUENCE.sub("", after) if not _is_text(c))
        if keys:
            yield Typed(keys)


def _is_text(character: str) -> bool:
    return character in "\r\n\t" or character.isprintable()


def is_burst(characters: str) -> bool:
    """Whether characters that came in one read are no typing.

    >>> is_burst("ls -l"), is_burst("ls\\r"), is_burst("t"), is_burst("jjjjjjj"), is_burst("s\\r")
    (True, True, False, False, False)
    """
    least = LEAST - 1 if characters.endswith(("\r", "\n")) else LEAST
    return len(characters) >= least and len(set(characters)) > 1
