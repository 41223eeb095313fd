"""Columns that are as wide as what they show, with a gap between them, within the width that there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from tui.quantities import left, right, shortened

GAP = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a list, without its width."""

    cells: Sequence[str]
    is_number: bool = False
    """Whether it stands at the right of its column."""
    at_least: int | None = None
    """To how many cells it may be shortened, in the middle; a number never is, since its end is its exponent."""
    rank: int = 0
    """Columns are shown in the order of their ranks, as long as there is room; those of rank 0 always."""

    @property
    def width(self) -> int:
        """As wide as its widest cell; 0 where all are empty."""
        return max(map(cell_len, self.cells), default=0)


def natural_width(columns: Sequence[Column]) -> int:
    """The width in which nothing is shortened or left out."""
    return _total([column.width for column in columns])


def fitted(columns: Sequence[Column], width: int) -> list[list[str]]:
    """The cells of each row, each padded to its column's width, with the gap to the next; a row fills `width`.

    What is not shown is an empty string, so that a row has a cell for each column. A column that has room only when
    others are shortened is shown; what is shortened first is what has the highest rank.
    """
    by_rank = sorted(range(len(columns)), key=lambda index: columns[index].rank)
    shown = {index for index in by_rank if columns[index].width and not columns[index].rank}
    for index in by_rank:
        if columns[index].width and _total([_least(columns[i]) for i in {*shown, index}]) <= width:
            shown.add(index)
    widths = [column.width if index in shown else 0 for index, column in enumerate(columns)]
    for index in reversed(by_rank):
        if index in shown:
            excess = max(0, _total(widths) - width)
            widths[index] = max(_least(columns[index]), widths[index] - excess)
    _stretch(columns, widths, width)
    return [
        [_cell(column, row, widths, index, width) for index, column in enumerate(columns)]
        for row in range(len(columns[0].cells))
    ]


def _least(column: Column) -> int:
    return column.width if column.at_least is None else min(column.at_least, column.width)


def _total(widths: Sequence[int]) -> int:
    shown = [width for width in widths if width]
    return sum(shown) + GAP * max(0, len(shown) - 1)


def _stretch(columns: Sequence[Column], widths: list[int], width: int) -> None:
    """Give what is left to the first column that may be shortened, so that rows reach their right end."""
    for index, column in enumerate(columns):
        if column.at_least is not None and widths[index]:
            widths[index] = max(1, widths[index] + width - _total(widths))
            return


def _cell(column: Column, row: int, widths: Sequence[int], index: int, width: int) -> str:
    if not widths[index]:
        return ""
    text, room = column.cells[row], min(widths[index], width)
    padded = right(text, room) if column.is_number else left(shortened(text, room), room)
    return padded + " " * GAP * any(widths[index + 1 :])
