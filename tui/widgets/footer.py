"""The available keys, in one line at the bottom of the screen.

Textual's own footer has a widget for each key, and creates all of them again when the focus moves, which costs more
than handling the key. This footer is a line of text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from rich.cells import cell_len
from textual.content import Content
from textual.events import Click
from textual.screen import Screen
from textual.widget import Widget

KEY = "bold $footer-key-foreground"
DESCRIPTION = "$footer-description-foreground"


@dataclass(frozen=True, slots=True)
class FooterKey:
    """A key, what it does, and whether it is available."""

    key: str
    display: str
    description: str
    action: str
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Placed:
    """A key and its position in the line."""

    key: FooterKey
    start: int
    end: int


def footer_line(
    keys: Sequence[FooterKey], width: int, palette: FooterKey | None = None
) -> tuple[Content, list[Placed]]:
    """Return the line, and the position of each key in it.

    If the keys do not fit, spaces are left out first, then the palette, then keys before the last two: Quit and Help.
    """
    right = f"▏{palette.display} {palette.description} " if palette is not None else ""
    for gap, tail in ((1, right), (0, right), (0, "")):
        if sum(_width(key, gap) for key in keys) + cell_len(tail) <= width:
            break
    kept = list(keys)
    while len(kept) > 2 and sum(_width(key, gap) for key in kept) > width:
        del kept[-3]
    parts: list[Content | tuple[str, str] | str] = []
    placed, at = [], 0
    for key in kept:
        dim = "" if key.enabled else "dim "
        parts += [" " * gap, (key.display, dim + KEY), " ", (key.description, dim + DESCRIPTION), " "]
        placed.append(Placed(key, at, at + _width(key, gap)))
        at += _width(key, gap)
    if tail and palette is not None:
        parts += [
            " " * (width - at - cell_len(tail)),
            "▏",
            (palette.display, KEY),
            (f" {palette.description}", DESCRIPTION),
        ]
        placed.append(Placed(palette, width - cell_len(tail), width))
    return Content.assemble(*parts), placed


def _width(key: FooterKey, gap: int) -> int:
    return gap + cell_len(key.display) + 1 + cell_len(key.description) + 1


class KeyLine(Widget):
    """The keys of a question; each can be clicked.

    Args:
        keys: for each key, its name in Textual, its displayed name, and what it does.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = "KeyLine { height: 1; }"

    def __init__(self, *keys: tuple[str, str, str]) -> None:
        super().__init__()
        self._keys = [FooterKey(key, display, words, action="") for key, display, words in keys]
        self.placed: list[Placed] = []

    def render(self) -> Content:
        line, self.placed = footer_line(self._keys, max(self.size.width, 1))
        return line

    def on_click(self, event: Click) -> None:
        press_clicked_key(self, event, self.placed)


def press_clicked_key(widget: Widget, event: Click, placed: Sequence[Placed]) -> None:
    """Press the key under the pointer."""
    for key in placed:
        if key.start <= event.x < key.end and key.key.enabled:
            widget.app.simulate_key(key.key.key)


@runtime_checkable
class HasFooterActions(Protocol):
    """A screen whose footer shows the keys of some actions only at times."""

    @property
    def footer_actions(self) -> frozenset[str]:
        """The actions whose keys are shown now, although their bindings are hidden."""


class Footer(Widget):
    """The bottom line of a screen.

    Args:
        show_command_palette: show the key of the palette at the right.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = "Footer { dock: bottom; height: 1; background: $footer-background; color: $footer-foreground; }"

    def __init__(self, *, show_command_palette: bool = True) -> None:
        super().__init__()
        self._palette = show_command_palette
        self._shown: tuple[tuple[FooterKey, ...], FooterKey | None] = ((), None)
        self.placed: list[Placed] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._changed)
        self._changed(self.screen)

    def _changed(self, screen: Screen[object]) -> None:
        if self.is_attached and screen is self.screen:
            shown = self._keys(), self._palette_key()
            if shown != self._shown:
                self._shown = shown
                self.refresh()

    def _keys(self) -> tuple[FooterKey, ...]:
        """Return the keys to show, one for each action."""
        found: dict[str, FooterKey] = {}
        also = self.screen.footer_actions if isinstance(self.screen, HasFooterActions) else frozenset()
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if binding.show or binding.action in also:
                display = self.app.get_key_display(binding)
                key = FooterKey(binding.key, display, binding.description, binding.action, active.enabled)
                found.setdefault(binding.action, key)
        return tuple(found.values())

    def _palette_key(self) -> FooterKey | None:
        if not (self._palette and self.app.ENABLE_COMMAND_PALETTE):
            return None
        active = self.screen.active_bindings.get(self.app.COMMAND_PALETTE_BINDING)
        if active is None:
            return None
        binding = active.binding
        return FooterKey(binding.key, self.app.get_key_display(binding), binding.description, binding.action)

    def render(self) -> Content:
        line, self.placed = footer_line(self._shown[0], self.size.width, self._shown[1])
        return line

    def on_click(self, event: Click) -> None:
        press_clicked_key(self, event, self.placed)
