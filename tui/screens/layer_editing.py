"""The actions that change layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine import CONTAINER_FIELDS, Edit, Span, layer_editing, layers_of
from tui.dialogs.picker import PickerScreen
from tui.rows.design import visible
from tui.rows.explanations import entry_text
from tui.rows.picker import Item
from tui.screens.design_view import DesignView

CONTAINERS = ("Residual", "Repeat", "Sequential", "Concat")


class LayerEditing(DesignView):
    """Adds, deletes, moves, wraps, folds and marks layers at the cursor."""

    def action_add(self) -> None:
        if not self._ready():
            return
        at, draft, experiment = layer_editing.span_after(self.path), self.draft, self.draft.experiment
        items = self.services.producer.items("layers")
        picker = self._picker("Add a layer", "layers", items)

        def fit(result: Any) -> None:
            if picker.is_attached and not isinstance(result, Exception):
                unfit, shape = result
                picker.mark(unfit, f"input: {shape}" if shape else "")

        def add(name: str | None) -> None:
            if name is not None and self.draft is draft:
                layer = self.services.producer.new_choice("layers", name)
                self._edit(layer_editing.add(self.design.text, self.path, [layer]))

        self.app.push_screen(picker, add)
        if experiment is not None:
            self.services.plans.answer(lambda: self.services.producer.insertion(experiment, at), fit)

    def _picker(self, title: str, kind: str, items: list[Item], at: str = "") -> PickerScreen:
        return PickerScreen(title, items, lambda name: entry_text(self.services.producer.explain(kind, name)), at=at)

    def _on_span(self, make: Callable[[str, Span], Edit]) -> None:
        """Change the marked layers, or the one under the cursor."""
        span = self._span
        if span is not None and self.design.editable:
            self._edit(make(self.design.text, span))

    def action_delete(self) -> None:
        self._on_span(layer_editing.delete)

    def action_duplicate(self) -> None:
        self._on_span(layer_editing.duplicate)

    def action_move(self, by: int) -> None:
        self._on_span(lambda text, span: layer_editing.move(text, span, by))

    def action_copy(self) -> None:
        span = self._span
        if span is not None:
            layers = self.services.documents.copied_layers = layers_of(self.design.text, span)
            self.notify(f"Copied {layer_editing.names(layers)}.", timeout=2, markup=False)

    def action_cut(self) -> None:
        self.action_copy()
        self.action_delete()

    def action_paste(self) -> None:
        if not self.design.editable:
            return
        if self.services.documents.copied_layers:
            self._edit(layer_editing.add(self.design.text, self.path, self.services.documents.copied_layers))
        else:
            self.notify("No layer was cut or copied yet.", timeout=2, markup=False)

    def action_wrap(self) -> None:
        if self._span is None or not self._ready():
            return
        about = self.services.producer.explain
        items = [Item(name, summary.summary if (summary := about("layers", name)) else "") for name in CONTAINERS]

        def wrap(name: str | None) -> None:
            if name is not None:
                self._on_span(lambda text, span: layer_editing.wrap(text, span, name))

        self.app.push_screen(self._picker("Put into", "layers", items), wrap)

    def action_unwrap(self) -> None:
        if self.path and self.design.editable:
            self._edit(layer_editing.unwrap(self.design.text, self.path))

    def action_fold(self) -> None:
        path = self.path
        place = next((p for p in visible(self.draft) if p.path == path), None) if path else None
        if place is None or all(getattr(place.layer, name) is None for name in CONTAINER_FIELDS):
            return
        self.folded = self.folded ^ {path}
        self.show(self.design, at=path)

    def action_mark(self, by: int) -> None:
        row = self.layer_list.highlighted
        if row is None:
            return
        self.marked_from = self.marked_from or self.path
        new = min(max(1, row + by), len(self._paths))
        self.layer_list.highlighted = new
        self.show(self.design)
