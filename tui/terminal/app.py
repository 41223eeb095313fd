"""The app that draws on a terminal: it writes as few bytes as it can, and never takes pasted text for keys."""

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
"""The theme in which nothing is written in a colour."""

MOST = 10_000
"""Characters that a field takes of a paste."""

AS_KEYS = 200
"""Unmarked text of at most so many characters may be a program's typing: a field gets it key by key, Enter too."""

NO_FIELD = "Text was pasted outside a field: nothing was done. Open a field and paste it there."


class TerminalApp(App[None]):
    """An app that writes as few bytes as it can, counts them, and never takes pasted text for keys."""

    _room = 0
    """Characters that the field still accepts of the paste that is arriving."""
    _warned = False
    """Whether a notification about this paste was shown."""

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

    async def on_pasted(self, event: Pasted) -> None:
        """Hand a paste to the field that is open; say so where there is none, or where it does not take all."""
        event.stop()
        field = self.focused
        if not event.continues:
            self._room, self._warned = MOST, False
        if not isinstance(field, Input):
            self._room = 0
            self._say(NO_FIELD)
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
            self._say(f"The field took {count} characters of what was pasted.")
        elif more.strip():
            self._say("The field took the first line of what was pasted.")

    def _say(self, sentence: str) -> None:
        """Say it once a paste."""
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
        """Fill the screen that the terminal has cleared meanwhile."""
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
    """The first line, the end of it where there is one, and what follows.

    >>> _first_line("ls\\r\\ncd"), _first_line("ls")
    (('ls', '\\r', 'cd'), ('ls', '', ''))
    """
    line = text.splitlines()[0] if text else ""
    rest = text[len(line) :]
    return line, "\r" if rest else "", rest.removeprefix("\r\n") if rest.startswith("\r\n") else rest[1:]
