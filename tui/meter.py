"""How much the deck writes to its terminal, and no more than it must: over SSH every byte is waited for."""

from __future__ import annotations

from typing import Any

from textual._compositor import ChopsUpdate
from textual.app import App
from textual.driver import Driver
from textual.screen import Screen

from tui.compact_output import ExactUpdate, compact
from tui.deck.themes import PLAIN
from tui.terminal_input import with_paste_reader
from tui.terminal_kind import limited, terminal_kind


class MeteredApp(App[None]):
    """An app that writes as little as it can, and knows how many bytes it has written to the terminal."""

    def get_driver_class(self) -> type[Driver]:
        """Textual's driver for this terminal, which counts what it writes and tells pastes from keys."""
        return with_paste_reader(_metered(super().get_driver_class()))

    @property
    def written_bytes(self) -> int:
        """Bytes written so far; 0 where there is no terminal."""
        return getattr(self._driver, "written_bytes", 0)

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        if type(renderable) is ChopsUpdate:
            renderable = ExactUpdate(renderable.chops, renderable.spans, renderable.chop_ends)
        super()._display(screen, renderable)


def _metered(driver: type[Driver]) -> type[Driver]:
    kind = terminal_kind()

    class Metered(driver):  # type: ignore[misc, valid-type]
        written_bytes = 0

        def write(self, data: str) -> Any:
            data = limited(compact(data), kind, colours=self._app.theme != PLAIN.name)
            self.written_bytes += len(data.encode("utf-8", "replace"))
            return super().write(data)

    return Metered
