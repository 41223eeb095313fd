"""Curves as characters of a terminal: the one module that imports plotext. Version 6 can abort the process that trains.

Plotext draws lines and axes. It is given only whole dots inside the canvas, so a value of a diverging run never reaches
it. Each layer is drawn separately and cached, because most curves do not change between two frames.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal

import plotext

from tui.plots.scale import Axis
from tui.series import Bucket

Marker = Literal["braille", "blocks", "ascii"]
Stroke = Literal["solid", "dashed", "dotted"]
Run = tuple[str, str]
"""Some text and its tone: a name such as "train", which the stylesheet of the widget gives a colour."""
Dot = tuple[int, int]

DOTS: dict[Marker, tuple[int, int]] = {"braille": (2, 4), "blocks": (2, 2), "ascii": (1, 1)}
"""Dots in a cell: columns and rows."""
_DASHES: dict[Stroke, tuple[int, int]] = {"solid": (1, 1), "dashed": (3, 6), "dotted": (1, 3)}
"""The dots drawn in each period along the line, and the period."""
ASCII: dict[Stroke, str] = {"solid": "*", "dashed": "o", "dotted": "."}
_QUADRANTS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"

_SLAB = 16
"""Columns that are drawn and cached together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A curve. With `spread`, every bucket is drawn from its minimum to its maximum; otherwise, its mean."""

    buckets: tuple[Bucket, ...]
    tone: str
    stroke: Stroke = "solid"
    spread: bool = False
    hides: bool = False
    """Whether its cells hide the layers below; otherwise both are visible."""


class Canvas:
    """The cells that layers are drawn into, one over the other."""

    def __init__(self, columns: int, rows: int, marker: Marker) -> None:
        self.columns, self.rows, self.marker = columns, rows, marker
        self._cells: dict[tuple[int, int], tuple[str, str]] = {}

    def add(self, layer: Layer, x: Axis, y: Axis) -> None:
        across, up = DOTS[self.marker]
        segments = _dots(layer, x, y, self.columns * across, self.rows * up, across)
        joined = layer.stroke == "solid"
        if not joined:
            segments = tuple(tuple(_dashes(segment, layer.stroke)) for segment in segments)
        for start, lines in _slabs(segments, joined, self.columns, across):
            for row, column, character in _raster(lines, joined, self.rows, self.marker, ASCII[layer.stroke]):
                below = self._cells.get((row, start + column))
                if below is not None and not layer.hides:
                    character = _both(below[0], character, self.marker)
                self._cells[row, start + column] = character, layer.tone

    def put_into(self, cells: list[list[Run]], left: int) -> None:
        for (row, column), cell in self._cells.items():
            cells[row][left + column] = cell


def _dots(layer: Layer, x: Axis, y: Axis, across: int, up: int, in_cell: int) -> tuple[tuple[Dot, ...], ...]:
    """Return the curve as dots: a tuple for each unbroken segment, at most two dots in a column of cells."""
    segments: list[list[Dot]] = [[]]
    column, low, high = -1, (0, 0), (0, 0)
    x_low, x_high, y_low, spread, log = x.low, x.high, y.low, layer.spread, y.log
    x_scale, y_scale, top = (across - 1) / (x_high - x_low), (up - 1) / (y.high - y_low), up - 1

    def end_column() -> None:
        if column < 0:
            return
        segment = segments[-1]
        if low[1] == high[1]:
            segment.append(low)
        elif low[0] != high[0]:
            segment += sorted((low, high))
        else:
            # Both are in one column of dots: the one nearer to the previous dot is first.
            rising = not segment or abs(segment[-1][1] - low[1]) <= abs(segment[-1][1] - high[1])
            segment += (low, high) if rising else (high, low)

    # Plain comparisons instead of min() and max(): this runs for every bucket of every curve in every frame.
    for first_x, last_x, least, most, mean, points, broken_x, _ in layer.buckets:
        if last_x < x_low or first_x > x_high:
            continue
        if not spread:
            least = most = mean
        if log:
            most = math.log10(most) if most > 0 else -math.inf
            least = math.log10(least) if least > 0 else -math.inf
        gap = not points or most == -math.inf
        if gap or broken_x is not None:
            end_column()
            column = -1
            segments.append([])
            if gap:
                continue
        at = round(((first_x + last_x) / 2 - x_low) * x_scale)
        at = 0 if at < 0 else across - 1 if at >= across else at
        above = (most - y_low) * y_scale
        below = (least - y_low) * y_scale if spread else above
        upper = (at, 0 if above < 0 else top if above > top else round(above))
        lower = (at, 0 if below < 0 else top if below > top else round(below)) if spread else upper
        if at // in_cell == column:
            if lower[1] < low[1]:
                low = lower
            if upper[1] > high[1]:
                high = upper
        else:
            end_column()
            column, low, high = at // in_cell, lower, upper
    end_column()
    return tuple(tuple(segment) for segment in segments if segment)


def _slabs(
    segments: tuple[tuple[Dot, ...], ...], joined: bool, columns: int, in_cell: int
) -> Iterable[tuple[int, tuple[tuple[Dot, ...], ...]]]:
    """Yield the visible part of the lines in each slab of columns: its first column, and lines relative to it.

    The curve of an active run grows at its right end, so only the last slab must be drawn again.
    """
    for start in range(0, columns, _SLAB):
        left, right = start * in_cell, (start + _SLAB) * in_cell
        lines: list[tuple[Dot, ...]] = []
        for segment in segments:
            if segment[-1][0] < left or segment[0][0] >= right:
                continue
            first = max(bisect_left(segment, left, key=_column) - joined, 0)
            last = bisect_left(segment, right, key=_column) + joined
            if inside := segment[first:last]:
                lines.append(tuple((x - left, y) for x, y in inside))
        if lines:
            yield start, tuple(lines)


def _column(dot: Dot) -> int:
    return dot[0]


@lru_cache(maxsize=512)
def _raster(
    lines: tuple[tuple[Dot, ...], ...], joined: bool, rows: int, marker: Marker, letter: str
) -> tuple[tuple[int, int, str], ...]:
    """Draw a slab's lines or dots with plotext; returns the row from the top, column and character of each cell."""
    across, up = DOTS[marker]
    figure = _clean_figure(_SLAB, rows)
    figure.xaxes(False, False)
    figure.yaxes(False, False)
    figure.xticks([])
    figure.yticks([])
    figure.xlim(0, _SLAB * across - 1)
    figure.ylim(0, rows * up - 1)
    character = {"braille": "braille", "blocks": "hd", "ascii": letter}[marker]
    for line in lines:
        xs, ys = zip(*line, strict=True)
        plot = figure.plot if joined and len(line) > 1 else figure.scatter
        plot(list(xs), list(ys), marker=character, color="default")
    return tuple(
        (row, column, character)
        for row, text in enumerate(_characters(figure))
        for column, character in enumerate(text)
        if character != " "
    )


@lru_cache(maxsize=16)
def axes_frame(
    width: int, height: int, labels: int, rows: tuple[int, ...], columns: tuple[int, ...]
) -> tuple[str, ...]:
    """Draw the axes and their ticks with plotext around an empty canvas; `labels` is the width left of the y axis.

    plotext does not draw the labels: if two overlap, it keeps the one that a set yields first, which differs between
    processes.
    """
    figure = _clean_figure(width, height)
    figure.xaxes(True, False)
    figure.yaxes(True, False)
    # Blank labels reserve the width; without ticks, an invisible one is added outside.
    figure.yticks(rows or (-1,), [" " * labels] * max(len(rows), 1))
    figure.xticks(columns or (-1,), [" "] * max(len(columns), 1))
    figure.xlim(0, width - labels - 2)
    figure.ylim(0, height - 3)
    figure.scatter([0], [0], marker=" ", color="default")
    return _characters(figure)


def _clean_figure(width: int, height: int) -> Any:
    """Return plotext's figure, emptied. Only the deck's thread draws. Every drawing sets all settings that it uses:
    `clear_figure()` would create two figures, which takes as long as a drawing."""
    figure = plotext.main()
    figure.clear_data()
    figure.clear_color()
    # Otherwise plotext cuts a plot that is larger than the terminal it detects.
    plotext.limit_size(False, False)
    figure.plot_size(width, height)
    return figure


def _characters(figure: Any) -> tuple[str, ...]:
    # `build()` also writes every cell with colour codes, which takes longer than the drawing.
    figure.monitor.build_plot()
    return tuple("".join(row) for row in reversed(figure.monitor.matrix.marker))


def _dashes(segment: Sequence[Dot], stroke: Stroke) -> list[Dot]:
    """Return the dots along a line that a dashed or dotted stroke shows, including both ends."""
    drawn, period = _DASHES[stroke]
    shown, walked = [segment[0]], 0
    for (x0, y0), (x1, y1) in pairwise(segment):
        length = max(abs(x1 - x0), abs(y1 - y0))
        for step in range(1, length + 1):
            walked += 1
            if walked % period < drawn:
                shown.append((round(x0 + (x1 - x0) * step / length), round(y0 + (y1 - y0) * step / length)))
    return shown


def _both(below: str, above: str, marker: Marker) -> str:
    """Return a character with the dots of both."""
    if marker == "braille":
        return chr(ord(below) | ord(above))
    if marker == "blocks":
        return _QUADRANTS[_QUADRANTS.index(below) | _QUADRANTS.index(above)]
    return above
