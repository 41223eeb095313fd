"""Ask for one line: a file to open or save to, a value."""

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
    """One line to type. Answers with it, or None.

    Args:
        refuse: why a line will not do, in a sentence; empty where it will.
    """

    CSS_PATH = "ask.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter", "answer", "Take it", key_display="⏎", id="ask.take", tooltip="Take what was typed", priority=True
        ),
        Binding("escape", "dismiss(None)", "Back", key_display="esc", id="ask.back", tooltip="Leave it as it was"),
    ]

    def __init__(self, title: str, value: str, about: str = "", refuse: Callable[[str], str] = lambda line: "") -> None:
        super().__init__()
        self._title, self._value, self._about, self._refuse = title, value, about, refuse

    def compose(self) -> ComposeResult:
        with Vertical(id="ask") as panel:
            panel.border_title = self._title
            yield Input(self._value, compact=True)
            yield Static(self._about, id="about-answer", markup=False)
        yield Footer(show_command_palette=False)

    @on(Input.Changed)
    def _typed(self) -> None:
        wrong = self._refuse(self.query_one(Input).value)
        about = self.query_one("#about-answer", Static)
        about.set_class(bool(wrong), "-wrong")
        about.update(wrong or self._about)

    def action_answer(self) -> None:
        line = self.query_one(Input).value
        if not self._refuse(line):
            self.dismiss(line)
