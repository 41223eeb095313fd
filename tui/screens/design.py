"""The design of one experiment: its parts, its layers, and the form of the selected one; every change is checked."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import OptionList

from engine.editing import layers as editing
from engine.editing.choosing import choose, switch
from engine.editing.layers import Edit
from engine.editing.text import Span, layers_of, set_value, unset
from engine.experiment import Draft, preset_text, reads
from engine.experiment.tree import HELD
from tui.design_rows import (
    PARTS,
    WRONG,
    device_text,
    general_mistakes,
    layer_heading,
    layer_rows,
    mistakes_of,
    part_rows,
    totals,
    value_text,
    visible,
)
from tui.explanations import LOADING, Selection, entry_text, explanation
from tui.form_rows import mistakes_at
from tui.picking import Item
from tui.pictures import NOTHING_YET, look, picture
from tui.screens.gradient_check import GradientCheckScreen
from tui.screens.one_batch import OneBatchScreen
from tui.screens.picker import PickerScreen
from tui.screens.picture import PictureScreen
from tui.screens.rate_finder import RateFinderScreen
from tui.widgets.footer import Footer
from tui.widgets.form import FieldAsked, FieldChanged, FieldTried, FormPanel
from tui.widgets.header import DeckHeader
from tui.widgets.row_list import RowList

if TYPE_CHECKING:
    from engine.editing.form import Field
    from engine.experiment import Mistake
    from engine.plan import Plan
    from tui.app import Deck
    from tui.design import Design

TALL = 30
"""Terminal rows from which a part shows more than its value."""

CHECK_SHOWN_S = 0.1
"""How long the last plan stays on the screen while the next one is made."""

PLOT, WORDS = 14, 100
"""Rows that a picture beside a form has at most; p shows it larger."""

CONTAINERS = ("Residual", "Repeat", "Sequential", "Concat")


class PartList(RowList):
    """The parts of the experiment."""

    HELP = "What the run is made of. ✗ marks a mistake; below it stands what to do."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter", "screen.edit", "Edit", key_display="⏎", id="design.edit", tooltip="Change this part in its form"
        ),
        Binding("right", "screen.edit", "Form", show=False, id="design.form", tooltip="Go to the form"),
    ]


class LayerList(RowList):
    """The layers, in the order of the forward pass."""

    HELP = "The layers, each with the shape of its output (without the batch) and its parameters. ✗ marks a mistake."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "screen.add", "Add", id="design.add", tooltip="Add a layer behind this one"),
        Binding(
            "enter", "screen.edit", "Edit", key_display="⏎", id="design.edit", tooltip="Change this layer in its form"
        ),
        Binding("right", "screen.edit", "Form", show=False, id="design.form", tooltip="Go to the form"),
        Binding(
            "x,delete",
            "screen.delete",
            "Delete",
            key_display="x",
            id="design.delete",
            tooltip="Delete the layer, or the marked ones",
        ),
        Binding(
            "D",
            "screen.duplicate",
            "Duplicate",
            show=False,
            id="design.duplicate",
            tooltip="Put a copy of the layer behind it",
        ),
        Binding(
            "K",
            "screen.move(-1)",
            "Move up",
            show=False,
            id="design.move_up",
            tooltip="Move the layer up; out of a container at its top",
        ),
        Binding("J", "screen.move(1)", "Move down", show=False, id="design.move_down", tooltip="Move the layer down"),
        Binding("c", "screen.copy", "Copy", show=False, id="design.copy", tooltip="Copy the layer, or the marked ones"),
        Binding("X", "screen.cut", "Cut", show=False, id="design.cut", tooltip="Cut the layer, or the marked ones"),
        Binding("v", "screen.paste", "Paste", show=False, id="design.paste", tooltip="Paste behind this layer"),
        Binding(
            "w",
            "screen.wrap",
            "Wrap",
            id="design.wrap",
            tooltip="Put the layer, or the marked ones, into a Residual, Repeat, …",
        ),
        Binding(
            "W",
            "screen.unwrap",
            "Unwrap",
            show=False,
            id="design.unwrap",
            tooltip="Put what a container holds in its place",
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
            tooltip="Mark this layer and the one before",
        ),
    ]


class PanelResized(Message):
    """A panel has another width: what was written for the old one does not fit."""


class LayerHeading(Widget):
    """The names of the layer table's columns, where the rows below have them."""

    shown: reactive[tuple[Draft, Plan | None] | None] = reactive(None)

    def render(self) -> Content:
        return Content("") if self.shown is None else layer_heading(*self.shown, self.content_size.width)

    def on_resize(self) -> None:
        self.post_message(PanelResized())


class DesignScreen(Screen[None]):
    """An experiment as it will be trained, and all that can be changed in it."""

    CSS_PATH = "design.tcss"
    TITLE = "Design"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u", "undo", "Undo", id="design.undo", tooltip="Take the last change back"),
        Binding("r,ctrl+r", "redo", "Redo", show=False, key_display="r", id="design.redo", tooltip="Make it again"),
        Binding("f", "fix", "Fix", id="design.fix", tooltip="Apply the fix of the mistake here, or of the first one"),
        Binding("t", "train", "Train", id="design.train", tooltip="Train this experiment"),
        Binding(
            "l",
            "rate_finder",
            "Rate finder",
            id="design.rate_finder",
            tooltip="Look for a learning rate, on a model of its own",
        ),
        Binding("g", "gradients", "Gradients", id="design.gradients", tooltip="Check the gradients of every layer"),
        Binding(
            "o", "one_batch", "One batch", id="design.one_batch", tooltip="See whether the model can memorise one batch"
        ),
        Binding(
            "s,ctrl+s",
            "save",
            "Save",
            show=False,
            key_display="s",
            id="design.save",
            tooltip="Save the document to its file",
        ),
        Binding(
            "S", "save_as", "Save as", show=False, id="design.save_as", tooltip="Save the document to another file"
        ),
        Binding(
            "ctrl+o",
            "open",
            "Open",
            show=False,
            id="design.open",
            tooltip="Open a document: a file, or one that was not saved",
        ),
        Binding("n", "new", "New", show=False, id="design.new", tooltip="A new document: empty, or from a preset"),
        Binding(
            "m",
            "template",
            "Model",
            show=False,
            id="design.template",
            tooltip="Take the model of a preset, on the data chosen here",
        ),
        Binding("e", "editor", "Editor", show=False, id="design.editor", tooltip="Open the document in $EDITOR"),
        Binding(
            "y", "command_line", "Command", show=False, id="design.command", tooltip="The command that trains just this"
        ),
        Binding(
            "p",
            "picture",
            "Picture",
            show=False,
            id="design.picture",
            tooltip="The picture of this part, as large as the terminal",
        ),
        Binding("escape", "app.runs", "Back", show=False, id="design.back", tooltip="Back to the presets and runs"),
    ]
    app: Deck

    def __init__(self) -> None:
        super().__init__()
        self.design: Design | None = None
        self.selection = Selection(part="data")
        self.folded: frozenset[str] = frozenset()
        self.marked_from = ""
        """The layer that marking began at."""
        self._tried: Draft | None = None
        self._can: tuple[bool | None, ...] = ()

    def compose(self) -> ComposeResult:
        yield DeckHeader("Design")
        with Container(id="design"):
            yield PartList(id="parts")
            with Vertical(id="model"):
                yield LayerHeading()
                yield LayerList(id="layers")
            yield FormPanel(id="selection")
        yield Footer()

    def on_mount(self) -> None:
        self.watch(self, "focused", self._select_under_cursor, init=False)
        self.query_one("#parts").border_title = "Experiment"
        self.layer_list.focus()

    @property
    def part_list(self) -> PartList:
        return self.query_one("#parts", PartList)

    @property
    def layer_list(self) -> LayerList:
        return self.query_one("#layers", LayerList)

    @property
    def form(self) -> FormPanel:
        return self.query_one(FormPanel)

    @property
    def draft(self) -> Draft:
        """The document as it is read."""
        assert self.design is not None
        return self.design.draft

    # What is shown is a function of the document, its plan, and what is selected, folded and marked.

    def show(self, design: Design, *, at: str | None = None) -> None:
        """Show another experiment, or the same one with what is known of it by now; the cursor on the layer `at`."""
        changed = design is not self.design
        self.design = design
        kept = self.app.memory.document(design.source) if changed else None
        if changed:
            self.folded, self.marked_from = frozenset(kept.folded if kept else ()), ""
        header = self.query_one(DeckHeader)
        header.subtitle = design.name + (" •" if design.unsaved else "")
        header.right = device_text(design.plan)
        tall = self.size.height >= TALL
        draft, plan = design.draft, design.plan
        part = list(PARTS).index(kept.part) if kept and kept.part in PARTS else 0 if changed else None
        self.part_list.show_rows(lambda width: part_rows(draft, plan, width, details=tall), at=part)
        at = kept.path if kept and kept.path in self._paths else at
        row = self._row_of(at) if at is not None else min(1, len(self._paths)) if changed else None
        marked = self._marked()
        self.layer_list.show_rows(
            lambda width: layer_rows(draft, plan, width, self.folded, marked if len(marked) > 1 else ()), at=row
        )
        if changed or at is not None:
            on_layers = at is not None or self.focused is self.layer_list
            path = at if at is not None else ([*self._paths, ""])[0]
            self.selection = Selection(path=path) if on_layers and path else Selection(part="data")
        elif self.selection.path and self.selection.path not in self._paths:
            self._select_under_cursor()
        if kept and kept.part in PARTS:
            self.selection = Selection(part=kept.part)
            self.part_list.focus()
        self._remember()
        self._write_titles()
        self._write_selection()
        self._refresh_keys()

    def _remember(self) -> None:
        if self.design is not None and self.design.source:
            part, path = self.selection.part, self.selection.path
            self.app.memory.keep_document(self.design.source, part=part, path=path, folded=self.folded)

    def _refresh_keys(self) -> None:
        """Write the footer anew where a key can be pressed now that could not before, or the other way round.

        A footer that is written anew costs more than all the rest of a key.
        """
        can = tuple(self.check_action(action, ()) for action in ("train", "undo", "fix"))
        if can != self._can:
            self._can = can
            self.refresh_bindings()

    @property
    def _paths(self) -> list[str]:
        """The paths of the layers that are shown, in the order of the rows behind the input."""
        return [place.path for place in visible(self.draft, self.folded)] if self.design is not None else []

    def _row_of(self, path: str) -> int:
        paths = self._paths
        return paths.index(path) + 1 if path in paths else 0

    def on_resize(self) -> None:
        if self.design is not None:
            self.call_after_refresh(self.show, self.design)

    def on_screen_resume(self) -> None:
        if self.app.design is not None:
            self.show(self.app.design)

    def _write_titles(self) -> None:
        assert self.design is not None
        draft, plan = self.design.draft, self.design.plan
        model = self.query_one("#model", Vertical)
        said, rest = totals(plan, max(0, model.size.width - 10))
        if plan is None:
            said = "the check broke" if self.design.failure else LOADING if not self.app.torch_is_there else ""
        model.border_title = f"Model ─ {said}" if said else "Model"
        wrong = [m for m in mistakes_of(draft, plan) if m.severity == "error"]
        waits = "trains as soon as torch is there" if self.app.will_train is self.design else ""
        count = f"✗ {len(wrong)} mistake{'s' if len(wrong) != 1 else ''}" if wrong else ""
        model.border_subtitle = waits or count or rest
        self.query_one(LayerHeading).shown = draft, plan

    def _write_selection(self) -> None:
        assert self.design is not None
        draft, plan = self.design.draft, self.design.plan
        panel = self.form
        width = max(16, panel.content_region.width - 3)
        said = explanation(self.selection, draft, plan, self.app.producer.explain, width)
        general = [Content.styled(str(mistake), WRONG) for mistake in general_mistakes(draft, plan)]
        general += [Content.styled(self.design.failure, WRONG)] if self.design.failure else []
        fields = self._fields() if self.design.editable and self.selection.place else ()
        text = Content("\n\n").join([*general, *([said.text] if said.text else [])])
        title = said.title or ("Mistakes" if general else "")
        panel.show(self.selection.place, title, fields, mistakes_of(draft, plan), text, self._draws())
        if self.selection.part:
            self.app.find_out(self.design, self.selection.part)

    def _draws(self) -> Callable[[int, int], Content] | None:
        """What draws the picture of the part that is selected, of the document, its plan and what was found out."""
        part, design = self.selection.part, self.design
        if not part or design is None:
            return None
        draft, plan = design.draft, design.plan
        _, findings = design.findings.get(part, (None, NOTHING_YET))
        style = look(self.app.theme, os.environ)
        highest = WORDS if part in ("regularization", "training", "device") else PLOT

        def draw(width: int, height: int) -> Content:
            return picture(part, draft, plan, width, min(height, highest), findings=findings, look=style)

        return draw

    def action_picture(self) -> None:
        """Show the picture of the selected part as large as the terminal; of a layer, that of the data."""
        if self.design is None:
            return
        part = self.selection.part or "data"
        design, style = self.design, look(self.app.theme, os.environ)
        self.app.find_out(design, part)

        def draw(width: int, height: int) -> Content:
            _, findings = design.findings.get(part, (None, NOTHING_YET))
            drawn = picture(part, design.draft, design.plan, width, height, findings=findings, look=style)
            return drawn if drawn.plain.strip() else Content("There is no picture of this part.")

        self.app.push_screen(PictureScreen(PARTS[part].rstrip("."), draw))

    def _fields(self) -> tuple[Field, ...]:
        assert self.design is not None
        there = self.app.torch_is_there
        return self.app.producer.form(self.selection.place, self.draft, self.design.plan, parameters=there)

    @on(PanelResized)
    def _panel_resized(self) -> None:
        if self.design is not None:
            self._write_titles()
            self._write_selection()

    # What is selected.

    def _select(self, selection: Selection) -> None:
        if selection != self.selection and self.design is not None:
            self.selection = selection
            self._remember()
            self._write_selection()
            self._refresh_keys()

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        if event.option_list is self.focused:
            self._select_under_cursor()

    @on(OptionList.OptionSelected, "#parts, #layers")
    def _selected(self) -> None:
        self.action_edit()

    def on_descendant_focus(self) -> None:
        self._select_under_cursor()

    def _select_under_cursor(self) -> None:
        if self.design is None:
            return
        if self.focused is self.part_list and self.part_list.highlighted is not None:
            self._select(Selection(part=list(PARTS)[self.part_list.highlighted]))
        elif self.focused is self.layer_list and self.layer_list.highlighted is not None:
            path = self.path
            self._select(Selection(path=path) if path else Selection(part="data"))

    @property
    def path(self) -> str:
        """The layer under the cursor; empty on the input."""
        row, paths = self.layer_list.highlighted, self._paths
        return paths[row - 1] if row and row <= len(paths) else ""

    def _marked(self) -> tuple[str, ...]:
        """The layers that the next change is about: the marked ones, or the one under the cursor."""
        path = self.path
        if not path:
            return ()
        span = editing.span_between(self.marked_from, path) if self.marked_from in self._paths else None
        return (span or Span.of(path)).paths()

    @property
    def _span(self) -> Span | None:
        marked = self._marked()
        return editing.span_between(marked[0], marked[-1]) if marked else None

    # Changes.

    def change(self, text: str, what: str, *, at: str | None = None, group: str = "") -> None:
        """Make the document another text, check it, and show it; the cursor goes to the layer `at`."""
        design = self.design
        if design is None or not design.change(text, what, group):
            return
        self.marked_from = ""
        self._changed(at)

    def _changed(self, at: str | None = None) -> None:
        """Show the document after a change: as soon as its plan is there, or without it when that takes long."""
        assert self.design is not None
        design, draft = self.design, self.design.draft
        self.app.documents.keep(design)
        if at is not None and at in self._paths:
            self.selection = Selection(path=at)
        self._at = at
        self.app.check(design)

        def late() -> None:
            if self.design is design and design.draft is draft and design.plan is None:
                self.show(design, at=self._take_at())

        self.set_timer(CHECK_SHOWN_S, late)

    _at: str | None = None

    def _take_at(self) -> str | None:
        at, self._at = self._at, None
        return at

    def checked(self, design: Design) -> None:
        """Show what the check of a document found."""
        if design is self.design:
            self.show(design, at=self._take_at())

    def _edit(self, edit: Edit) -> None:
        self.change(edit.text, edit.what, at=edit.at)

    def _ready(self) -> bool:
        """Whether the document can be changed now; says why where it cannot."""
        if self.design is None:
            return False
        if not self.design.editable:
            self.notify("This document is not TOML: e opens it in an editor.", severity="warning", markup=False)
            return False
        if not self.app.torch_is_there:
            self.notify("torch is loading; it takes a few seconds.", markup=False)
            return False
        return True

    def action_undo(self) -> None:
        if self.design is not None:
            what = self.design.undo()
            self._said("undone: ", what, "nothing to undo")

    def action_redo(self) -> None:
        if self.design is not None:
            what = self.design.redo()
            self._said("redone: ", what, "nothing to redo")

    def _said(self, how: str, what: str, nothing: str) -> None:
        self.notify(how + what if what else nothing, timeout=2, markup=False)
        if what:
            self._changed()

    def action_edit(self) -> None:
        if self.form.rows.fields:
            self.form.begin()

    def action_leave_form(self) -> None:
        (self.layer_list if self.selection.path else self.part_list).focus()

    def action_add(self) -> None:
        if not self._ready():
            return
        assert self.design is not None
        at, draft = editing.after(self.path), self.draft
        items = self.app.producer.items("layers")
        picker = self._picker("Add a layer", "layers", items)

        def fit(result: Any) -> None:
            if picker.is_attached and not isinstance(result, Exception):
                unfit, shape = result
                picker.mark(unfit, f"gets {shape}" if shape else "")

        def add(name: str | None) -> None:
            if name is not None and self.design is not None and self.draft is draft:
                layer = self.app.producer.beginning("layers", name)
                self._edit(editing.add(self.design.text, self.path, [layer]))

        self.app.push_screen(picker, add)
        self.app.look(lambda: self.app.producer.fitting(draft, at), fit)

    def _picker(self, title: str, kind: str, items: list[Item], at: str = "") -> PickerScreen:
        return PickerScreen(title, items, lambda name: entry_text(self.app.producer.explain(kind, name)), at=at)

    def _on_span(self, make: Callable[[str, Span], Edit]) -> None:
        """Change the layers that are marked, or the one under the cursor."""
        span = self._span
        if span is not None and self.design is not None and self.design.editable:
            self._edit(make(self.design.text, span))

    def action_delete(self) -> None:
        self._on_span(editing.delete)

    def action_duplicate(self) -> None:
        self._on_span(editing.duplicate)

    def action_move(self, by: int) -> None:
        self._on_span(lambda text, span: editing.move(text, span, by))

    def action_copy(self) -> None:
        span = self._span
        if span is not None and self.design is not None:
            self.app.clipboard_layers = layers_of(self.design.text, span)
            self.notify(f"Copied {editing.names(self.app.clipboard_layers)}.", timeout=2, markup=False)

    def action_cut(self) -> None:
        self.action_copy()
        self.action_delete()

    def action_paste(self) -> None:
        if self.design is None or not self.design.editable:
            return
        if self.app.clipboard_layers:
            self._edit(editing.add(self.design.text, self.path, self.app.clipboard_layers))
        else:
            self.notify("Nothing was cut or copied yet.", timeout=2, markup=False)

    def action_wrap(self) -> None:
        if self._span is None or not self._ready():
            return
        about = self.app.producer.explain
        items = [Item(name, summary.summary if (summary := about("layers", name)) else "") for name in CONTAINERS]

        def wrap(name: str | None) -> None:
            if name is not None:
                self._on_span(lambda text, span: editing.wrap(text, span, name))

        self.app.push_screen(self._picker("Put into", "layers", items), wrap)

    def action_unwrap(self) -> None:
        if self.path and self.design is not None and self.design.editable:
            self._edit(editing.unwrap(self.design.text, self.path))

    def action_fold(self) -> None:
        path = self.path
        place = next((p for p in visible(self.draft) if p.path == path), None) if path else None
        if place is None or all(getattr(place.layer, name) is None for name in HELD):
            return
        self.folded = self.folded ^ {path}
        assert self.design is not None
        self.show(self.design, at=path)

    def action_mark(self, by: int) -> None:
        row = self.layer_list.highlighted
        if row is None or self.design is None:
            return
        self.marked_from = self.marked_from or self.path
        new = min(max(1, row + by), len(self._paths))
        self.layer_list.highlighted = new
        self.show(self.design)

    # The form.

    @on(FieldChanged)
    def _field_changed(self, event: FieldChanged) -> None:
        event.stop()
        if self.design is None:
            return
        text = self._with(event.field, event.value)
        shown = "default" if event.value is None else value_text(event.value)
        group = event.field.path if event.stepping else ""
        self.change(text, f"{event.field.name} {shown}", group=group)

    def _with(self, field: Field, value: Any) -> str:
        """The document with another value in a field."""
        assert self.design is not None
        text = self.design.text
        if value is None:
            return unset(text, field.path)
        if field.names or (field.options and field.off):
            return choose(text, field, str(value))
        if field.switch:
            return switch(text, field, bool(value))
        return set_value(text, field.path, value)

    @on(FieldAsked)
    def _field_asked(self, event: FieldAsked) -> None:
        event.stop()
        field = event.field
        if self.design is None or not self._ready():
            return
        task = self.design.plan.description.task if self.design.plan and self.design.plan.description else None
        kind = field.names
        items = self.app.producer.items(kind, task) if kind else []
        known = {item.name: item for item in items}
        more = [Item(name, _SPECIAL.get(name, "")) for name in field.options if not kind or name in ("auto", "none")]

        def chosen(name: str | None) -> None:
            if name is not None and name != field.value:
                self.post_message(FieldChanged(field, name))

        picker = self._picker(field.name, kind or "layers", [*more, *known.values()], at=str(field.value))
        self.app.push_screen(picker, chosen)

    @on(FieldTried)
    def _field_tried(self, event: FieldTried) -> None:
        """Check what is being typed, and say below it what it would make of the model."""
        event.stop()
        if self.design is None or not self.app.torch_is_there:
            return
        field = event.field
        draft = reads(self._with(field, event.value), origin=self.design.source)
        self._tried = draft

        def tried(plan: Any) -> None:
            if self._tried is draft and not isinstance(plan, Exception):
                before = {str(m) for m in mistakes_of(self.draft, self.design.plan if self.design else None)}
                new = [m for m in plan.mistakes if str(m) not in before]
                here = mistakes_at(field, new) or [m for m in new if m.severity == "error"]
                self.form.found(Content.styled(str(here[0]), WRONG) if here else Content(""))

        self.app.look(lambda: self.app.producer.plan_of(draft), tried)

    # The document.

    def action_fix(self) -> None:
        """Apply the fix of the mistake under the cursor, or of the first one that has one."""
        if self.design is None or not self._ready():
            return
        mistake = self._fixable()
        text = self.app.producer.remedied(self.design.text, mistake) if mistake is not None else None
        if mistake is None or text is None:
            self.notify("No fix here that one key could apply.", timeout=3, markup=False)
        else:
            self.change(text, f"fix {mistake.path}", at=self.path if self.selection.path else None)

    def _fixable(self) -> Mistake | None:
        """The mistake that a key would mend: one where the cursor is, or else the first one."""
        if self.design is None:
            return None
        mistakes = [m for m in mistakes_of(self.draft, self.design.plan) if m.remedy is not None]
        place = self.selection.place
        here = [m for m in mistakes if m.path == place or m.path.startswith((f"{place}.", f"{place}["))]
        return next(iter(here or mistakes), None)

    def action_train(self) -> None:
        if self.design is not None:
            self.app.train(self.design)

    def action_save(self) -> None:
        if self.design is not None:
            self.app.documents.save(self.design)

    def action_save_as(self) -> None:
        if self.design is not None:
            self.app.documents.save(self.design, ask=True)

    def action_open(self) -> None:
        self.app.documents.ask_open()

    def action_new(self) -> None:
        self.app.documents.ask_new()

    def action_template(self) -> None:
        if not self._ready():
            return
        items = [Item("empty", "No layer yet: begin from the input."), *self.app.documents.preset_items()]

        def take(name: str | None) -> None:
            if name is not None and self.design is not None:
                text = editing.EMPTY if name == "empty" else preset_text(name)
                self._edit(editing.take_model(self.design.text, text))

        self.app.push_screen(PickerScreen("Take the model of", items), take)

    def action_editor(self) -> None:
        if self.design is not None:
            self.app.documents.edit_outside(self.design)

    def action_command_line(self) -> None:
        if self.design is not None:
            self.app.documents.show_command(self.design)

    def action_rate_finder(self) -> None:
        if (plan := self._plan_to_probe()) is not None:
            self.app.push_screen(RateFinderScreen(plan, self.app.producer), self._rate_found)

    def action_gradients(self) -> None:
        if (plan := self._plan_to_probe()) is not None:
            self.app.push_screen(GradientCheckScreen(plan, self.app.producer))

    def action_one_batch(self) -> None:
        if (plan := self._plan_to_probe()) is not None:
            self.app.push_screen(OneBatchScreen(plan, self.app.producer))

    def _plan_to_probe(self) -> Plan | None:
        """The plan, where it can be built and nothing trains; else the reason is said."""
        plan = self.design.plan if self.design is not None else None
        if plan is not None and plan.ok and self.app.going is None:
            return plan
        wrong = sum(m.severity == "error" for m in plan.mistakes) if plan is not None else 0
        said = LOADING if plan is None else f"{wrong} mistake{'s are' if wrong > 1 else ' is'} in the way."
        going = self.app.going
        if plan is not None and going is not None:
            said = f"{going.directory.name} is training, and a probe would disturb its random numbers. Stop it first."
        self.app.notify(said, severity="warning", markup=False)
        return None

    def _rate_found(self, rate: float | None) -> None:
        if rate is not None:
            self.take_rate(rate)

    def take_rate(self, rate: float) -> None:
        """Make a rate that was found the document's."""
        if self.design is not None and self._ready():
            self.change(set_value(self.design.text, "optimizer.lr", rate), f"lr {value_text(rate)}")
            self.notify(f"Set optimizer.lr to {rate:g}", markup=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "train" and self.design is not None:
            plan = self.design.plan
            return None if plan is not None and not plan.ok else True
        if action == "fix":
            return self._fixable() is not None
        if action == "undo" and self.design is not None:
            return True if self.design.history.can_undo else None
        return True


_SPECIAL = {
    "auto": "What suits the task: for classes CrossEntropyLoss, for numbers MSELoss.",
    "none": "Nothing of the kind; what is left out begins as torch has it.",
}
