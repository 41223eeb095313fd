"""The columns of every list and table: how wide each is, what is cut, and what a cell that is cut still shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.cells import cell_len, set_cell_size

from tui.quantities import left

GAP = 2
"""Blank cells between two columns."""

APART = 10
"""Cells in which two texts must differ before the place where they are cut; else they read alike."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column. A column of which every cell is empty takes no room."""

    right: bool = False
    """Whether its cells stand at its right edge: numbers."""
    least: int | None = None
    """The cells that it can be cut to; None where it is not cut while another column can be."""
    spare: int = 0
    """1: it goes before any column is cut. 2: it goes once cut columns are at their least. 0: it stays."""
    fills: bool = False
    """Whether it takes the room that is left."""


def widths(rows: Iterable[Sequence[str]], columns: Sequence[Column], width: int, gap: int = GAP) -> list[int]:
    """The cells of each column: as its widest cell wants, less where there is no room, 0 where it is left out.

    Columns that can be cut share the room evenly; those that can be spared go from the right.

    Args:
        rows: a text for each column; what the column takes of `width` follows from its widest text.
        width: the cells that there are, gaps included.
    """
    wanted = [0] * len(columns)
    for row in rows:
        for i, text in enumerate(row):
            wanted[i] = max(wanted[i], cell_len(text))
    leasts = [n if column.least is None else min(n, column.least) for n, column in zip(wanted, columns, strict=True)]
    there = [n > 0 for n in wanted]

    def room() -> int:
        return width - gap * max(0, sum(there) - 1)

    def taken(cells: Sequence[int]) -> int:
        return sum(n for n, is_there in zip(cells, there, strict=True) if is_there)

    for spare, cells in ((1, wanted), (2, leasts)):
        for i in reversed(range(len(columns))):
            if taken(cells) > room() and columns[i].spare == spare:
                there[i] = False
    kept = [i for i, is_there in enumerate(there) if is_there]
    found = [0] * len(columns)
    for i in kept:
        found[i] = leasts[i]
    if taken(found) > room():
        # Nothing else helps: what is widest gives way, whatever it is.
        for i, n in zip(kept, _shares([leasts[i] for i in kept], max(len(kept), room())), strict=True):
            found[i] = n
    else:
        cut = [i for i in kept if wanted[i] > leasts[i]]
        left_over = room() - taken([n if i not in cut else 0 for i, n in enumerate(found)])
        for i, n in zip(cut, _shares([wanted[i] for i in cut], left_over, [leasts[i] for i in cut]), strict=True):
            found[i] = n
        filling = [i for i in kept if columns[i].fills]
        if filling:
            found[filling[0]] += max(0, room() - taken(found))
    return found


def _shares(wanted: Sequence[int], room: int, leasts: Sequence[int] | None = None) -> list[int]:
    """Share `room` cells: each gets what it wants up to a level that is one for all, and no less than its least."""
    leasts = leasts or [1] * len(wanted)
    low, high = 0, max([room, *wanted], default=0)
    while low < high:
        level = (low + high + 1) // 2
        if sum(max(least, min(n, level)) for n, least in zip(wanted, leasts, strict=True)) <= room:
            low = level
        else:
            high = level - 1
    given = [max(least, min(n, low)) for n, least in zip(wanted, leasts, strict=True)]
    rest = room - sum(given)
    for i, n in enumerate(wanted):
        if rest > 0 and given[i] < n:
            given[i], rest = given[i] + 1, rest - 1
    return given


def cut_apart(texts: Sequence[str], width: int) -> list[str]:
    """The texts in at most `width` cells each.

    What is too long ends in an ellipsis. Where texts that differ would then read alike, what they have in common is
    left out in the middle, so that each shows what the others do not say.

    >>> cut_apart(["which package is this? A GRU", "which package is this? An LSTM"], 20)
    ['which …this? A GRU', 'which …this? An LSTM']
    """
    long = sorted({text for text in texts if cell_len(text) > width})
    if not long or width < 8:
        return [left(text, width).rstrip() if cell_len(text) > width else text for text in texts]
    shown = {text: left(text, width).rstrip() for text in long}
    # In order, texts that share a beginning stand side by side: each need only be told from its two neighbours.
    common = [_shared(*pair) for pair in pairwise(long)]
    for i, text in enumerate(long):
        same = max(common[max(0, i - 1) : i + 1], default=0)
        if cell_len(text[:same]) > width - 1 - min(APART, width // 2):
            shown[text] = _from(text, same, width)
    return [shown.get(text, text) for text in texts]


def _shared(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginning."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _from(text: str, place: int, width: int) -> str:
    """The beginning of a text, and the text around `place` to its end, as far as both fit."""
    head = set_cell_size(text, width // 3).rstrip()
    room = width - cell_len(head) - 1
    word = text.rfind(" ", 0, place) + 1
    begin = max(len(head), word if cell_len(text[word:place]) <= room // 2 else place - room // 3)
    while begin > len(head) and cell_len(text[begin - 1 :]) <= room:
        begin -= 1
    return f"{head}…{left(text[begin:], room).rstrip()}"
