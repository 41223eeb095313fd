"""The lists of the design screen: the parts of the experiment, and the layers with their keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from engine import Draft
from tui.rows.design import layer_heading
from tui.widgets.row_list import RowList

if TYPE_CHECKING:
    from engine import Plan


class PartList(RowList):
    """The parts of the experiment."""

    HELP = "The parts of the experiment. ✗ marks a mistake, with its fix below."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter", "screen.edit", "Edit", key_display="⏎", id="design.edit", tooltip="Edit this part in its form"
        ),
        Binding("right", "screen.edit", "Form", show=False, id="design.form", tooltip="Go to the form"),
    ]


class LayerList(RowList):
    """The layers, in the order of the forward pass."""

    HELP = "The layers, each with the shape of its output (without the batch) and its parameters. ✗ marks a mistake."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter", "screen.edit", "Edit", key_display="⏎", id="design.edit", tooltip="Edit this layer in its form"
        ),
        Binding("right", "screen.edit", "Form", show=False, id="design.form", tooltip="Go to the form"),
        Binding(
            "x,delete",
            "screen.delete",
            "Delete",
            key_display="x",
            id="design.delete",
            tooltip="Delete the layer, or the marked layers",
        ),
        Binding(
            "D",
            "screen.duplicate",
            "Duplicate",
            show=False,
            id="design.duplicate",
            tooltip="Insert a copy after the layer",
        ),
        Binding(
            "K",
            "screen.move(-1)",
            "Move up",
            show=False,
            id="design.move_up",
            tooltip="Move the layer up; at the top of a container, out of it",
        ),
        Binding("J", "screen.move(1)", "Move down", show=False, id="design.move_down", tooltip="Move the layer down"),
        Binding(
            "c", "screen.copy", "Copy", show=False, id="design.copy", tooltip="Copy the layer, or the marked layers"
        ),
        Binding("X", "screen.cut", "Cut", show=False, id="design.cut", tooltip="Cut the layer, or the marked layers"),
        Binding("v", "screen.paste", "Paste", show=False, id="design.paste", tooltip="Paste after this layer"),
        Binding(
            "w",
            "screen.wrap",
            "Wrap",
            id="design.wrap",
            tooltip="Put the marked layers into a Residual, Repeat, …",
        ),
        Binding(
            "W",
            "screen.unwrap",
            "Unwrap",
            show=False,
            id="design.unwrap",
            tooltip="Replace a container by its layers",
        ),
        Binding("space", "screen.fold", "Fold", show=False, id="design.fold", tooltip="Fold or unfold a container"),
        Binding(
            "shift+down",
            "screen.mark(1)",
            "Mark",
            show=False,
            id="design.mark_down",
            tooltip="Mark this layer and the next one",
        ),
        Binding(
            "shift+up",
            "screen.mark(-1)",
            "Mark",
            show=False,
            id="design.mark_up",
            tooltip="Mark this layer and the previous one",
        ),
    ]


class PanelResized(Message):
    """The width of a panel changed: its texts must be written again."""


class LayerHeading(Widget):
    """The heading of the layer table, aligned with its rows."""

    shown: reactive[tuple[Draft, Plan | None, frozenset[str]] | None] = reactive(None)

    def render(self) -> Content:
        heading = Content("")
        if self.shown is not None:
            draft, plan, folded = self.shown
            heading = layer_heading(draft, plan, self.content_size.width, folded)
        return heading

    def on_resize(self) -> None:
        self.post_message(PanelResized())
