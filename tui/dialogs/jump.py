"""Go to any panel: each shows a letter over its title, and pressing the letter goes there."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Key
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Static

from tui.dialogs.help import panel_title
from tui.widgets.footer import Footer


def jump_places(screen: Screen[object]) -> list[Widget]:
    """Return the visible widgets that can have the focus, from the upper left to the lower right."""
    places = [widget for widget in screen.focus_chain if widget.region.overlaps(screen.region)]
    return sorted(places, key=lambda place: (frame(place).region.y, frame(place).region.x))


def frame(place: Widget) -> Widget:
    """Return the widget with the title of a panel: the panel or a widget around it."""
    within = [part for part in place.ancestors_with_self if isinstance(part, Widget) and part is not place.screen]
    return next((part for part in within if panel_title(part)), place)


class JumpScreen(ModalScreen[Widget | None]):
    """Shows a letter on each panel of the screen below. Its result is the chosen panel, or None.

    Args:
        places: the panels, at most one for each letter.
    """

    CSS_PATH = "jump.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,grave_accent,ctrl+g",
            "dismiss(None)",
            "Stay here",
            key_display="esc",
            id="jump.stay",
            tooltip="Close the letters; the focus does not move",
        ),
    ]

    def __init__(self, places: Sequence[Widget]) -> None:
        super().__init__()
        self._places = dict(zip(ascii_lowercase, places, strict=False))

    def compose(self) -> ComposeResult:
        for letter in self._places:
            yield Static(f" {letter} ", classes="letter", id=f"jump-{letter}", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self._place()

    def on_resize(self) -> None:
        self.call_after_refresh(self._place)

    def _place(self) -> None:
        """Put each letter over the start of its panel's title."""
        for letter, place in self._places.items():
            shown = self.query_one(f"#jump-{letter}")
            region = frame(place).region
            shown.display = bool(region)
            shown.absolute_offset = region.offset

    def on_key(self, event: Key) -> None:
        if event.character and event.character.lower() in self._places:
            event.stop()
            self.dismiss(self._places[event.character.lower()])
