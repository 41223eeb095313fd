"""What the run has said."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Sequence

from tui.feed import LogLine, RunView
from tui.widgets.panel import Panel
from tui.widgets.plot import Row

_TONES = {"info": "text", "warning": "warning", "error": "bad"}
_SIGNS = {"info": "", "warning": "! ", "error": "✗ "}


class LogPanel(Panel):
    """The newest sentences of the run, the last one at the bottom."""

    HELP = (
        "What the run has said, with the time of day: the data and its naive baseline, checkpoints, answers to what "
        "you asked, warnings (!) and errors (✗). All of it stands in events.jsonl in the run's directory."
    )

    def depends_on(self, view: RunView) -> object:
        return view.log, view.state

    def title(self) -> Row:
        return (("log", "title"),)

    def body(self, width: int, height: int) -> Sequence[Row]:
        view, rows = self.view, list[Row]()
        for line in reversed(view.log):
            if view.state == "finished" and line.text == view.message:
                continue  # it stands above the panels
            rows[:0] = _wrapped(line, width)
            if len(rows) >= height:
                break
        return rows[-height:]


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
