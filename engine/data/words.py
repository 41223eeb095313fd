"""Where words begin and end: letters with the marks that belong to them, numbers, and each other sign by itself.

Like the default word boundaries of Unicode (https://www.unicode.org/reports/tr29/), except that an apostrophe is a sign
of its own, and that signs of writing without blanks (Chinese, Thai) are not told apart: such a clause is one word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain

from engine.data.class_order import NOTHING

_ASCII = re.compile(r"[^\W\d]\w*|\d+|[^\w\s]")
_ZERO_WIDTH_SPACE = "\u200b"
"""By its category it is one of the signs that belong to what stands before them, but it is there to part words."""
_JOINER = "\u200d"
_SKIN = "\U0001f3fb-\U0001f3ff"
_FLAG = "[\U0001f1e6-\U0001f1ff]"
_PLANES = (range(0x20000), range(0xE0000, 0xE0200))
"""Code points among which are all marks: between the two are ideographs and nothing."""


def words_in(text: str, rules: int = NOTHING.rules) -> Iterator[str]:
    """Words in lower case, numbers and signs, one after the other: of a long text no more is cut than is asked for.

    Args:
        rules: 1 for the first version, by which marks stand alone and two spellings of a letter are two letters.
    """
    lower = text.lower()
    if rules == 1 or lower.isascii():
        return (found[0] for found in _ASCII.finditer(lower))
    return (found[0] for found in _pattern().finditer(one_form(lower)))


def one_form(text: str) -> str:
    """The text in normal form C, by which a letter with its accent is one and the same however it was typed."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    """Made when the first text needs it: it looks at 100,000 code points."""
    marks, formats = _of_category("M"), _of_category("Cf")
    belongs = f"{marks}{formats}{_SKIN}"
    sign = rf"[^\w\s{_ZERO_WIDTH_SPACE}{belongs}]"
    return re.compile(
        rf"[^\W\d{formats}][\w{belongs}]*"  # a word
        rf"|\d[\d{belongs}]*"
        rf"|{_FLAG}{_FLAG}"
        rf"|{sign}[{belongs}]*(?:(?<={_JOINER}){sign}[{belongs}]*)*"  # a sign, or a family of emoji
        rf"|[{marks}{_SKIN}][{belongs}]*"  # what belongs to nothing
    )


def _of_category(prefix: str) -> str:
    """The code points of a general category, as ranges within brackets of a regular expression."""
    ranges: list[list[int]] = []
    for point in chain(*_PLANES):
        if chr(point) == _ZERO_WIDTH_SPACE or not unicodedata.category(chr(point)).startswith(prefix):
            continue
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)
