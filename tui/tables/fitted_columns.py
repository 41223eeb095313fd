"""Columns as wide as their content, ranked: where there is no room, the least important are left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from tui.quantities import left, right, shortened

GAP = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """The content of one column."""

    cells: Sequence[str]
    is_number: bool = False
    """Whether it is aligned to the right."""
    at_least: int | None = None
    """The width it may be shortened to, in the middle. Numbers are never shortened: their end may be an exponent."""
    rank: int = 0
    """Columns are shown in the order of their ranks as long as there is room. Rank 0 is always shown."""

    @property
    def width(self) -> int:
        """The width of its widest cell; 0 if all are empty."""
        return max(map(cell_len, self.cells), default=0)


def natural_width(columns: Sequence[Column]) -> int:
    """Return the width in which nothing is shortened or left out."""
    return _total([column.width for column in columns])


def fitted(columns: Sequence[Column], width: int) -> list[list[str]]:
    """Return the cells of each row, padded to the column's width and the gap; a row fills `width`.

    A column that is left out has empty cells. Columns are shortened before one is left out, those with the highest rank
    first.
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
    """Give the remaining width to the first column that may be shortened."""
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
