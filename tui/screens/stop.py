"""Whether a run is meant to stop."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.feed import RunView
from tui.widgets.footer import Footer
from tui.widgets.status import best_words


class StopScreen(ModalScreen[bool]):
    """Asks once; answers True for stop."""

    CSS_PATH = "stop.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "s,enter,y",
            "answer(True)",
            "Stop and keep the model",
            key_display="s",
            id="stop.stop",
            tooltip="Stop at the next step",
        ),
        Binding(
            "escape,n,q",
            "answer(False)",
            "Go on",
            key_display="esc",
            id="stop.go_on",
            tooltip="Close this question; the run goes on",
        ),
    ]

    def __init__(self, view: RunView) -> None:
        super().__init__()
        self._view = view

    def compose(self) -> ComposeResult:
        view = self._view
        best = best_words(view)
        keys = Content.assemble(("s", "bold $text-accent"), " stop   ", ("esc", "bold $text-accent"), " go on")
        with Vertical(id="stop") as panel:
            panel.border_title = "Stop this run?"
            yield Static(
                Content(
                    f"It is at epoch {view.epoch} of {view.epochs}. It stops at the next step and saves a checkpoint: "
                    f"the model is kept, and the run can be gone on with later.{chr(10) + best if best else ''}"
                )
            )
            yield Static(keys)
        yield Footer(show_command_palette=False)

    def action_answer(self, stop: bool) -> None:
        self.dismiss(stop)
