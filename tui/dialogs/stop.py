"""Asks whether to stop a run."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.run_view import RunView
from tui.widgets.footer import Footer, KeyLine
from tui.widgets.status import best_words


class StopScreen(ModalScreen[bool]):
    """Asks once; its result is True for stop. The key that opens it is not one of the answers."""

    CSS_PATH = "stop.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter,y",
            "answer(True)",
            "Stop",
            key_display="⏎",
            id="stop.stop",
            tooltip="Stop at the next step and keep the model",
        ),
        Binding(
            "escape,n,q",
            "answer(False)",
            "Keep training",
            key_display="esc",
            id="stop.go_on",
            tooltip="Close this question; the run continues",
        ),
    ]

    def __init__(self, view: RunView, waits_for: str = "") -> None:
        """`waits_for` is what a run waits for that has not started."""
        super().__init__()
        self._question_text = _question(view, waits_for)

    def compose(self) -> ComposeResult:
        with Vertical(id="stop") as panel:
            panel.border_title = "Stop this run?"
            yield Static(self._question_text, id="stop-question")
            yield KeyLine(("enter", "⏎", "stop"), ("escape", "esc", "keep training"))
        yield Footer(show_command_palette=False)

    def show(self, view: RunView, waits_for: str = "") -> None:
        """Update the question for the current state of the run; close it if the run has ended."""
        if view.state in ("finished", "stale", "moving"):
            if self.is_current:
                self.dismiss(False)
            return
        text = _question(view, waits_for)
        if not text.is_same(self._question_text) and self.is_mounted:
            self._question_text = text
            self.query_one("#stop-question", Static).update(text)

    def action_answer(self, stop: bool) -> None:
        self.dismiss(stop)


def _question(view: RunView, waits_for: str) -> Content:
    if view.started is None:
        return Content("It has not started. Nothing is trained yet, so there is no model to keep.")
    best = best_words(view)
    return Content(
        f"It is at epoch {view.epoch} of {view.epochs}. It stops at the next step and saves a checkpoint. The model is "
        f"kept, and the run can be resumed later.{chr(10) + best if best else ''}"
    )
