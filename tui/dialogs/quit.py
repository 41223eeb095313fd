"""What to do with a run that is going, and with what is not saved, when the deck is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static

from tui.rows.design import MUTED
from tui.tables.columns import Column, table
from tui.widgets.footer import Footer
from tui.widgets.row_list import RowList


@dataclass(frozen=True, slots=True)
class Leave:
    """One way to leave, or not to."""

    name: str
    label: str
    consequence: str


STAY = Leave("stay", "Stay", "nothing changes")
STOP = Leave("stop", "Stop and keep the model", "at the next step, with a checkpoint")

GO_ON = Leave("go on", "Go on without the deck", "torchdeck attach comes back to it")

OF_A_RUN = (GO_ON, STOP, STAY)
"""The first is the default."""

SAVE = Leave("save", "Save and leave", "each document to its file")
DISCARD = Leave("discard", "Leave without saving", "the changes are gone")

OF_CHANGES = (Leave(STAY.name, "Stay", "nothing is saved, nothing is lost"), SAVE, DISCARD)


REPLACE = Leave("replace", "Replace it", "what stands there is gone")
ANOTHER = Leave("another", "Save as …", "under another name")

OF_A_FILE = (Leave(STAY.name, "Back", "nothing is written"), ANOTHER, REPLACE)


class ChoiceList(RowList):
    """The ways to leave."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Choose", id="quit.choose", tooltip="Do what the cursor is on"),
    ]


class QuitScreen(ModalScreen[str]):
    """Asks; answers with the name of a choice. Escape is to stay.

    Args:
        what: the run or the documents that it is about.
        is_: what is said of them: " is training."
    """

    CSS_PATH = "quit.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,q",
            "stay",
            "Stay",
            key_display="esc",
            id="quit.stay",
            tooltip="Close this question; nothing changes",
        ),
    ]

    def __init__(self, what: str, is_: str, choices: Sequence[Leave], *, title: str = "Leave the deck?") -> None:
        super().__init__()
        self._title = title
        self._said = Content.assemble((what, "bold"), is_)
        self._choices = tuple(choices)

    def compose(self) -> ComposeResult:
        with Vertical(id="quit") as panel:
            panel.border_title = self._title
            yield Static(self._said)
            yield ChoiceList(id="choices")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        choices = self.query_one(ChoiceList)
        choices.styles.height = len(self._choices)
        choices.show_rows(self._rows, at=0)
        choices.focus()

    def _rows(self, width: int) -> list[Content]:
        return table(
            [(choice.label, (choice.consequence, MUTED)) for choice in self._choices],
            (Column(), Column(least=8, spare=2)),
            width,
        )

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._choices[event.option_index].name)

    def action_stay(self) -> None:
        self.dismiss(STAY.name)
