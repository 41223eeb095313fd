"""Ask for one line of text, such as a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui.widgets.footer import Footer


class AskScreen(ModalScreen[str | None]):
    """Asks for one line. Its result is the line, or None.

    Args:
        problem: returns why a line cannot be accepted, in a sentence; empty if it can.
    """

    CSS_PATH = "ask.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter", "answer", "Accept", key_display="⏎", id="ask.take", tooltip="Accept the typed line", priority=True
        ),
        Binding(
            "escape", "dismiss(None)", "Back", key_display="esc", id="ask.back", tooltip="Close this without a change"
        ),
    ]

    def __init__(
        self, title: str, value: str, about: str = "", problem: Callable[[str], str] = lambda line: ""
    ) -> None:
        super().__init__()
        self._title, self._value, self._about, self._problem = title, value, about, problem

    def compose(self) -> ComposeResult:
        with Vertical(id="ask") as panel:
            panel.border_title = self._title
            yield Input(self._value, compact=True)
            yield Static(self._about, id="about-answer", markup=False)
        yield Footer(show_command_palette=False)

    @on(Input.Changed)
    def _typed(self) -> None:
        wrong = self._problem(self.query_one(Input).value)
        about = self.query_one("#about-answer", Static)
        about.set_class(bool(wrong), "-wrong")
        about.update(wrong or self._about)

    def action_answer(self) -> None:
        line = self.query_one(Input).value
        if not self._problem(line):
            self.dismiss(line)
