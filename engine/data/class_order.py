"""The order of the names of classes and categories: the same in every process and for every source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
"""A finite number in the usual notation. "nan", "inf" and "1_000" are texts: NaN cannot be ordered."""
_DIGITS = re.compile(r"[0-9]+|[^0-9]")
_ZERO = ord("0")


def in_order(names: Iterable[str], recorded: Sequence[str] = ()) -> tuple[str, ...]:
    """Sort names without repetition: by value if every name is a number, else in natural order (digits by value).

    Args:
        recorded: names that come first, in this order, if they are among `names`.

    >>> in_order(["10", "9", "1.5"]), in_order(["img10", "img2", "nan", "1"])
    (('1.5', '9', '10'), ('1', 'img2', 'img10', 'nan'))
    """
    different = dict.fromkeys(names)
    first = [name for name in dict.fromkeys(recorded) if name in different]
    others = [name for name in different if name not in set(first)]
    if all(_NUMBER.fullmatch(name) for name in others):
        others.sort(key=lambda name: (Decimal(name), name))
    else:
        others.sort(key=lambda name: (_natural(name), name))
    return (*first, *others)


def _natural(name: str) -> list[tuple[int, int, str]]:
    """A sort key that compares character by character, but groups of digits by their value."""
    return [_place(piece) for piece in _DIGITS.findall(name)]


def _place(piece: str) -> tuple[int, int, str]:
    if not piece[0].isdecimal() or not piece.isascii():
        return (ord(piece), 0, "")
    digits = piece.lstrip("0")
    return (_ZERO, len(digits), digits)  # no int(): Python refuses to read one of 4,300 digits
