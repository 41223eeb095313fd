"""Separates the terminal's input into pressed keys and pasted text.

A paste that the terminal marks is one message of any size. An unmarked paste looks like typing; it is recognised by
several different characters in one read. A person presses one key at a time, and a key that stays pressed repeats one
character.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from textual.message import Message

BEGIN, END = "\x1b[200~", "\x1b[201~"

LEAST = 4
"""The fewest characters in one read that count as a paste; one fewer if the last is Enter, as in a pasted command."""

QUIET_S = 0.05
"""A paste that arrives in pieces ends when nothing has arrived for this long."""

_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|[\]PX^_].*?(?:\x07|\x1b\\)|[^\[O\]PX^_]|$)", re.DOTALL)
_NO_TEXT = re.compile(rf"(?:{_SEQUENCE.pattern}|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f])+", re.DOTALL)
_OPEN = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|O|[\]PX^_][^\x07\x1b]{0,999}\x1b?)$")
"""The start of an escape sequence whose rest has not arrived. Escape alone is a key and does not count."""


@dataclass(frozen=True, slots=True)
class Typed:
    """Characters and escape sequences of keys that a person pressed."""

    text: str


class Pasted(Message):
    """Text that was pasted.

    Args:
        marked: whether the terminal marked it as a paste.
        continues: whether it continues the previous paste.
        was_typing: call this if a program typed the text; text that follows immediately then counts as typing too.
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
    """Separates keys from pastes. Call `sort` with each read, in order."""

    def __init__(self) -> None:
        self._marked: list[str] | None = None
        """The pieces of a marked paste that has not ended."""
        self._half = ""
        """The start of an escape sequence whose rest has not arrived."""
        self._until_s = float("-inf")
        """Input before this time belongs to the previous paste."""

    def sort(self, data: str, now_s: float) -> Iterator[Typed | Pasted]:
        """Yield the parts of one read.

        Args:
            now_s: when it arrived, on a monotonic clock.
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
                # The last few characters may be the start of the end mark.
                self._marked += [text[: 1 - len(END)], text[1 - len(END) :]]
                return
            pasted, self._marked, data = "".join((*self._marked, text)), None, after
            yield Pasted(pasted, marked=True)

    def waited(self) -> Iterator[Typed]:
        """Yield an incomplete escape sequence after nothing has followed it for a while."""
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
    """Whether characters of one read are a paste and not typing.

    >>> is_burst("ls -l"), is_burst("ls\\r"), is_burst("t"), is_burst("jjjjjjj"), is_burst("s\\r")
    (True, True, False, False, False)
    """
    least = LEAST - 1 if characters.endswith(("\r", "\n")) else LEAST
    return len(characters) >= least and len(set(characters)) > 1
