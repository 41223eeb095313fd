"""Images in cells of a terminal: two pixels in each cell, one above the other, or one shade for both."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from textual.color import Color
from textual.content import Content
from textual.style import Style

Pixel = int | tuple[int, int, int]
Pixels = Sequence[Sequence[Pixel]]
"""Rows of grey values from 0 to 255, or of red, green and blue."""

_SHADES = " ░▒▓█"
_LETTERS = " .:*#"


def scaled(pixels: Pixels, width: int, height: int) -> list[list[Pixel]]:
    """The image in `width` × `height` pixels: each is the mean of the pixels that it replaces, or a copy of one."""
    rows, columns = len(pixels), len(pixels[0])
    across = [_range(column, width, columns) for column in range(width)]
    return [
        [_mean([pixels[y][x] for y in range(*_range(row, height, rows)) for x in range(*of)]) for of in across]
        for row in range(height)
    ]


def _range(index: int, count: int, of: int) -> tuple[int, int]:
    """The range of `of` pixels that pixel `index` of `count` replaces."""
    begin = index * of // count
    return begin, max(begin + 1, (index + 1) * of // count)


def _mean(pixels: list[Pixel]) -> Pixel:
    if len(pixels) == 1:
        return pixels[0]
    colours = [pixel for pixel in pixels if isinstance(pixel, tuple)]
    if colours:
        r, g, b = (round(sum(channel) / len(colours)) for channel in zip(*colours, strict=True))
        return r, g, b
    return round(sum(pixel for pixel in pixels if isinstance(pixel, int)) / len(pixels))


def half_blocks(pixels: Pixels) -> list[Content]:
    """Two rows of pixels in a row of cells: the upper pixel colours ▀, the lower one its background."""
    lines = []
    for upper, lower in _pairs(pixels):
        runs = [
            ("▀" * len(list(run)), Style(foreground=_colour(above), background=_colour(below)))
            for (above, below), run in groupby(zip(upper, lower, strict=True))
        ]
        lines.append(Content.assemble(*runs))
    return lines


def shades(pixels: Pixels, *, letters: bool = False) -> list[Content]:
    """Two rows of pixels in a row of cells; a lighter pair of pixels gets a denser shade."""
    ramp = _LETTERS if letters else _SHADES
    return [
        Content("".join(_shade((_light(a) + _light(b)) / 2, ramp) for a, b in zip(upper, lower, strict=True)))
        for upper, lower in _pairs(pixels)
    ]


def _pairs(pixels: Pixels) -> list[tuple[Sequence[Pixel], Sequence[Pixel]]]:
    rows = list(pixels)
    if len(rows) % 2:
        rows.append(rows[-1])  # the lower half of the last row repeats the upper half
    return list(zip(rows[::2], rows[1::2], strict=True))


def _shade(light: float, ramp: str) -> str:
    return ramp[min(len(ramp) - 1, int(light / 256 * len(ramp)))]


def _light(pixel: Pixel) -> float:
    """The lightness of a colour (Rec. 601), 0 to 255."""
    return 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2] if isinstance(pixel, tuple) else pixel


def _colour(pixel: Pixel) -> Color:
    return Color(*pixel) if isinstance(pixel, tuple) else Color(pixel, pixel, pixel)
