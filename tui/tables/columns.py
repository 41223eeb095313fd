"""Lists as rows of columns, styled for a screen."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from tui.quantities import left, right
from tui.tables.column_widths import GAP, Column, cut_apart, widths
from tui.tables.text import plain

__all__ = ["NAME_AND_SUMMARY", "Cell", "Column", "cell_widths", "table"]

NAME_AND_SUMMARY = (Column(least=16), Column(least=12, spare=2))
"""The columns of a list of names with a sentence about each."""

Cell = str | tuple[str, str]
"""A text, or a text and its style."""


def cell_widths(rows: Sequence[Sequence[Cell]], columns: Sequence[Column], width: int, gap: int = GAP) -> list[int]:
    """Return the width of each column in a `table` of these rows."""
    return widths([[_text(cell) for cell in row] for row in rows], columns, width, gap)


def table(
    rows: Sequence[Sequence[Cell]],
    columns: Sequence[Column],
    width: int,
    *,
    gap: int = GAP,
    cells: Sequence[int] | None = None,
) -> list[Content]:
    """Return each row as one line of at most `width` cells. Texts are cut so that they still look different.

    Args:
        cells: the width of each column; by default what these rows need.
    """
    texts = [[_text(cell) for cell in row] for row in rows]
    cells = widths(texts, columns, width, gap) if cells is None else cells
    kept = [i for i, n in enumerate(cells) if n]
    shown = {i: cut_apart([row[i] for row in texts], cells[i]) for i in kept}
    lines = []
    for number, row in enumerate(rows):
        parts: list[tuple[str, str] | str] = []
        for i in kept:
            padded = (right if columns[i].right else left)(shown[i][number], cells[i])
            parts += [" " * gap] if parts else []
            at_end = i == kept[-1] and not columns[i].right
            parts.append((padded.rstrip() if at_end else padded, _style(row[i])))
        lines.append(Content.assemble(*parts))
    return lines


def _text(cell: Cell) -> str:
    """Return a cell's text in one line, without control characters."""
    return plain(" ".join((cell if isinstance(cell, str) else cell[0]).splitlines()).replace("\t", " "))


def _style(cell: Cell) -> str:
    return "" if isinstance(cell, str) else cell[1]
