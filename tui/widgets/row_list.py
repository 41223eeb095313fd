"""Lists whose rows depend on their width."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

Rows = Callable[[int], Sequence[Content]]
"""Returns the rows of a list for a width in cells. A row may have several lines."""


PANEL_KEYS: list[BindingType] = [
    Binding(
        "right",
        "app.focus_next",
        "Next panel",
        key_display="→",
        show=False,
        id="list.next_panel",
        tooltip="Go to the next panel",
    ),
    Binding(
        "left",
        "app.focus_previous",
        "Previous panel",
        show=False,
        id="list.panel_before",
        tooltip="Go to the previous panel",
    ),
]


class FittedList(OptionList):
    """An option list that writes its rows again when their width changes, as when a scrollbar appears."""

    _written_for = 0

    @property
    def row_width(self) -> int:
        """The width of a row without its padding; 0 or less before the first layout."""
        return self.scrollable_content_region.width - 2

    def write_rows(self) -> None:
        """Write the rows for `row_width`."""
        raise NotImplementedError

    def on_resize(self) -> None:
        self._write_for_width()

    def watch_show_vertical_scrollbar(self) -> None:
        self.call_after_refresh(self._write_for_width)

    def _write_for_width(self) -> None:
        if self.row_width > 0 and self.row_width != self._written_for:
            self._written_for = self.row_width
            self.write_rows()


class RowList(FittedList):
    """A list whose rows are a function of its width; the cursor keeps its position when they change."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", "Down", show=False, id="list.down", tooltip="One row down"),
        Binding("k", "cursor_up", "Up", show=False, id="list.up", tooltip="One row up"),
        *PANEL_KEYS,
    ]

    DEFAULT_CSS = """
    RowList {
        height: 1fr; max-height: 100%;
        border: round $border-blurred; border-title-color: $foreground; border-subtitle-color: $text-muted;
        background: $background; padding: 0; scrollbar-size-vertical: 1;
        & > .option-list--option { padding: 0 1; }
        & > .option-list--option-highlighted {
            background: $block-cursor-blurred-background;
            color: $block-cursor-blurred-foreground;
            text-style: $block-cursor-blurred-text-style;
        }
        &:focus { border: round $border; border-title-style: bold; background-tint: $foreground 0%; }
        &:nocolor:focus { border-title-style: reverse; }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes, markup=False)
        self._rows: Rows = lambda width: ()
        self._at: int | None = None

    def show_rows(self, rows: Rows, *, at: int | None = None) -> None:
        """Show other rows; the cursor goes to row `at`, or stays."""
        self._rows = rows
        self._at = self._at if at is None else at
        self.write_rows()

    def write_rows(self) -> None:
        width = self.row_width
        if width <= 0:
            return
        self._written_for = width
        rows = self._rows(width)
        if len(rows) != self.option_count:
            at = self.highlighted or 0
            with self.prevent(OptionList.OptionHighlighted):
                self.set_options([Option(row) for row in rows])
            self._at = min(at, len(rows) - 1) if self._at is None and rows else self._at
        else:
            for index, row in enumerate(rows):
                shown = self.get_option_at_index(index).prompt
                if not (isinstance(shown, Content) and shown.is_same(row)):
                    self.replace_option_prompt_at_index(index, row)
        if self._at is not None and rows:
            self.highlighted, self._at = self._at, None
