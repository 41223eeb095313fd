"""The design screen as far as it is looked at: what is shown, what is selected, and that a change is checked."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList

from engine.editing import layers as editing
from engine.editing.layers import Edit
from engine.editing.text import Span
from engine.experiment import Draft
from tui.pictures import NOTHING_YET, look, picture
from tui.rows.design import (
    PARTS,
    WRONG,
    device_text,
    general_mistakes,
    layer_rows,
    mistakes_of,
    part_rows,
    totals,
    visible,
)
from tui.rows.explanations import LOADING, Selection, explanation
from tui.widgets.design_lists import LayerHeading, LayerList, PanelResized, PartList
from tui.widgets.footer import Footer
from tui.widgets.form import FormPanel
from tui.widgets.header import DeckHeader

if TYPE_CHECKING:
    from engine.editing.form import Field
    from tui.deck.app import Deck
    from tui.services.design import Design

TALL = 30
"""Terminal rows from which a part shows more than its value."""

CHECK_SHOWN_S = 0.1
"""How long the last plan stays on the screen while the next one is made."""

PLOT, WORDS = 14, 100
"""Rows that a picture beside a form has at most; p shows it larger."""


class DesignView(Screen[None]):
    """Shows a document, its plan, and the form of what is selected. Its keys are those of the classes that follow."""

    app: Deck

    def __init__(self) -> None:
        super().__init__()
        self.design: Design | None = None
        self.selection = Selection(part="data")
        self.folded: frozenset[str] = frozenset()
        self.marked_from = ""
        """The layer that marking began at."""
        self._tried: Draft | None = None
        self._can: tuple[object, ...] = ()

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

    @property
    def shown_now(self) -> frozenset[str]:
        """What the footer shows beside its own keys: what saves changes, and what mends a text that is no TOML."""
        if self.design is None:
            return frozenset()
        shown = {"save"} if self.design.unsaved else set()
        return frozenset(shown if self.design.editable else {*shown, "editor"})

    def _refresh_keys(self) -> None:
        """Write the footer anew where a key can be pressed now that could not before, or the other way round.

        A footer that is written anew costs more than all the rest of a key.
        """
        can = (*(self.check_action(action, ()) for action in ("train", "undo", "fix")), self.shown_now)
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
        said, rest = totals(plan, max(0, model.size.width - 14))
        if plan is None:
            said = "the check broke" if self.design.failure else LOADING if not self.app.torch_is_there else ""
        model.border_title = f"Model ─ {said}" if said else "Model"
        wrong = [m for m in mistakes_of(draft, plan) if m.severity == "error"]
        pending = self.app.control.pending
        waits = "about to train" if pending is not None and pending.design is self.design else ""
        count = f"✗ {len(wrong)} mistake{'s' if len(wrong) != 1 else ''}" if wrong else ""
        model.border_subtitle = waits or count or rest
        self.query_one(LayerHeading).shown = draft, plan, self.folded

    def reading(self, text: str) -> None:
        """Say how far the data is that is read or downloaded, in the place of the model's size."""
        self.query_one("#model", Vertical).border_title = f"Model ─ {text}"

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
        """What draws the picture of the part that is selected, beside its form."""
        part, design = self.selection.part, self.design
        if not part or design is None:
            return None
        highest = WORDS if part in ("regularization", "training", "device") else PLOT
        return lambda width, height: self.picture_of(design, part, width, min(height, highest))

    def picture_of(self, design: Design, part: str, width: int, height: int) -> Content:
        """The picture of a part, of the document, its plan and what was found out by now."""
        _, findings = design.findings.get(part, (None, NOTHING_YET))
        style = look(self.app.theme, os.environ)
        return picture(part, design.draft, design.plan, width, height, findings=findings, look=style)

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

    def action_edit(self) -> None:
        if self.form.rows.fields:
            self.form.begin()

    def action_leave_form(self) -> None:
        (self.layer_list if self.selection.path else self.part_list).focus()
