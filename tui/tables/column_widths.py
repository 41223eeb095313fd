"""The columns of lists and tables: how wide each is, what is cut, and what a cut cell still shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.cells import cell_len, set_cell_size

from tui.quantities import left

GAP = 2
"""Blank cells between two columns."""

DISTINCT = 10
"""Two texts that are cut must differ in the last cells before the cut; otherwise they look the same."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column. A column whose cells are all empty has no width."""

    right: bool = False
    """Whether its cells are aligned to the right, as numbers are."""
    least: int | None = None
    """The width that it can be cut to; None if other columns are cut first."""
    spare: int = 0
    """1: left out before any column is cut. 2: left out once the others have their least width. 0: always shown."""
    fills: bool = False
    """Whether it takes the remaining width."""


def widths(rows: Iterable[Sequence[str]], columns: Sequence[Column], width: int, gap: int = GAP) -> list[int]:
    """Return the width of each column: that of its widest cell, less if there is no room, 0 if it is left out.

    Columns that can be cut share the width evenly. Columns that can be left out are left out from the right.

    Args:
        rows: a text for each column.
        width: the total width in cells, including gaps.
    """
    needed = [0] * len(columns)
    for row in rows:
        for i, text in enumerate(row):
            needed[i] = max(needed[i], cell_len(text))
    leasts = [n if column.least is None else min(n, column.least) for n, column in zip(needed, columns, strict=True)]
    there = [n > 0 for n in needed]

    def room() -> int:
        return width - gap * max(0, sum(there) - 1)

    def taken(cells: Sequence[int]) -> int:
        return sum(n for n, is_there in zip(cells, there, strict=True) if is_there)

    for spare, cells in ((1, needed), (2, leasts)):
        for i in reversed(range(len(columns))):
            if taken(cells) > room() and columns[i].spare == spare:
                there[i] = False
    kept = [i for i, is_there in enumerate(there) if is_there]
    found = [0] * len(columns)
    for i in kept:
        found[i] = leasts[i]
    if taken(found) > room():
        # As a last resort, cut the widest columns.
        for i, n in zip(kept, _shares([leasts[i] for i in kept], max(len(kept), room())), strict=True):
            found[i] = n
    else:
        cut = [i for i in kept if needed[i] > leasts[i]]
        left_over = room() - taken([n if i not in cut else 0 for i, n in enumerate(found)])
        for i, n in zip(cut, _shares([needed[i] for i in cut], left_over, [leasts[i] for i in cut]), strict=True):
            found[i] = n
        filling = [i for i in kept if columns[i].fills]
        if filling:
            found[filling[0]] += max(0, room() - taken(found))
    return found


def _shares(needed: Sequence[int], room: int, leasts: Sequence[int] | None = None) -> list[int]:
    """Share `room` cells: each gets the width it needs up to a common limit, but at least its least width."""
    leasts = leasts or [1] * len(needed)
    low, high = 0, max([room, *needed], default=0)
    while low < high:
        level = (low + high + 1) // 2
        if sum(max(least, min(n, level)) for n, least in zip(needed, leasts, strict=True)) <= room:
            low = level
        else:
            high = level - 1
    given = [max(least, min(n, low)) for n, least in zip(needed, leasts, strict=True)]
    rest = room - sum(given)
    for i, n in enumerate(needed):
        if rest > 0 and given[i] < n:
            given[i], rest = given[i] + 1, rest - 1
    return given


def cut_apart(texts: Sequence[str], width: int) -> list[str]:
    """Return the texts in at most `width` cells each.

    A longer text ends in an ellipsis. If different texts would then look the same, their common part is cut out of the
    middle instead, so that the difference is visible.

    >>> cut_apart(["which package is this? A GRU", "which package is this? An LSTM"], 20)
    ['which…is this? A GRU', 'which… this? An LSTM']
    """
    long = sorted({text for text in texts if cell_len(text) > width})
    if not long or width < 8:
        return [left(text, width).rstrip() if cell_len(text) > width else text for text in texts]
    shown = {text: left(text, width).rstrip() for text in long}
    # In sorted order, texts with a common start are adjacent: compare each only with its two neighbours.
    common = [_shared(*pair) for pair in pairwise(long)]
    for i, text in enumerate(long):
        same = max(common[max(0, i - 1) : i + 1], default=0)
        if cell_len(text[:same]) > width - 1 - min(DISTINCT, width // 2):
            shown[text] = _from(text, same, width)
    return [shown.get(text, text) for text in texts]


def _shared(one: str, other: str) -> int:
    """Return the length of the common start of two texts."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _from(text: str, place: int, width: int) -> str:
    """Return the start of a text and the part from around `place`, as far as both fit."""
    head = set_cell_size(text, width // 3).rstrip()
    room = width - cell_len(head) - 1
    word = text.rfind(" ", 0, place) + 1
    begin = max(len(head), word if cell_len(text[word:place]) <= room // 2 else place - room // 3)
    while begin > len(head) and cell_len(text[begin - 1 :]) <= room:
        begin -= 1
    return f"{head}…{left(text[begin:], room).rstrip()}"
