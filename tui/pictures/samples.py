"""A picture of the data: its figures, drawings of samples, and the samples of each class or the range of features."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content

from engine import share_text
from tui.pictures.class_counts import balance, bars
from tui.pictures.frame import LEAST_PLOT, Look, clipped, join_parts, one_line_text, plot_lines, text_lines
from tui.pictures.pixels import Pixels, half_blocks, scaled, shades
from tui.plots.plot import Mark, Scene, canvas_size, draw
from tui.plots.raster import Layer, Stroke
from tui.plots.scale import Axis, linear_ticks, nice_step, value_axis
from tui.quantities import left, number_text, right, shape_text
from tui.rows.design import MUTED
from tui.rows.explanations import LOADING
from tui.series import Bucket

if TYPE_CHECKING:
    from engine import DataDescription, DataPreview, Experiment, PreviewSample, PreviewSpread

_LARGEST_SCALE = 4
_IMAGES_IN_ROW = 5
"""Images are drawn larger while this many still fit in a row."""
_STRIP_ROWS = 12
"""Rows of a strip of images at first; more if nothing else needs them."""
_LABEL_CELLS = 8
"""The least width of the label below an image."""
_STROKES: tuple[tuple[str, Stroke], ...] = (("first", "solid"), ("third", "dashed"), ("fourth", "dotted"))
_LINES = len(_STROKES)
"""At most so many series are drawn as lines; more are drawn as an image, light where a value is high."""
_WINDOWS = 4
_WINDOW_CELLS = 40
_WINDOW_ROWS, _MOST_WINDOW_ROWS = 9, 13


@dataclass(frozen=True, slots=True)
class Block:
    """A part of the picture, with the rows that it needs and the function that draws it in so many rows."""

    minimum: int
    preferred: int
    maximum: int
    lines: Callable[[int], list[Content]]


def samples(preview: DataPreview | None, experiment: Experiment | None, width: int, height: int, look: Look) -> Content:
    """The figures, then samples, then classes or features, as far as there is room."""
    if preview is None:
        return clipped(text_lines(LOADING, width, MUTED), width, height)
    if width <= 0 or height <= 0:
        return Content("")
    figures = facts(preview, experiment, width)
    blocks = [
        Block(1, 2, len(figures), lambda room: figures[:room]),
        *_blocks(preview, experiment, width, height, look),
    ]
    return clipped(_stacked(blocks, height), width, height)


def _stacked(blocks: Sequence[Block], height: int) -> list[Content]:
    """Blocks below each other. All get their minimum of rows in turn, then their preferred rows, then their maximum."""
    gap = 1 if height >= 14 else 0
    rows: list[int] = []
    free = height
    for block in blocks:
        needs = block.minimum + (gap if rows else 0)
        rows.append(block.minimum if needs <= free else 0)
        free -= needs if rows[-1] else 0
    for targets in ([block.preferred for block in blocks], [block.maximum for block in blocks]):
        for index, target in enumerate(targets):
            more = max(0, min(target - rows[index], free)) if rows[index] else 0
            rows[index] += more
            free -= more
    lines: list[Content] = []
    for block, room in zip(blocks, rows, strict=True):
        if room:
            lines += [Content("")] * (gap if lines else 0)
            lines += block.lines(room)[:room]
    return lines


def _blocks(preview: DataPreview, experiment: Experiment | None, width: int, height: int, look: Look) -> list[Block]:
    description = preview.description
    counts: list[Block] = []
    if preview.train_counts:
        note = balance(preview, experiment)
        rows = len(preview.train_counts) + 1 + len(text_lines(note, width))
        counts = [Block(2, rows, rows, lambda room: bars(preview, note, width, room, look))]
    match description.input_kind:
        case "image":
            return [
                _images([s.image for s in preview.samples], preview, width, look, "one of each class in turn"),
                *_augmented(preview, width, look),
                *counts,
            ]
        case "tokens":
            return [_texts(preview.samples, width), *counts]
        case "sequence":
            if description.input_shape[-1] > _LINES:
                maps = [_as_pixels(s, preview.inputs) for s in preview.samples]
                return [_images(maps, preview, width, look, "time to the right, features downwards"), *counts]
            return [_series(preview, width, look), *counts]
        case _:
            return [*counts, _features(preview, width)]


def _augmented(preview: DataPreview, width: int, look: Look) -> list[Block]:
    if not preview.augmented:
        return []
    return [_images(preview.augmented, preview, width, look, "the same samples, augmented")]


def facts(preview: DataPreview, experiment: Experiment | None, width: int) -> list[Content]:
    """The number of samples, their shape and type, and the range of their values."""
    d = preview.description
    batch = (experiment.data.batch_size,) if experiment is not None else ()
    counted = [f"{d.train_samples:,} train", f"{d.val_samples:,} validation"]
    counted += [f"{d.test_samples:,} test"] if d.test_samples else []
    what = "a batch" if batch else "a sample"
    shape = [f"{what} {shape_text((*batch, *d.input_shape))} {d.input_dtype}"]
    target = f"{len(d.classes)} classes" if d.classes else f"target {d.outputs} number{'s' * (d.outputs > 1)}"
    if d.task == "language modelling":
        target = f"the next {d.token} of {d.outputs:,}, at every step"
    shape.append(f"{target} ({preview.target_dtype})")
    numbers = spread_texts("values", preview.inputs) if preview.inputs is not None else []
    if preview.targets is not None and d.task != "forecasting":  # there, the targets are of the same series
        numbers += spread_texts("target", preview.targets)
    if preview.lengths is not None:
        what = "tokens" if d.input_kind == "tokens" else "steps"
        numbers.append(
            f"{preview.lengths.minimum:g} to {preview.lengths.maximum:g} {what}, mean {preview.lengths.mean:.3g}"
        )
    numbers += [f"vocabulary {d.vocabulary_size:,}"] if d.vocabulary_size else []
    numbers += [f"{share_text(preview.unknown)} unknown"] if preview.unknown is not None else []
    lines = [*join_parts([*counted, *shape], width), *join_parts(numbers, width)]
    return [line for text in lines for line in text_lines(text, width)]


def spread_texts(name: str, spread: PreviewSpread) -> list[str]:
    """Range, mean and standard deviation, in three digits."""
    return [f"{name} {_short(spread.minimum)} to {_short(spread.maximum)}", f"mean {_mean(spread)}"]


def _short(value: float) -> str:
    return number_text(float(f"{value:.3g}"))


def _mean(spread: PreviewSpread) -> str:
    """Mean and standard deviation, both rounded to the third digit of the deviation."""
    digits = 2 - math.floor(math.log10(spread.std)) if spread.std > 0 else 6
    return f"{number_text(round(spread.mean, digits) + 0.0)} ± {_short(spread.std)}"


def _title(shown: PreviewSample) -> str:
    return one_line_text(shown.label) if shown.label else ", ".join(number_text(value) for value in shown.target[:3])


def _images(images: Sequence[Pixels], preview: DataPreview, width: int, look: Look, caption: str) -> Block:
    """Images in strips with a label below each, drawn so large that a few fit in a row."""
    titles = [_title(shown) for shown in preview.samples]
    wide, tall = max(len(image[0]) for image in images), max(len(image) for image in images)

    def lines(room: int) -> list[Content]:
        factor = _factor(wide, tall, len(images), width, room - 1, look)
        columns = min(width, max(int(wide * factor), 1, min(_LABEL_CELLS, max(map(cell_len, titles)))))
        in_strip = max(1, (width + 1) // (columns + 1))
        strips = max(1, room // (-(-max(1, int(tall * factor)) // 2) + 1))
        out: list[Content] = []
        for begin in range(0, min(len(images), strips * in_strip), in_strip):
            strip = [_resized(image, factor) for image in images[begin : begin + in_strip]]
            cells = [half_blocks(i) if look.colour else shades(i, letters=look.ascii) for i in strip]
            out += [_in_row(row, columns) for row in zip(*cells, strict=True)]
            out.append(Content(" ".join(left(title, columns) for title in titles[begin : begin + in_strip])).rstrip())
        spare = room - len(out)
        return [*out, *text_lines(f"({caption})", width, MUTED, most=spare)] if spare > 0 else out

    first = _factor(wide, tall, len(images), width, _STRIP_ROWS, look, larger=not look.colour)
    strip = -(-max(1, int(tall * first)) // 2) + 1
    return Block(3, strip, max(-(-tall * _LARGEST_SCALE // 2) + 1, 2 * strip) + 1, lines)


def _factor(wide: int, tall: int, count: int, width: int, rows: int, look: Look, *, larger: bool = True) -> float:
    """The scale of images: a whole number if they fit, else a fraction of 1."""
    # Shades of small images are hard to read, because two rows of pixels share a row of cells.
    in_row, largest = (_IMAGES_IN_ROW, _LARGEST_SCALE) if look.colour else (3, 2)
    for scale in range(largest if larger else 1, 0, -1):
        needed = min(count, in_row) if scale > 1 else 1
        if -(-tall * scale // 2) <= rows and (wide * scale + 1) * needed - 1 <= width:
            return float(scale)
    return min(2 * rows / tall, width / wide)


def _resized(image: Pixels, factor: float) -> Pixels:
    return scaled(image, max(1, int(len(image[0]) * factor)), max(1, int(len(image) * factor)))


def _in_row(cells: Sequence[Content], columns: int) -> Content:
    """One row of cells of several images, each padded to `columns` cells."""
    padded = [Content.assemble(row, " " * (columns - row.cell_length)) for row in cells[:-1]]
    return Content(" ").join([*padded, *cells[-1:]])


def _as_pixels(shown: PreviewSample, inputs: PreviewSpread | None) -> Pixels:
    low, high = (inputs.minimum, inputs.maximum) if inputs is not None else (0.0, 1.0)
    return [[round((v - low) / max(high - low, 1e-12) * 255) for v in feature] for feature in shown.series]


def _texts(shown: Sequence[PreviewSample], width: int) -> Block:
    """Texts with their classes, up to three lines each."""
    indent = min(max((len(_title(s)) for s in shown), default=0) + 2, max(0, width // 3))

    def lines(room: int) -> list[Content]:
        out: list[Content] = []
        each = max(1, min(3, room // max(1, min(len(shown), 4))))
        for text in shown:
            body = text_lines(text.text, width - indent, most=min(each, room - len(out)))
            head = Content.styled(left(_title(text), indent - 1) + " " if indent > 1 else "", "bold")
            out += [Content.assemble(head if i == 0 else " " * head.cell_length, line) for i, line in enumerate(body)]
            if len(out) >= room:
                break
        return out

    return Block(2, 6, 3 * len(shown), lines)


def _series(preview: DataPreview, width: int, look: Look) -> Block:
    """A few windows as curves over time, with their targets, in rows."""
    in_row = max(1, min(_WINDOWS, (width + 2) // (_WINDOW_CELLS + 2), len(preview.samples)))
    each = (width - 2 * (in_row - 1)) // in_row
    strips = -(-min(_WINDOWS, len(preview.samples)) // in_row)

    def lines(room: int) -> list[Content]:
        caption = text_lines(_windows_caption(preview, look), width, MUTED, most=2)
        room -= len(caption)
        if room < LEAST_PLOT:
            return caption
        below = min(strips, max(1, room // _WINDOW_ROWS))
        shown = _spread_over(preview.samples, in_row * below)
        out: list[Content] = []
        for begin in range(0, len(shown), in_row):
            curves = [
                _curves(one, preview.description, each, room // below, look) for one in shown[begin : begin + in_row]
            ]
            out += [_in_row(row, each + 1) for row in zip(*curves, strict=True)]
        return [*out, *caption]

    return Block(LEAST_PLOT + 1, _WINDOW_ROWS + 2, strips * _MOST_WINDOW_ROWS + 2, lines)


def _spread_over(shown: Sequence[PreviewSample], count: int) -> list[PreviewSample]:
    """`count` samples, evenly spaced from the first to the last."""
    count = min(count, len(shown))
    return [shown[round(at * (len(shown) - 1) / max(1, count - 1))] for at in range(count)]


def _windows_caption(preview: DataPreview, look: Look) -> str:
    d = preview.description
    text = f"windows of {d.input_shape[0]:,} steps"
    if d.task == "forecasting":
        text += f", then {d.outputs:,} to forecast {'#' if look.ascii else '◆'}"
    named = ", ".join(
        f"{one_line_text(name)} {stroke}" for name, (_, stroke) in zip(d.features, _STROKES, strict=False)
    )
    return f"{text}; {named}" if len(d.features) > 1 else text


def _curves(shown: PreviewSample, description: DataDescription, width: int, height: int, look: Look) -> list[Content]:
    """One window and its targets, each target as a separate line after the window."""
    steps, forecast = description.input_shape[0], description.task == "forecasting"
    targets = max(1, len(description.targets))
    ahead = [shown.target[target::targets] for target in range(targets)] if forecast else []
    title = [
        Content.styled(f"window {shown.index:,}" if forecast else _title(shown), MUTED).truncate(width, ellipsis=True)
    ]
    y = value_axis([value for line in (*shown.series, *ahead) for value in line], height - 3)
    if y is None:
        return [*title, *[Content("")] * (height - 1)]
    columns, _ = canvas_size(width, height - 1, y)
    end = float(max(2, steps + (len(ahead[0]) if ahead else 0)))
    x = Axis(
        low=1.0, high=end, ticks=linear_ticks(1.0, end, max(1.0, nice_step(end / max(2, columns // 9)))), unit="step"
    )
    layers: list[Layer] = [
        Layer(buckets=_points(line, 1.0, (steps - 1) / max(1, len(line) - 1)), tone=tone, stroke=stroke)
        for line, (tone, stroke) in zip(shown.series, _STROKES, strict=False)
    ]
    layers += [Layer(buckets=_points(line, steps + 1.0, 1.0), tone="second", stroke="dotted") for line in ahead]
    marks = tuple(
        Mark(x=steps + 1.0, y=line[0], symbol="◆", tone="second", label="" if number else "target")
        for number, line in enumerate(ahead)
    )
    plot = plot_lines(draw(Scene(x=x, y=y, layers=tuple(layers), marks=marks), width, height - 1, look.marker))
    return [*title, *plot]


def _points(values: Sequence[float], first: float, interval: float) -> tuple[Bucket, ...]:
    return tuple(Bucket(first + i * interval, first + i * interval, v, v, v, 1) for i, v in enumerate(values))


def _features(preview: DataPreview, width: int) -> Block:
    """A row a feature: name or number, mean and standard deviation, range."""
    names = [one_line_text(name) for name in preview.description.features] or [
        str(n) for n in range(len(preview.features))
    ]
    rows = [("feature" if preview.description.features else "#", "mean ± std", "range")]
    for name, spread in zip(names, preview.features, strict=True):
        rows.append((name, _mean(spread), f"{_short(spread.minimum)} to {_short(spread.maximum)}"))
    widths = [max(cell_len(row[column]) for row in rows) for column in range(3)]
    widths[0] = min(widths[0], max(_LABEL_CELLS, width - sum(widths[1:]) - 4))

    def line(row: tuple[str, str, str]) -> str:
        return "  ".join(right(cell, size) for cell, size in zip(row, widths, strict=True))

    def lines(room: int) -> list[Content]:
        out = [Content.styled(line(rows[0]), MUTED), *(Content(line(row)) for row in rows[1:])]
        if len(out) <= room:
            return out
        more = len(out) - room + 1
        return [*out[: room - 1], *text_lines(f"and {more} more features", width, MUTED)]

    return Block(min(3, len(rows)), len(rows), len(rows), lines)
