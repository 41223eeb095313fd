"""Names and texts from outside, made safe for a sentence: they neither move the cursor nor break the line."""

from __future__ import annotations

_JOINERS = frozenset("\u200c\u200d")
"""Zero-width joiner and non-joiner: parts of words in Persian and Hindi, and of emoji."""
_TAGS = range(0xE0020, 0xE0080)
"""Parts of flags of emoji."""


def is_printable(text: str) -> bool:
    """Whether a terminal shows the text unchanged in one line."""
    return all(c.isprintable() or c in _JOINERS or ord(c) in _TAGS for c in text)


def printable(text: str) -> str:
    r"""Escape everything else in the text as in Python: a line break is `\n`, an invalid byte `\udcff`."""
    if text.isprintable():
        return text
    return "".join(c if is_printable(c) else c.encode("unicode_escape").decode() for c in text)
