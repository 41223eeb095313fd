"""Questions with a few answers: how to leave a run or unsaved documents, and whether to replace a file."""

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
class Answer:
    """One answer to a question."""

    name: str
    label: str
    consequence: str


STAY = Answer("stay", "Stay", "nothing changes")
STOP = Answer("stop", "Stop and keep the model", "at the next step, with a checkpoint")
DETACH = Answer("detach", "Continue in the background", "torchdeck attach shows the run again")

FOR_A_RUN = (DETACH, STOP, STAY)
"""The first answer is the default."""

SAVE = Answer("save", "Save and leave", "each document to its file")
DISCARD = Answer("discard", "Leave without saving", "the changes are lost")

FOR_CHANGES = (Answer(STAY.name, "Stay", "nothing is saved, nothing is lost"), SAVE, DISCARD)

REPLACE = Answer("replace", "Replace it", "its content is lost")
ANOTHER = Answer("another", "Save as …", "under another name")

FOR_A_FILE = (Answer(STAY.name, "Back", "nothing is written"), ANOTHER, REPLACE)


class AnswerList(RowList):
    """The answers."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Choose", id="quit.choose", tooltip="Choose the answer under the cursor"),
    ]


class ChoiceScreen(ModalScreen[str]):
    """Asks a question; its result is the name of the answer. Escape answers `STAY`.

    Args:
        subject: the run, the documents or the file that the question is about.
        state: the rest of the sentence about it, such as " is training."
    """

    CSS_PATH = "choice.tcss"
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

    def __init__(self, subject: str, state: str, answers: Sequence[Answer], *, title: str = "Leave the deck?") -> None:
        super().__init__()
        self._title = title
        self._sentence = Content.assemble((subject, "bold"), state)
        self._answers = tuple(answers)

    def compose(self) -> ComposeResult:
        with Vertical(id="choice") as panel:
            panel.border_title = self._title
            yield Static(self._sentence)
            yield AnswerList(id="choices")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        answers = self.query_one(AnswerList)
        answers.styles.height = len(self._answers)
        answers.show_rows(self._rows, at=0)
        answers.focus()

    def _rows(self, width: int) -> list[Content]:
        return table(
            [(answer.label, (answer.consequence, MUTED)) for answer in self._answers],
            (Column(), Column(least=8, spare=2)),
            width,
        )

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._answers[event.option_index].name)

    def action_stay(self) -> None:
        self.dismiss(STAY.name)
