"""The picture of a part of the experiment, in full size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.signal import Signal
from textual.widgets import Static

from tui.widgets.footer import Footer


class PictureScreen(ModalScreen[None]):
    """Shows a picture that is drawn for the size of the terminal.

    Args:
        draw: returns the picture for a width and a height in cells.
        changed: published when the picture may have changed.
    """

    CSS_PATH = "picture.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,p,q", "dismiss", "Close", key_display="esc", id="picture.close", tooltip="Close the picture"),
    ]

    def __init__(self, title: str, draw: Callable[[int, int], Content], changed: Signal[Any]) -> None:
        super().__init__()
        self._title, self._draw, self._changed = title, draw, changed

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="picture") as panel:
            panel.border_title = self._title
            yield Static()
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self._changed.subscribe(self, lambda _: self.draw())
        self.call_after_refresh(self.draw)

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    def draw(self) -> None:
        """Draw the picture for the current size."""
        room = self.query_one("#picture", VerticalScroll).content_size
        if room.width > 0 and room.height > 0:
            self.query_one(Static).update(self._draw(room.width, room.height))
