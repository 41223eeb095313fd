"""How much the deck writes to its terminal: over SSH every byte is waited for."""

from __future__ import annotations

from typing import Any

from textual.app import App
from textual.driver import Driver


class MeteredApp(App[None]):
    """An app that knows how many bytes it has written to the terminal."""

    def get_driver_class(self) -> type[Driver]:
        """Textual's driver for this terminal, counting."""
        return _metered(super().get_driver_class())

    @property
    def written_bytes(self) -> int:
        """Bytes written so far; 0 where there is no terminal."""
        return getattr(self._driver, "written_bytes", 0)


def _metered(driver: type[Driver]) -> type[Driver]:
    class Metered(driver):  # type: ignore[misc, valid-type]
        written_bytes = 0

        def write(self, data: str) -> Any:
            self.written_bytes += len(data.encode("utf-8", "replace"))
            return super().write(data)

    return Metered
