"""The command that trains a document, for copying."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.rows.design import MUTED
from tui.widgets.footer import Footer


class CommandScreen(ModalScreen[None]):
    """Shows a command; a key copies it."""

    CSS_PATH = "command.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "c,y,enter", "copy", "Copy", key_display="c", id="command.copy", tooltip="Copy the command to the clipboard"
        ),
        Binding("escape,q", "dismiss", "Close", key_display="esc", id="command.close", tooltip="Close this dialog"),
    ]

    def __init__(self, command: str, note: str = "") -> None:
        super().__init__()
        self._command, self._note = command, note

    def compose(self) -> ComposeResult:
        with Vertical(id="command") as panel:
            panel.border_title = "The command that trains this document"
            yield Static(self._command, markup=False)
            note = self._note or "c copies to the terminal's clipboard, also over SSH, if the terminal allows it."
            yield Static(Content.styled(note, MUTED), id="command-note")
        yield Footer(show_command_palette=False)

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self._command)
        self.query_one("#command-note", Static).update("Copied.")
