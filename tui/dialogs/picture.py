"""The picture of a part of the experiment, as large as the terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.widgets.footer import Footer


class PictureScreen(ModalScreen[None]):
    """Shows what `draw` makes of the width and the height that there is."""

    CSS_PATH = "picture.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,p,q", "dismiss", "Close", key_display="esc", id="picture.close", tooltip="Close the picture"),
    ]

    def __init__(self, title: str, draw: Callable[[int, int], Content]) -> None:
        super().__init__()
        self._title, self._draw = title, draw

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="picture") as panel:
            panel.border_title = self._title
            yield Static()
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.call_after_refresh(self.draw)

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    def draw(self) -> None:
        """Draw it, for the size that there is and with what is known by now."""
        room = self.query_one("#picture", VerticalScroll).content_size
        if room.width > 0 and room.height > 0:
            self.query_one(Static).update(self._draw(room.width, room.height))
