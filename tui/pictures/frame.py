"""The parts of all pictures: what the terminal can show, lines of text, plots, and clipping to a size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual.content import Content

from tui.plots.plot import Row
from tui.plots.raster import Marker
from tui.preferences.themes import DARK, LIGHT
from tui.rows.design import MUTED
from tui.tables.text import plain, wrapped
from tui.terminal.kind import terminal_kind

LEAST_PLOT = 4
"""The fewest rows in which a plot with its axes can be read."""

_STYLES: Mapping[str, str] = {
    "axis": MUTED,
    "quiet": MUTED,
    "title": "bold",
    "first": "$primary",
    "second": "$accent",
    "third": "$success",
    "fourth": "$warning",
    "mark": "bold",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the terminal can show."""

    marker: Marker = "braille"
    """The characters that curves are drawn with."""
    colour: bool = True
    """Whether there are enough colours for pixels; otherwise shades are drawn."""

    @property
    def ascii(self) -> bool:
        return self.marker == "ascii"


def look(theme: str, environ: Mapping[str, str]) -> Look:
    """What can be shown under a theme: 16 colours are too few for pixels."""
    return Look(
        marker=terminal_kind(environ).marker, colour=theme in (DARK.name, LIGHT.name) and "NO_COLOR" not in environ
    )


def one_line_text(text: str) -> str:
    """A text from the data on one line, with visible symbols for its control characters."""
    return plain(" ".join(text.split(" "))).replace("\n", "␊").replace("\t", "␉")


def text_lines(text: str, width: int, style: str = "", *, most: int | None = None) -> list[Content]:
    """A text in at most `most` lines of `width` cells; an ellipsis ends a text that is cut."""
    lines = wrapped(one_line_text(text), max(1, width))
    if most is not None and len(lines) > most:
        lines = lines[:most]
        if lines:
            lines[-1] += " …"
    return [Content.styled(line, style).truncate(width, ellipsis=True) for line in lines]


def plot_lines(rows: Iterable[Row]) -> list[Content]:
    """The rows of a plot, in the colours of their tones."""
    return [
        Content.assemble(*((text, _STYLES.get(tone, "")) if tone in _STYLES else text for text, tone in row))
        for row in rows
    ]


def styled(text: str, tone: str) -> Content:
    """A text in the colour of a tone."""
    return Content.styled(text, _STYLES.get(tone, ""))


def clipped(lines: Sequence[Content], width: int, height: int) -> Content:
    """Lines as one picture, cut to `width` cells and `height` rows."""
    if width <= 0 or height <= 0:
        return Content("")
    return Content("\n").join(
        line if line.cell_length <= width else line.truncate(width, ellipsis=True) for line in lines[:height]
    )


def plot_between(
    head: Sequence[Content],
    plot: Callable[[int], Sequence[Content]],
    foot: Sequence[Content],
    width: int,
    height: int,
    *,
    highest: int = 20,
) -> Content:
    """A plot between lines of text.

    Without enough rows, lines of the foot are dropped from its end, then lines of the head. If the plot still has too
    little room, only the text is shown.
    """
    above, below = list(head), list(foot)
    while below and height - len(above) - len(below) < LEAST_PLOT + 1:
        below.pop()
    while len(above) > 1 and height - len(above) - len(below) < LEAST_PLOT:
        above.pop()
    room = min(highest, height - len(above) - len(below))
    if room < LEAST_PLOT:
        return clipped([*head, *foot], width, height)
    return clipped([*above, *plot(room), *below], width, height)


def join_parts(parts: Sequence[str], width: int) -> list[str]:
    """Join parts by dots, as many in a line as fit; no part is broken."""
    lines: list[str] = []
    for part in parts:
        if lines and cell_len(lines[-1]) + 3 + cell_len(part) <= width:
            lines[-1] += f" · {part}"
        else:
            lines.append(part)
    return lines
