"""Whether a run is meant to stop."""

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
    """Asks once; answers True for stop. The key that asks is none of those that answer."""

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
        self._said = _question(view, waits_for)

    def compose(self) -> ComposeResult:
        with Vertical(id="stop") as panel:
            panel.border_title = "Stop this run?"
            yield Static(self._said, id="stop-said")
            yield KeyLine(("enter", "⏎", "stop"), ("escape", "esc", "keep training"))
        yield Footer(show_command_palette=False)

    def show(self, view: RunView, waits_for: str = "") -> None:
        """Ask about the run as it is by now; a run that has ended is not asked about."""
        if view.state in ("finished", "stale", "moving"):
            if self.is_current:
                self.dismiss(False)
            return
        said = _question(view, waits_for)
        if not said.is_same(self._said) and self.is_mounted:
            self._said = said
            self.query_one("#stop-said", Static).update(said)

    def action_answer(self, stop: bool) -> None:
        self.dismiss(stop)


def _question(view: RunView, waits_for: str) -> Content:
    if view.started is None:
        return Content("It has not started. Nothing is trained yet, so nothing is kept.")
    best = best_words(view)
    return Content(
        f"It is at epoch {view.epoch} of {view.epochs}. It stops at the next step and saves a checkpoint: the model is "
        f"kept, and the run can be resumed later.{chr(10) + best if best else ''}"
    )
