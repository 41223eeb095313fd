"""The deck's top line: its name, what is on the screen, the tabs, and what a run is trained on."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

TABS = (("1", "Design"), ("2", "Train"), ("3", "Runs"))
_TABS_WIDTH = sum(len(key) + 1 + len(name) + 2 for key, name in TABS) - 2
_APP = "torchdeck"
_HERE = "bold underline $text-primary"


class DeckHeader(Widget):
    """One line at the top of every screen. The tab that is shown is underlined; a click on a tab presses its key.

    When the terminal is narrow the right side is shortened first, then the app's name; the tabs are always whole.
    """

    DEFAULT_CSS = """
    DeckHeader { height: 1; width: 1fr; background: $panel; color: $foreground; }
    DeckHeader:ansi { background: transparent; }
    """

    subtitle: reactive[str] = reactive("")
    """What is on the screen: the experiment's name."""
    right: reactive[str] = reactive("")
    """What it runs on, most important first, parted by " · ": "cpu · float32 · 2 threads"."""

    def __init__(self, current: str, subtitle: str = "", right: str = "", *, id: str | None = None) -> None:
        """`current` is the name or the key of the tab that is shown, such as "Train" or "2"; "" for none of them."""
        super().__init__(id=id)
        self.current = current
        self.set_reactive(DeckHeader.subtitle, subtitle)
        self.set_reactive(DeckHeader.right, right)
        self._tabs_at = 0

    def render(self) -> Content:
        width = self.size.width
        left, right = next(
            ((left, right) for left, right in self._choices() if _fits(left, right, width)),
            ("", ""),
        )
        # The tabs stand in the middle third where there is room, and give way to a long name where there is not.
        after_left, before_right = cell_len(left) + 3, width - cell_len(right) - _TABS_WIDTH - 3
        self._tabs_at = max(after_left, min((width - _TABS_WIDTH) // 2, before_right))
        name: Content | str = left
        if left.startswith(f"{_APP} ─"):
            name = Content.assemble((_APP, "bold $text-primary"), left.removeprefix(_APP))
        before = " " * (self._tabs_at - cell_len(left) - 1)
        after = " " * max(0, width - self._tabs_at - _TABS_WIDTH - cell_len(right) - 1)
        tabs = [
            part
            for key, text in TABS
            for part in ((f"{key} {text}", _HERE if self.current in (key, text) else "$foreground 70%"), "  ")
        ]
        return Content.assemble(" ", name, before, *tabs[:-1], after, (right, "$foreground 85%"))

    def _choices(self) -> Iterator[tuple[str, str]]:
        """Left and right texts, the fullest first."""
        parts = self.right.split(" · ") if self.right else []
        rights = [" · ".join(parts[:count]) for count in range(len(parts), 0, -1)] + [""]
        full = f"{_APP} ─ {self.subtitle}" if self.subtitle else _APP
        yield from ((full, right) for right in rights[: max(1, len(parts))])
        yield from ((self.subtitle or _APP, right) for right in rights)
        for length in range(len(self.subtitle) - 1, 3, -1):
            yield self.subtitle[:length] + "…", ""

    def on_click(self, event: events.Click) -> None:
        at = self._tabs_at
        for key, text in TABS:
            if at <= event.x < at + len(key) + 1 + len(text):
                self.app.simulate_key(key)
            at += len(key) + 1 + len(text) + 2


def _fits(left: str, right: str, width: int) -> bool:
    return 1 + cell_len(left) + 2 + _TABS_WIDTH + (2 + cell_len(right) + 1 if right else 0) <= width
