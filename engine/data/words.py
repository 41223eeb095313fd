"""Split text into words (letters with their combining marks), numbers and single other signs.

Like the default word boundaries of Unicode (https://www.unicode.org/reports/tr29/), except that an apostrophe is a
separate sign, and that text in scripts without spaces (Chinese, Thai) is not split: a clause is one word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain

from engine.data.recorded import NOTHING_RECORDED

_ASCII = re.compile(r"[^\W\d]\w*|\d+|[^\w\s]")
_ZERO_WIDTH_SPACE = "\u200b"
"""A format character by its category, but it separates words."""
_JOINER = "\u200d"
_SKIN = "\U0001f3fb-\U0001f3ff"
_FLAG = "[\U0001f1e6-\U0001f1ff]"
_PLANES = (range(0x20000), range(0xE0000, 0xE0200))
"""Ranges that contain all combining marks; between them are only ideographs."""


def words_in(text: str, rules: int = NOTHING_RECORDED.rules) -> Iterator[str]:
    """Yield words in lower case, numbers and signs. A long text is split only as far as it is consumed.

    Args:
        rules: 1 for the first version, in which marks are separate and Unicode forms of a letter differ.
    """
    lower = text.lower()
    if rules == 1 or lower.isascii():
        return (found[0] for found in _ASCII.finditer(lower))
    return (found[0] for found in _pattern().finditer(one_form(lower)))


def one_form(text: str) -> str:
    """The text in Unicode normal form C, so that equal letters have equal characters."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    """Built on first use, since it inspects 100,000 code points."""
    marks, formats = _of_category("M"), _of_category("Cf")
    belongs = f"{marks}{formats}{_SKIN}"
    sign = rf"[^\w\s{_ZERO_WIDTH_SPACE}{belongs}]"
    return re.compile(
        rf"[^\W\d{formats}][\w{belongs}]*"  # a word
        rf"|\d[\d{belongs}]*"
        rf"|{_FLAG}{_FLAG}"
        rf"|{sign}[{belongs}]*(?:(?<={_JOINER}){sign}[{belongs}]*)*"  # a sign, or a family of emoji
        rf"|[{marks}{_SKIN}][{belongs}]*"  # marks without a letter
    )


def _of_category(prefix: str) -> str:
    """The code points of a general category, as ranges for a character class of a regular expression."""
    ranges: list[list[int]] = []
    for point in chain(*_PLANES):
        if chr(point) == _ZERO_WIDTH_SPACE or not unicodedata.category(chr(point)).startswith(prefix):
            continue
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)
