"""The base of the deck's app: it writes few bytes to the terminal, and never treats pasted text as keys."""

from __future__ import annotations

from typing import Any

from textual import on
from textual._compositor import ChopsUpdate
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.driver import Driver
from textual.events import Key, Paste
from textual.screen import Screen
from textual.widgets import Input

from tui.terminal.compact_output import ExactUpdate, compact
from tui.terminal.input import with_paste_reader
from tui.terminal.kind import limited, terminal_kind
from tui.terminal.pastes import Pasted

COLOURLESS_THEME = "torchdeck-plain"
"""The name of the theme without colours."""

MOST = 10_000
"""The most characters of a paste that a field accepts."""

AS_KEYS = 200
"""Unmarked text up to this length may be typed by a program: a field gets it key by key, including Enter."""

NO_FIELD = "Text was pasted outside a field and was ignored. Open a field and paste it there."


class TerminalApp(App[None]):
    """An app that writes few bytes, counts them, and never treats pasted text as keys."""

    _room = 0
    """Characters that the field still accepts of the paste that is arriving."""
    _warned = False
    """Whether a notification about this paste was shown."""

    def get_driver_class(self) -> type[Driver]:
        """Return Textual's driver for this terminal; it counts written bytes and separates pastes from keys."""
        return with_paste_reader(_metered(super().get_driver_class()))

    @property
    def written_bytes(self) -> int:
        """Bytes written so far; 0 without a terminal."""
        return getattr(self._driver, "written_bytes", 0)

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        if type(renderable) is ChopsUpdate:
            renderable = ExactUpdate(renderable.chops, renderable.spans, renderable.chop_ends)
        super()._display(screen, renderable)

    async def on_pasted(self, event: Pasted) -> None:
        """Pass a paste to the open field; notify if there is none, or if it does not accept the whole text."""
        event.stop()
        field = self.focused
        if not event.continues:
            self._room, self._warned = MOST, False
        if not isinstance(field, Input):
            self._room = 0
            self._warn(NO_FIELD)
            return
        if not self._room:
            return
        text = event.text if event.continues else event.text.lstrip("\r\n")
        line, ending, more = _first_line(text)
        if not event.marked and MOST - self._room + len(line) <= AS_KEYS:
            await self._type(line + ending)
            taken = line
            if not more:
                event.was_typing()
        else:
            taken = line[: self._room]
            field.post_message(Paste(taken))
        self._room = 0 if ending else self._room - len(taken)
        if len(taken) < len(line) or (not self._room and not ending):
            count = f"the first {MOST:,} of {len(text):,}" if event.marked else f"the first {MOST:,}"
            self._room = 0
            self._warn(f"The field accepted {count} characters of the pasted text.")
        elif more.strip():
            self._warn("The field accepted the first line of the pasted text.")

    def _warn(self, sentence: str) -> None:
        """Notify once for each paste."""
        if not self._warned:
            self._warned = True
            self.notify(sentence, severity="warning", markup=False)

    async def _type(self, text: str) -> None:
        for key in XTermParser().feed(text):
            if isinstance(key, Key):
                key.set_sender(self)
                await self.on_event(key)

    @on(Driver.SignalResume)
    def _draw_again(self) -> None:
        """Draw the screen again, which the terminal cleared in the meantime."""
        self.refresh(layout=True)


def _metered(driver: type[Driver]) -> type[Driver]:
    kind = terminal_kind()

    class Metered(driver):  # type: ignore[misc, valid-type]
        written_bytes = 0

        def write(self, data: str) -> Any:
            data = limited(compact(data), kind, colours=self._app.theme != COLOURLESS_THEME)
            self.written_bytes += len(data.encode("utf-8", "replace"))
            return super().write(data)

    return Metered


def _first_line(text: str) -> tuple[str, str, str]:
    """Return the first line, its line ending if there is one, and the rest.

    >>> _first_line("ls\\r\\ncd"), _first_line("ls")
    (('ls', '\\r', 'cd'), ('ls', '', ''))
    """
    line = text.splitlines()[0] if text else ""
    rest = text[len(line) :]
    return line, "\r" if rest else "", rest.removeprefix("\r\n") if rest.startswith("\r\n") else rest[1:]
