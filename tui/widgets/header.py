"""The top line of a screen: the deck's name, the experiment, the tabs, and the device of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.keys import format_key
from textual.reactive import reactive
from textual.signal import Signal
from textual.widget import Widget

TABS = (("1", "Design", "deck.design"), ("2", "Train", "deck.train"), ("3", "Runs", "deck.runs"))
"""The key, the name and the action of each screen."""
_APP = "torchdeck"
_HERE = "bold underline $text-primary"


class Tabs:
    """What the tabs show besides their names.

    Args:
        chosen_keys: the person's own keys, by the ids of bindings.
        mark: returns the state of the run of this process as one character; empty if there is none.
        changed: published when the mark may have changed.
    """

    def __init__(
        self,
        chosen_keys: Mapping[str, str] | None = None,
        mark: Callable[[], str] = lambda: "",
        changed: Signal[None] | None = None,
    ) -> None:
        self.chosen_keys, self.mark, self.changed = chosen_keys or {}, mark, changed

    def key(self, id_: str, key: str) -> str:
        """Return the key that opens a tab: the person's own, or else `key`."""
        return self.chosen_keys.get(id_, key).partition(",")[0]


class DeckHeader(Widget):
    """One line at the top of every screen. The current tab is underlined; a click on a tab presses its key.

    In a narrow terminal the right side is shortened first, then the left side; the tabs are always complete.
    """

    DEFAULT_CSS = """
    DeckHeader { height: 1; width: 1fr; background: $panel; color: $foreground; }
    DeckHeader:ansi { background: transparent; }
    """

    subtitle: reactive[str] = reactive("")
    """The experiment's name."""
    right: reactive[str] = reactive("")
    """What the run uses, most important first, separated by " · ": "cpu · float32 · 2 threads"."""

    def __init__(
        self, current: str, subtitle: str = "", right: str = "", *, tabs: Tabs | None = None, id: str | None = None
    ) -> None:
        """`current` is the name or the key of the tab that is shown, such as "Train" or "2"; "" for none."""
        super().__init__(id=id)
        self._state = tabs or Tabs()
        self.current = current
        self.set_reactive(DeckHeader.subtitle, subtitle)
        self.set_reactive(DeckHeader.right, right)
        self._tabs_at = 0

    def render(self) -> Content:
        width, tabs_width = self.size.width, self._tabs_width
        left, right = next(
            ((left, right) for left, right in self._choices() if self._fits(left, right)),
            ("", ""),
        )
        # The tabs are in the middle if there is room, and move to the right of a long name if there is not.
        after_left, before_right = cell_len(left) + 3, width - cell_len(right) - tabs_width - 3
        self._tabs_at = max(after_left, min((width - tabs_width) // 2, before_right))
        name: Content | str = left
        if left.startswith(f"{_APP} ─"):
            name = Content.assemble((_APP, "bold $text-primary"), left.removeprefix(_APP))
        before = " " * (self._tabs_at - cell_len(left) - 1)
        after = " " * max(0, width - self._tabs_at - tabs_width - cell_len(right) - 1)
        tabs = [
            part
            for key, text in self._tabs
            for part in ((f"{key} {text}", _HERE if self.current in (key, text) else "$foreground 70%"), "  ")
        ]
        return Content.assemble(" ", name, before, *tabs[:-1], after, (right, "$foreground 85%"))

    def _choices(self) -> Iterator[tuple[str, str]]:
        """Left and right texts, the longest first."""
        parts = self.right.split(" · ") if self.right else []
        rights = [" · ".join(parts[:count]) for count in range(len(parts), 0, -1)] + [""]
        full = f"{_APP} ─ {self.subtitle}" if self.subtitle else _APP
        yield from ((full, right) for right in rights[: max(1, len(parts))])
        yield from ((self.subtitle or _APP, right) for right in rights)
        for length in range(len(self.subtitle) - 1, 3, -1):
            yield self.subtitle[:length] + "…", ""

    def on_mount(self) -> None:
        if self._state.changed is not None:
            self._state.changed.subscribe(self, lambda _: self.refresh())

    @property
    def _tabs(self) -> list[tuple[str, str]]:
        """The key and the name of each tab, the train tab with the state of the run of this process."""
        mark = self._state.mark()
        marked = {"Train": f"Train {mark}"} if mark and self.current not in ("2", "Train") else {}
        return [(format_key(self._state.key(id_, key)), marked.get(text, text)) for key, text, id_ in TABS]

    @property
    def _tabs_width(self) -> int:
        return sum(cell_len(key) + 1 + cell_len(text) + 2 for key, text in self._tabs) - 2

    def _fits(self, left: str, right: str) -> bool:
        needed = 1 + cell_len(left) + 2 + self._tabs_width + (2 + cell_len(right) + 1 if right else 0)
        return needed <= self.size.width

    def on_click(self, event: events.Click) -> None:
        at = self._tabs_at
        for (shown, text), (key, _, id_) in zip(self._tabs, TABS, strict=True):
            if at <= event.x < at + cell_len(shown) + 1 + cell_len(text):
                self.app.simulate_key(self._state.key(id_, key))
            at += cell_len(shown) + 1 + cell_len(text) + 2
