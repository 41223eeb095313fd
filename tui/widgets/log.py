"""The log of the run."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import MouseScrollDown, MouseScrollUp

from tui.plots.plot import Row
from tui.run_view import LogLine, RunView
from tui.widgets.panel import Panel

WHEEL = 3
"""Rows that one step of the mouse wheel scrolls."""

_TONES = {"info": "text", "warning": "warning", "error": "bad"}
_SIGNS = {"info": "", "warning": "! ", "error": "✗ "}


class LogPanel(Panel):
    """The newest messages of the run, the last one at the bottom."""

    HELP = (
        "The messages of the run, with the time of day: the data and its naive baseline, checkpoints, results of "
        "commands, warnings (!) and errors (✗). The file events.jsonl in the run's folder has all of them."
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_log(1)", "Up", show=False, id="log.up", tooltip="One line up in the log"),
        Binding("down,j", "scroll_log(-1)", "Down", show=False, id="log.down", tooltip="One line down in the log"),
        Binding("home", "scroll_log(100000)", "First", show=False, id="log.first", tooltip="The first line of the log"),
        Binding("end", "scroll_log(-100000)", "Last", show=False, id="log.last", tooltip="The last line of the log"),
    ]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._below = 0
        """Rows below the last visible one."""
        self._counted = 0
        """Rows of the log when it was last drawn while scrolled up; 0 if it was at its end."""
        self._width = 0

    def action_scroll_log(self, by: int) -> None:
        self.scroll_rows(by)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        event.stop()
        self.scroll_rows(WHEEL)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        event.stop()
        self.scroll_rows(-WHEEL)

    def scroll_rows(self, by: int) -> None:
        """Scroll up by so many rows, or down if `by` is negative."""
        self._below = max(0, self._below + by)
        self.redraw()

    def scroll_pages(self, by: int) -> None:
        """Scroll up by so many pages; a page is one row less than the panel."""
        self.scroll_rows(by * max(1, self.size.height - 3))

    def footnote(self) -> Row:
        return ((f"{self._below} more below", "quiet"),) if self._below else ()

    def depends_on(self, view: RunView) -> object:
        return view.log, view.state

    def title(self) -> Row:
        return (("log", "title"),)

    def body(self, width: int, height: int) -> Sequence[Row]:
        view = self.view
        # The last message of a run is shown above the panels.
        lines = [line for line in view.log if view.state != "finished" or line.text != view.message]
        if not self._below:
            self._counted = 0
            rows: list[Row] = []
            for line in reversed(lines):
                rows[:0] = _wrapped(line, width)
                if len(rows) >= height:
                    break
            return rows[-height:]
        rows = [row for line in lines for row in _wrapped(line, width)]
        if self._counted and len(rows) > self._counted and width == self._width:
            self._below += len(rows) - self._counted  # the visible lines stay in place
        self._counted, self._width = len(rows), width
        self._below = min(self._below, max(0, len(rows) - height))
        end = len(rows) - self._below
        return rows[max(0, end - height) : end]


def _wrapped(line: LogLine, width: int) -> list[Row]:
    clock = time.strftime("%H:%M:%S", time.localtime(line.time))
    if width < 30:
        clock = ""
    indent = len(clock) + 2 if clock else 0
    words = _SIGNS[line.level] + " ".join(line.text.split())
    parts = textwrap.wrap(words, max(8, width - indent)) or [""]
    first: Row = (
        ((clock + "  ", "quiet"), (parts[0], _TONES[line.level])) if clock else ((parts[0], _TONES[line.level]),)
    )
    return [first, *(((" " * indent, "text"), (part, _TONES[line.level])) for part in parts[1:])]
