"""The loss over what it judges: how much an error costs, or how much it costs to doubt the right class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from tui.pictures.frame import Look, around, drawn, framed, joined, one_line, toned, words
from tui.plots.plot import Mark, Scene, canvas_size, draw, sample
from tui.plots.raster import Layer, Stroke
from tui.plots.scale import Axis, Tick, linear_ticks, nice_step, value_axis
from tui.rows.design import MUTED
from tui.rows.explanations import LOADING
from tui.series import Bucket

if TYPE_CHECKING:
    from engine.plan.loss_curve import LossCurve, LossLine

_STYLES: tuple[tuple[str, Stroke, str], ...] = (
    ("first", "solid", "◆"),
    ("second", "dashed", "▲"),
    ("third", "dotted", "▼"),
    ("fourth", "dotted", "✗"),
)
"""Tone, stroke and sign of each line, so that none is told from another by its colour alone."""


def losses(curve: LossCurve | None, width: int, height: int, look: Look) -> Content:
    """The experiment's loss and those beside it, over one axis."""
    if curve is None:
        return framed(words(LOADING, width, MUTED), width, height)
    lines = curve.lines[: len(_STYLES)]
    head = words(f"Loss over the {curve.axis}", width, "bold", most=2)
    head += [_named(line, style, look) for line, style in zip(lines, _STYLES, strict=False)]
    chosen = [line for line in lines if line.chosen]
    foot = [Content(text) for line in chosen for text in joined(_costs(curve, line, named=len(chosen) > 1), width)]
    foot += [text for note in curve.notes for text in words(note, width, MUTED)]

    def plot(rows: int) -> Sequence[Content]:
        return _plot(curve, lines, width, rows, look)

    return around(head, plot, foot, width, height)


def _named(line: LossLine, style: tuple[str, Stroke, str], look: Look) -> Content:
    tone, stroke, symbol = style
    sign = {"◆": "#", "▲": "^", "▼": "v", "✗": "X"}[symbol] if look.ascii else symbol
    name = (one_line(line.name), "bold") if line.chosen else one_line(line.name)
    return Content.assemble(toned(f"{sample(stroke, look.marker)} {sign}", tone), " ", name)


def _costs(curve: LossCurve, line: LossLine, *, named: bool) -> list[str]:
    """What it costs at a few places, and where it is least."""
    x, values = curve.x, line.values
    places = (0.1, 0.5, 0.9) if x[0] > 0 and x[-1] < 1 else (-2.0, 1.0, 3.0) if x[0] < 0 else (0.5, 1.0, 3.0)
    said = []
    for place in places:
        at = min(range(len(x)), key=lambda i: abs(x[i] - place))
        said.append(f"{values[at]:.3g} at {x[at]:g}")
    said[0] = f"{f'{one_line(line.name)} ' if named else ''}costs {said[0]}"
    least = min(range(len(x)), key=lambda i: values[i])
    if 0 < least < len(x) - 1 and values[least] < min(values[0], values[-1]):
        said.append(f"least at {x[least]:g}")
    return said


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
            # Signs stand apart from each other, so that lines that lie together are told apart too.
            place = points[int(len(points) * (0.12, 0.2, 0.28, 0.36)[len(layers) - 1])]
            marks.append(Mark(x=place[0], y=place[1], symbol=symbol, tone=tone))
    scene = Scene(x=_axis(curve.x, columns), y=y, layers=tuple(layers), marks=tuple(marks))
    return drawn(draw(scene, width, height, look.marker))


def _top(lines: Sequence[LossLine]) -> float:
    """Where the plot ends: all of the chosen ones is seen, and of the others what does not press those flat."""
    chosen = max(max(line.values) for line in lines if line.chosen)
    return max(chosen, 1.5 * min(max(line.values) for line in lines))


def _buckets(points: Sequence[tuple[float, float]], all_x: Sequence[float]) -> tuple[Bucket, ...]:
    """The points; where some were left out between two of them, the line is broken there."""
    apart = 1.5 * (all_x[1] - all_x[0])
    buckets, before = [], None
    for x, value in points:
        broken = before is not None and x - before > apart
        buckets.append(Bucket(x, x, value, value, value, 1, x if broken else None))
        before = x
    return tuple(buckets)


def _axis(x: Sequence[float], columns: int) -> Axis:
    low, high = (0.0, 1.0) if x[0] > 0 and x[-1] < 1 else (x[0], x[-1])
    ticks = linear_ticks(low, high, nice_step((high - low) / max(2, columns // 9)))
    return Axis(low=low, high=high, ticks=tuple(Tick(at, label) for at, label in ticks))
