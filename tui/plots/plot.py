"""A plot in the cells of a terminal: axes with labels, curves, and marks on them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tui.plots.raster import ASCII, DOTS, Canvas, Layer, Marker, Run, Stroke, axes_frame
from tui.plots.scale import Axis, Tick
from tui.series import Bucket

Row = tuple[Run, ...]

_SYMBOLS = {"◆": "#", "✗": "X", "▲": "^", "▼": "v", "▾": "v"}
_LEAST_LABEL = 4
SAMPLES: dict[Stroke, str] = {"solid": "──", "dashed": "╌╌", "dotted": "┈┈"}
"""Two cells of each stroke, for a legend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A symbol in the plot, with a label next to it if there is room. Without `y` it is at the top."""

    x: float
    symbol: str
    tone: str
    y: float | None = None
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The content of a plot; later layers are drawn over earlier ones."""

    x: Axis
    y: Axis
    layers: tuple[Layer, ...]
    marks: tuple[Mark, ...] = ()


def sample(stroke: Stroke, marker: Marker) -> str:
    """Return two cells that look like a line of this stroke, for a legend."""
    return ASCII[stroke] * 2 if marker == "ascii" else SAMPLES[stroke]


def canvas_size(width: int, height: int, y: Axis) -> tuple[int, int]:
    """Return the columns and rows inside the axes."""
    return width - _label_width(y.ticks) - 1, height - 2


def draw(scene: Scene, width: int, height: int, marker: Marker = "braille") -> tuple[Row, ...]:
    """Draw a plot as `height` rows of `width` cells: axes, then the layers in order, then the marks."""
    columns, rows = canvas_size(width, height, scene.y)
    if columns < 4 or rows < 2:
        return tuple(((" " * width, "axis"),) for _ in range(height))
    left = width - columns
    at_rows = _row_labels(scene.y, rows)
    at_columns = _column_labels(scene.x, columns, left)
    frame = axes_frame(width, height, left - 1, tuple(at_rows), tuple(at for at, _, _ in at_columns))
    cells = [[(character, "axis") for character in line] for line in frame]
    for row, label in at_rows.items():
        _write(cells[rows - 1 - row], left - 1 - len(label), label)
    _write(cells[-1], 0, scene.x.unit)
    for _, start, label in at_columns:
        _write(cells[-1], start, label)
    canvas = Canvas(columns, rows, marker)
    for layer in scene.layers:
        canvas.add(layer, scene.x, scene.y)
    canvas.put_into(cells, left)
    occupied = {
        (row, column) for row in range(rows) for column in range(columns) if cells[row][left + column][0] != " "
    }
    placed = [(mark, at) for mark in scene.marks if (at := _place(mark, scene, columns, rows, marker)) is not None]
    for mark, (row, column) in placed:
        cells[row][left + column] = (_SYMBOLS[mark.symbol] if marker == "ascii" else mark.symbol, mark.tone)
        occupied.add((row, column))
    for mark, (row, column) in placed:
        _put_label(cells, occupied, mark, row, column, left, columns, rows)
    return tuple(runs(line) for line in cells)


def runs(cells: Iterable[Run]) -> Row:
    """Join neighbouring cells of the same tone. Blanks show no colour, so they join the cells before them."""
    joined: list[Run] = []
    words: list[str] = []
    tone = ""
    for text, text_tone in cells:
        if words and (text_tone == tone or text.isspace()):
            words.append(text)
            continue
        if words and all(word.isspace() for word in words):
            words.append(text)
            tone = text_tone
            continue
        if words:
            joined.append(("".join(words), tone))
        words, tone = [text], text_tone
    if words:
        joined.append(("".join(words), tone))
    return tuple(joined)


def _dot(axis: Axis, at: float, count: int) -> int:
    """Return the row or column of a position on an axis."""
    return round(min(1.0, max(0.0, (at - axis.low) / (axis.high - axis.low))) * (count - 1))


def _label_width(ticks: Sequence[Tick]) -> int:
    return max([_LEAST_LABEL, *(len(tick.label) for tick in ticks)])


def _row_labels(axis: Axis, rows: int) -> dict[int, str]:
    """Return the labels of the y axis by row, counted from the bottom; of two in one row the nearer one."""
    nearest: dict[int, tuple[float, str]] = {}
    for at, label in axis.ticks:
        exact = (at - axis.low) / (axis.high - axis.low) * (rows - 1)
        row = math.floor(exact + 0.5 + 1e-6)
        # Rounded, so that noise in the last digits does not decide between two equal distances.
        candidate = round(abs(exact - row), 6), label
        if 0 <= row < rows:
            nearest[row] = min(nearest.get(row, candidate), candidate)
    return {row: label for row, (_, label) in nearest.items()}


def _column_labels(axis: Axis, columns: int, left: int) -> list[tuple[int, int, str]]:
    """Return the labels of the x axis, each with the column of its tick and its first cell, without overlaps."""
    labels: list[tuple[int, int, str]] = []
    free_from = len(axis.unit) + 1
    for at, label in axis.ticks:
        column = _dot(axis, at, columns)
        start = min(left + column - len(label) // 2, left + columns - len(label))
        if start >= free_from:
            labels.append((column, start, label))
            free_from = start + len(label) + 1
    return labels


def _write(line: list[Run], start: int, text: str) -> None:
    line[start : start + len(text)] = [(character, "axis") for character in text]


def _place(mark: Mark, scene: Scene, columns: int, rows: int, marker: Marker) -> tuple[int, int] | None:
    """Return the row from the top and the column of a mark; None if it is outside the plot."""
    up = 1.0 if mark.y is None else scene.y.share(mark.y)
    along = scene.x.share(mark.x)
    if up is None or along is None or not scene.x.low <= mark.x <= scene.x.high:
        return None
    in_column, in_row = DOTS[marker]
    column = round(along * (columns * in_column - 1)) // in_column
    return rows - 1 - round(up * (rows * in_row - 1)) // in_row, column


def _put_label(
    cells: list[list[Run]],
    occupied: set[tuple[int, int]],
    mark: Mark,
    row: int,
    column: int,
    left: int,
    columns: int,
    rows: int,
) -> None:
    """Write a mark's label near it, where it covers the least."""
    width = len(mark.label)
    if not width:
        return
    next_to = [(row, column + 2), (row, column - 1 - width)]
    starts = (column, column - width + 1, column - width // 2)
    near = [(row + away, start) for away in (1, -1, 2, -2) for start in starts]
    best, least = None, math.inf
    for at_row, start in next_to + near:
        if not 0 <= at_row < rows or start < 0 or start + width > columns:
            continue
        covered = sum((at_row, at) in occupied for at in range(start - 1, start + width + 1))
        if covered < least:
            best, least = (at_row, start), covered
    if best is None:
        return
    at_row, start = best
    for at, character in enumerate(mark.label, start):
        cells[at_row][left + at] = (character, mark.tone)
        occupied.add((at_row, at))


def broken(buckets: Sequence[Bucket], most: int = 6) -> tuple[Mark, ...]:
    """Return a mark where a curve has a value that is not finite; the first mark names its step."""
    places = [(bucket.broken_x, bucket.broken_value) for bucket in buckets if bucket.broken_x is not None]
    marks: list[Mark] = []
    for x, value in places[:most]:
        name = "NaN" if math.isnan(value) else "inf" if value > 0 else "-inf"
        label = "" if marks else f"{name} at step {x:,.0f}"
        marks.append(Mark(x=x, symbol="✗", tone="bad", label=label))
    return tuple(marks)
