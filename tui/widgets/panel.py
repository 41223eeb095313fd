"""Widgets that are drawn row by row, and write to the terminal only what has changed.

Textual rewrites a dirty region whole, so these compare their new rows with the old ones and name only the cells that
differ: over SSH that is the difference between 33 kB and 3 kB a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.plots.plot import Row, runs
from tui.plots.raster import Run
from tui.run_view import RunView

TONES = (
    "border",
    "focus",
    "title",
    "text",
    "quiet",
    "axis",
    "train",
    "raw",
    "validation",
    "plan",
    "hand",
    "best",
    "good",
    "warning",
    "bad",
    "bar",
    "rest",
)


class RowWidget(Widget):
    """A widget whose content is rows of toned text. A tone is coloured by the component class `tone--NAME`."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"tone--{tone}" for tone in TONES}
    HELP: ClassVar[str] = ""
    """What it shows and how to read it, for the help screen."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.view = RunView(state="none")
        self._rows: list[Row] = []
        self._rows_size = (0, 0)
        self._styles_of: dict[str, Style] = {}

    def rows(self, width: int, height: int) -> Sequence[Row]:
        """The content for this size; rows that are missing are blank, what is too long is cut."""
        raise NotImplementedError

    def depends_on(self, view: RunView) -> object:
        """What of a run this shows: while that stays equal there is nothing to draw. All of it, by default."""
        return id(view)

    def show(self, view: RunView) -> None:
        """Draw a run, as far as it looks different from before."""
        before, self.view = self.view, view
        if self.depends_on(view) != self.depends_on(before):
            self.redraw()

    def redraw(self) -> None:
        """Draw again, and let the terminal have the cells that changed."""
        width, height = self.size
        if not width or not height or not self.display:
            return
        if self._rows_size != (width, height):
            self._rows = []  # drawn when they are painted: the widget may change its size before
            self.refresh()
            return
        old, self._rows = self._rows, self._drawn(width, height)
        changed = [Region(x, y, length, 1) for x, y, length in _changes(old, self._rows)]
        if changed:
            self.refresh(*changed)

    def _drawn(self, width: int, height: int) -> list[Row]:
        """The rows that fill this size."""
        rows = [fitted(row, width) for row in self.rows(width, height)[:height]]
        self._rows_size = (width, height)
        return rows + [((" " * width, "text"),)] * (height - len(rows))

    def notify_style_update(self) -> None:
        self._styles_of.clear()
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        # The first painting after a change of size is already the right one: nothing is ever seen half drawn.
        if self._rows_size != self.size or not self._rows:
            self._rows = self._drawn(*self.size)
        if y >= len(self._rows):
            return Strip.blank(self.size.width, self.rich_style)
        return Strip([Segment(text, self._style(tone)) for text, tone in self._rows[y]], self.size.width)

    def _style(self, tone: str) -> Style:
        style = self._styles_of.get(tone)
        if style is None:
            style = self._styles_of[tone] = self.get_component_rich_style(f"tone--{tone}")
        return style


class Panel(RowWidget):
    """A framed part of the screen that says in its frame what it shows and how it stands."""

    can_focus = True
    square = False
    """Whether its corners are square: not every font has round ones."""

    def title(self) -> Row:
        """What stands in the upper edge."""
        raise NotImplementedError

    def footnote(self) -> Row:
        """What stands in the lower edge; nothing by default."""
        return ()

    def body(self, width: int, height: int) -> Sequence[Row]:
        """What stands inside the frame."""
        raise NotImplementedError

    def on_focus(self) -> None:
        self.redraw()

    def on_blur(self) -> None:
        self.redraw()

    def rows(self, width: int, height: int) -> Sequence[Row]:
        edge = "focus" if self.has_focus else "border"
        if width < 8 or height < 3:
            return [fitted(self.title(), width)]
        inside = [fitted(row, width - 2) for row in self.body(width - 2, height - 2)[: height - 2]]
        inside += [((" " * (width - 2), "text"),)] * (height - 2 - len(inside))
        side = ("│", edge)
        corners = "┌┐└┘" if self.square else "╭╮╰╯"
        return [
            _edge(corners[0], self.title(), corners[1], width, edge),
            *((side, *row, side) for row in inside),
            _edge(corners[2], self.footnote(), corners[3], width, edge, at_end=True),
        ]


def width_of(row: Iterable[Run]) -> int:
    """Cells that a row takes."""
    return sum(cell_len(text) for text, _ in row)


def fitted(row: Iterable[Run], width: int) -> Row:
    """The row in exactly `width` cells: filled up with blanks, or cut with an ellipsis."""
    row = tuple(row)
    total = width_of(row)
    if total == width:
        return row
    if total < width:
        return (*row, (" " * (width - total), "text"))
    kept: list[Run] = []
    room = width - 1
    for text, tone in row:
        length = cell_len(text)
        if length >= room:
            kept.append((set_cell_size(text, room) + "…", tone))
            break
        kept.append((text, tone))
        room -= length
    return tuple(kept)


def first_that_fits(choices: Iterable[Row], width: int) -> Row:
    """The first of these rows, the fullest first, that has the room; the last one otherwise."""
    row: Row = ()
    for row in choices:
        if width_of(row) <= width:
            return row
    return row


def _edge(begin: str, words: Row, end: str, width: int, tone: str, at_end: bool = False) -> Row:
    """An edge of a frame with words in it."""
    if not words:
        return ((begin + "─" * (width - 2) + end, tone),)
    words = ((" ", tone), *words, (" ", tone))
    room = width - 4
    if width_of(words) > room:
        words = fitted(words, room)
    rest = "─" * (width - 3 - width_of(words))
    if at_end:
        return runs([(begin + rest, tone), *words, ("─" + end, tone)])
    return runs([(begin + "─", tone), *words, (rest + end, tone)])


def _changes(old: list[Row], new: list[Row]) -> Iterable[tuple[int, int, int]]:
    """x, y and width of what differs between two pictures of one size."""
    for y, (before, after) in enumerate(zip(old, new, strict=True)):
        if before == after:
            continue
        first = _same(before, after)
        last = _same(_mirrored(before), _mirrored(after))
        width = width_of(after)
        if first < width - last:
            yield first, y, width - last - first
        else:
            yield 0, y, width


def _same(left: Row, right: Row) -> int:
    """How many cells two rows have in common at their beginning."""
    cells = 0
    for (one, tone), (other, other_tone) in zip(left, right, strict=False):
        if one == other and tone == other_tone:
            cells += cell_len(one)
            continue
        if tone == other_tone:
            for a, b in zip(one, other, strict=False):
                if a != b:
                    break
                cells += cell_len(a)
        break
    return cells


def _mirrored(row: Row) -> Row:
    return tuple((text[::-1], tone) for text, tone in reversed(row))
