"""Names and texts of strangers as they can stand in a sentence: nothing in them moves the cursor or breaks the line."""

from __future__ import annotations

_JOINERS = frozenset("\u200c\u200d")
"""Zero-width joiner and non-joiner: parts of words in Persian and Hindi, and of emoji."""
_TAGS = range(0xE0020, 0xE0080)
"""Parts of flags of emoji."""


def is_printable(text: str) -> bool:
    """Whether a terminal shows the text as it is, in one line."""
    return all(c.isprintable() or c in _JOINERS or ord(c) in _TAGS for c in text)


def printable(text: str) -> str:
    r"""The text with everything else escaped, as in Python: a line break is `\n`, a byte that is no text `\udcff`."""
    if text.isprintable():
        return text
    return "".join(c if is_printable(c) else c.encode("unicode_escape").decode() for c in text)
