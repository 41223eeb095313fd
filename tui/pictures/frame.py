"""What all pictures are put together with: how they may be drawn, lines of words, plots, and the size that is kept."""

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
"""Rows of a plot with its axes, below which nothing can be read from it."""

_TONES: Mapping[str, str] = {
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
    """What curves are drawn with."""
    colour: bool = True
    """Whether there are colours enough for pictures of pixels; shades stand for them otherwise."""

    @property
    def ascii(self) -> bool:
        return self.marker == "ascii"


def look(theme: str, environ: Mapping[str, str]) -> Look:
    """What can be shown under a theme: the terminal's own sixteen colours are none for pixels."""
    return Look(
        marker=terminal_kind(environ).marker, colour=theme in (DARK.name, LIGHT.name) and "NO_COLOR" not in environ
    )


def one_line(text: str) -> str:
    """A name or a text from the data on one line, its control characters shown and not sent."""
    return plain(" ".join(text.split(" "))).replace("\n", "␊").replace("\t", "␉")


def words(text: str, width: int, style: str = "", *, most: int | None = None) -> list[Content]:
    """A text in lines of `width` cells, at most so many of them; an ellipsis ends what had to be cut."""
    lines = wrapped(one_line(text), max(1, width))
    if most is not None and len(lines) > most:
        lines = lines[:most]
        if lines:
            lines[-1] += " …"
    return [Content.styled(line, style).truncate(width, ellipsis=True) for line in lines]


def drawn(rows: Iterable[Row]) -> list[Content]:
    """The rows of a plot, in their colours."""
    return [
        Content.assemble(*((text, _TONES.get(tone, "")) if tone in _TONES else text for text, tone in row))
        for row in rows
    ]


def toned(text: str, tone: str) -> Content:
    """Some text in one of the plot's colours."""
    return Content.styled(text, _TONES.get(tone, ""))


def framed(lines: Sequence[Content], width: int, height: int) -> Content:
    """Lines as one picture that is no wider and no higher than that."""
    if width <= 0 or height <= 0:
        return Content("")
    return Content("\n").join(
        line if line.cell_length <= width else line.truncate(width, ellipsis=True) for line in lines[:height]
    )


def around(
    head: Sequence[Content],
    plot: Callable[[int], Sequence[Content]],
    foot: Sequence[Content],
    width: int,
    height: int,
    *,
    highest: int = 20,
) -> Content:
    """Words above and below something that is drawn to the height that they leave: where room is short, the words
    below give way first, from their end, and what cannot be drawn any more leaves its room to words."""
    above, below = list(head), list(foot)
    while below and height - len(above) - len(below) < LEAST_PLOT + 1:
        below.pop()
    while len(above) > 1 and height - len(above) - len(below) < LEAST_PLOT:
        above.pop()
    room = min(highest, height - len(above) - len(below))
    if room < LEAST_PLOT:
        return framed([*head, *foot], width, height)
    return framed([*above, *plot(room), *below], width, height)


def joined(parts: Sequence[str], width: int) -> list[str]:
    """Parts with dots between them, as many in a line as it holds; none is broken."""
    lines: list[str] = []
    for part in parts:
        if lines and cell_len(lines[-1]) + 3 + cell_len(part) <= width:
            lines[-1] += f" · {part}"
        else:
            lines.append(part)
    return lines
