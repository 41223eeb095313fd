"""The loss as a curve: over the error, or over the probability of the right class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from tui.pictures.frame import Look, clipped, join_parts, one_line_text, plot_between, plot_lines, styled, text_lines
from tui.plots.plot import Mark, Scene, canvas_size, draw, sample
from tui.plots.raster import Layer, Stroke
from tui.plots.scale import Axis, Tick, linear_ticks, nice_step, value_axis
from tui.rows.design import MUTED
from tui.rows.explanations import LOADING
from tui.series import Bucket

if TYPE_CHECKING:
    from engine import LossCurve, LossLine

_STYLES: tuple[tuple[str, Stroke, str], ...] = (
    ("first", "solid", "◆"),
    ("second", "dashed", "▲"),
    ("third", "dotted", "▼"),
    ("fourth", "dotted", "✗"),
)
"""Tone, stroke and symbol of each line, so that lines differ by more than colour."""


def losses(curve: LossCurve | None, width: int, height: int, look: Look) -> Content:
    """The loss of the experiment and losses to compare it with, over one axis."""
    if curve is None:
        return clipped(text_lines(LOADING, width, MUTED), width, height)
    lines = curve.lines[: len(_STYLES)]
    head = text_lines(f"Loss over the {curve.axis}", width, "bold", most=2)
    head += [_legend(line, style, look) for line, style in zip(lines, _STYLES, strict=False)]
    chosen = [line for line in lines if line.chosen]
    foot = [Content(text) for line in chosen for text in join_parts(_values(curve, line, named=len(chosen) > 1), width)]
    foot += [text for note in curve.notes for text in text_lines(note, width, MUTED)]

    def plot(rows: int) -> Sequence[Content]:
        return _plot(curve, lines, width, rows, look)

    return plot_between(head, plot, foot, width, height)


def _legend(line: LossLine, style: tuple[str, Stroke, str], look: Look) -> Content:
    tone, stroke, symbol = style
    sign = {"◆": "#", "▲": "^", "▼": "v", "✗": "X"}[symbol] if look.ascii else symbol
    name = (one_line_text(line.name), "bold") if line.chosen else one_line_text(line.name)
    return Content.assemble(styled(f"{sample(stroke, look.marker)} {sign}", tone), " ", name)


def _values(curve: LossCurve, line: LossLine, *, named: bool) -> list[str]:
    """The loss at a few points, and where it is lowest."""
    x, values = curve.x, line.values
    points = (0.1, 0.5, 0.9) if x[0] > 0 and x[-1] < 1 else (-2.0, 1.0, 3.0) if x[0] < 0 else (0.5, 1.0, 3.0)
    parts = []
    for point in points:
        at = min(range(len(x)), key=lambda i: abs(x[i] - point))
        parts.append(f"{values[at]:.3g} at {x[at]:g}")
    parts[0] = f"{f'{one_line_text(line.name)}:' if named else 'loss'} {parts[0]}"
    least = min(range(len(x)), key=lambda i: values[i])
    if 0 < least < len(x) - 1 and values[least] < min(values[0], values[-1]):
        parts.append(f"lowest at {x[least]:g}")
    return parts


def _plot(curve: LossCurve, lines: Sequence[LossLine], width: int, height: int, look: Look) -> list[Content]:
    top = _top(lines)
    shown = [[(x, value) for x, value in zip(curve.x, line.values, strict=True) if value <= top] for line in lines]
    y = value_axis((value for line in shown for _, value in line), height - 2)
    if y is None:
        return []
    columns, _ = canvas_size(width, height, y)
    layers, marks = [], []
    for points, (tone, stroke, symbol) in reversed(list(zip(shown, _STYLES, strict=False))):
        if points:
            layers.append(Layer(buckets=_buckets(points, curve.x), tone=tone, stroke=stroke))
            # Symbols are at different places, so that lines that overlap can be distinguished.
            place = points[int(len(points) * (0.12, 0.2, 0.28, 0.36)[len(layers) - 1])]
            marks.append(Mark(x=place[0], y=place[1], symbol=symbol, tone=tone))
    scene = Scene(x=_axis(curve.x, columns), y=y, layers=tuple(layers), marks=tuple(marks))
    return plot_lines(draw(scene, width, height, look.marker))


def _top(lines: Sequence[LossLine]) -> float:
    """The upper end of the axis: it shows the chosen losses in full, and others unless those would look flat."""
    chosen = max(max(line.values) for line in lines if line.chosen)
    return max(chosen, 1.5 * min(max(line.values) for line in lines))


def _buckets(points: Sequence[tuple[float, float]], all_x: Sequence[float]) -> tuple[Bucket, ...]:
    """The points as buckets; the line is broken where points between two of them are missing."""
    gap = 1.5 * (all_x[1] - all_x[0])
    buckets, before = [], None
    for x, value in points:
        broken = before is not None and x - before > gap
        buckets.append(Bucket(x, x, value, value, value, 1, x if broken else None))
        before = x
    return tuple(buckets)


def _axis(x: Sequence[float], columns: int) -> Axis:
    low, high = (0.0, 1.0) if x[0] > 0 and x[-1] < 1 else (x[0], x[-1])
    ticks = linear_ticks(low, high, nice_step((high - low) / max(2, columns // 9)))
    return Axis(low=low, high=high, ticks=tuple(Tick(at, label) for at, label in ticks))
