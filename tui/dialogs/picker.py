"""Choose from a list by typing a part of a name: layers, optimizers, presets, files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tui.rows.picker import Item, Row, rows
from tui.widgets.footer import Footer
from tui.widgets.row_list import FittedList

SHORT = 8
"""Up to this number of items, the dialog is only as high as the list."""


class PickList(FittedList):
    """The items that match the typed text."""

    def __init__(self, write: Callable[[], None]) -> None:
        super().__init__(markup=False)
        self._write = write

    def write_rows(self) -> None:
        self._write()


class PickerScreen(ModalScreen[str | None]):
    """A list that typing filters. Its result is the chosen name, or None.

    Args:
        title: the title of the dialog.
        items: the items, in the order shown.
        explain: returns the text below the list for the item under the cursor.
        at: the name of the item that the cursor starts on.
        free: accept the typed text if no item matches.
    """

    CSS_PATH = "picker.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter",
            "pick",
            "Accept",
            key_display="⏎",
            id="picker.take",
            tooltip="Choose the item under the cursor",
            priority=True,
        ),
        Binding("escape", "dismiss(None)", "Back", key_display="esc", id="picker.back", tooltip="Choose nothing"),
        Binding("down", "move(1)", "Down", show=False, priority=True, id="picker.down", tooltip="One row down"),
        Binding("up", "move(-1)", "Up", show=False, priority=True, id="picker.up", tooltip="One row up"),
        Binding(
            "pagedown",
            "move(8)",
            "Page down",
            show=False,
            priority=True,
            id="picker.page_down",
            tooltip="One page down",
        ),
        Binding("pageup", "move(-8)", "Page up", show=False, priority=True, id="picker.page_up", tooltip="One page up"),
    ]

    def __init__(
        self,
        title: str,
        items: Sequence[Item],
        explain: Callable[[str], Content | None] | None = None,
        *,
        at: str = "",
        placeholder: str = "type to filter",
        free: bool = False,
    ) -> None:
        super().__init__()
        self._title, self._items, self._explain, self._at = title, items, explain, at
        self._placeholder, self._free = placeholder, free
        self._unfit: Mapping[str, str] = {}
        self._rows: list[Row] = []
        self._filtered = ""
        """The typed text for which the rows were written."""

    def compose(self) -> ComposeResult:
        with Vertical(id="picker") as panel:
            panel.border_title = self._title
            panel.set_class(len(self._items) <= SHORT, "-short")
            yield Input(placeholder=self._placeholder, compact=True)
            yield PickList(self._write)
            yield Static(id="picked")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one(PickList).can_focus = False
        self.call_after_refresh(self._write, self._at)

    def mark(self, unfit: Mapping[str, str], note: str = "") -> None:
        """Show why some names do not fit, and a note in the frame."""
        self._unfit = unfit
        self.query_one("#picker", Vertical).border_subtitle = note
        under = self._under
        self._write("" if under is not None and unfit.get(under.name) else None)

    @on(Input.Changed)
    def _typed(self) -> None:
        self._write("")

    def _write(self, at: str | None = None) -> None:
        shown = self.query_one(PickList)
        width = shown.row_width
        if width <= 0:
            return
        before = self._under.name if at is None and self._under is not None else at or ""
        self._filtered = self.query_one(Input).value.strip()
        self._rows = rows(self._items, self._filtered, self._unfit, width)
        shown.set_options([Option(row.text, disabled=row.item is None) for row in self._rows])
        places = [i for i, row in enumerate(self._rows) if row.item is not None]
        here = next((i for i in places if self._rows[i].item.name == before), None)  # type: ignore[union-attr]
        shown.highlighted = here if here is not None else next(iter(places), None)
        self._explain_item()

    @property
    def _nothing(self) -> str:
        return "⏎ accepts the typed text." if self._free else "Nothing matches."

    @property
    def _under(self) -> Item | None:
        at = self.query_one(PickList).highlighted
        return self._rows[at].item if at is not None and at < len(self._rows) else None

    @on(OptionList.OptionHighlighted)
    def _explain_item(self) -> None:
        item = self._under
        about: Content | None = None
        if item is not None:
            about = self._explain(item.name) if self._explain is not None else Content(item.summary)
            if reason := self._unfit.get(item.name):
                about = Content.assemble(("does not fit here: ", "$text-warning"), reason, "\n", about or "")
        self.query_one("#picked", Static).update(about or ("" if self._rows else self._nothing))

    @on(OptionList.OptionSelected)
    def _clicked(self) -> None:
        self.action_pick()

    def action_move(self, by: int) -> None:
        shown = self.query_one(PickList)
        places = [i for i, row in enumerate(self._rows) if row.item is not None]
        if places:
            here = places.index(shown.highlighted) if shown.highlighted in places else 0
            new = (here + by) % len(places) if abs(by) == 1 else min(max(0, here + by), len(places) - 1)
            shown.highlighted = places[new]

    def action_pick(self) -> None:
        typed = self.query_one(Input).value.strip()
        if typed != self._filtered:  # Enter came before the list was filtered
            self._write("")
        if (item := self._under) is not None:
            self.dismiss(item.name)
        elif self._free and typed:
            self.dismiss(typed)
