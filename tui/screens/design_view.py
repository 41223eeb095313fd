"""What the design screen shows and what is selected in it; every change is checked and shown."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content
from textual.widgets import OptionList

from engine import Draft, Edit, Span, layer_editing
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
from tui.screens.deck_screen import DeckScreen
from tui.services.deck_services import DeckServices
from tui.services.design import Design
from tui.widgets.design_lists import LayerHeading, LayerList, PanelResized, PartList
from tui.widgets.footer import Footer
from tui.widgets.form import FormPanel
from tui.widgets.header import DeckHeader

if TYPE_CHECKING:
    from engine import FormField

TALL = 30
"""With at least so many terminal rows, a part shows more than its value."""

CHECK_SHOWN_S = 0.1
"""How long the previous plan stays on the screen while the next one is made."""

PLOT, WORDS = 14, 100
"""Maximum rows of a picture below a form; p shows it larger."""


class DesignView(DeckScreen):
    """Shows a document, its plan, and the form of what is selected. Its subclasses add the keys."""

    def __init__(self, services: DeckServices, design: Design) -> None:
        super().__init__(services)
        self.design = design
        self._shown: Design | None = None
        """The document that is on the screen; none before the first frame."""
        self.selection = Selection(part="data")
        self.folded: frozenset[str] = frozenset()
        self.marked_from = ""
        """The first of the marked layers."""
        self._tried: Draft | None = None
        self._can: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        yield DeckHeader("Design", tabs=self.services.tabs)
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
        """The document as it was read."""
        return self.design.draft

    # What is shown is a function of the document, its plan, and what is selected, folded and marked.

    def show(self, design: Design, *, at: str | None = None) -> None:
        """Show another document, or the same one after a change; put the cursor on the layer `at`."""
        changed = design is not self._shown
        self.design = self._shown = design
        kept = self.services.memory.document(design.source) if changed else None
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
        if self.design.source:
            part, path = self.selection.part, self.selection.path
            self.services.memory.keep_document(self.design.source, part=part, path=path, folded=self.folded)

    @property
    def footer_actions(self) -> frozenset[str]:
        """Additional keys for the footer: s if there are unsaved changes, e if the text is not valid TOML."""
        shown = {"save"} if self.design.unsaved else set()
        return frozenset(shown if self.design.editable else {*shown, "editor"})

    def _refresh_keys(self) -> None:
        """Update the footer if a key became available or unavailable.

        Updating the footer costs more than the rest of the work for a key.
        """
        can = (*(self.check_action(action, ()) for action in ("train", "undo", "fix")), self.footer_actions)
        if can != self._can:
            self._can = can
            self.refresh_bindings()

    @property
    def _paths(self) -> list[str]:
        """The paths of the layers that are shown, in the order of the rows after the input."""
        return [place.path for place in visible(self.draft, self.folded)]

    def _row_of(self, path: str) -> int:
        paths = self._paths
        return paths.index(path) + 1 if path in paths else 0

    def on_resize(self) -> None:
        if self._shown is not None:
            self.call_after_refresh(self.show, self._shown)

    def on_screen_resume(self) -> None:
        self.show(self.services.documents.current or self.design)

    def document_opened(self, design: Design) -> None:
        self.show(design)

    def document_updated(self, design: Design) -> None:
        if design is self.design:
            self.show(design)

    def check_shown(self) -> None:
        self.services.plans.check(self.design)

    def _write_titles(self) -> None:
        draft, plan = self.design.draft, self.design.plan
        model = self.query_one("#model", Vertical)
        size, rest = totals(plan, max(0, model.size.width - 14))
        if plan is None:
            size = (
                "the check failed" if self.design.failure else LOADING if not self.services.plans.torch_loaded else ""
            )
        model.border_title = f"Model ─ {size}" if size else "Model"
        wrong = [m for m in mistakes_of(draft, plan) if m.severity == "error"]
        pending = self.services.runs.pending
        waits = "about to train" if pending is not None and pending.design is self.design else ""
        count = f"✗ {len(wrong)} mistake{'s' if len(wrong) != 1 else ''}" if wrong else ""
        model.border_subtitle = waits or count or rest
        self.query_one(LayerHeading).shown = draft, plan, self.folded

    def reading(self, text: str) -> None:
        """Show the progress of reading or downloading data in the title of the model's panel."""
        self.query_one("#model", Vertical).border_title = f"Model ─ {text}"

    def _write_selection(self) -> None:
        draft, plan = self.design.draft, self.design.plan
        panel = self.form
        width = max(16, panel.content_region.width - 3)
        about = explanation(self.selection, draft, plan, self.services.producer.explain, width)
        general = [Content.styled(str(mistake), WRONG) for mistake in general_mistakes(draft, plan)]
        general += [Content.styled(self.design.failure, WRONG)] if self.design.failure else []
        fields = self._fields() if self.design.editable and self.selection.place else ()
        text = Content("\n\n").join([*general, *([about.text] if about.text else [])])
        title = about.title or ("Mistakes" if general else "")
        panel.show(self.selection.place, title, fields, mistakes_of(draft, plan), text, self._draws())
        if self.selection.part:
            self.services.plans.find_out(self.design, self.selection.part)

    def _draws(self) -> Callable[[int, int], Content] | None:
        """Return the function that draws the picture of the selected part; None if a layer is selected."""
        part, design = self.selection.part, self.design
        if not part:
            return None
        highest = WORDS if part in ("regularization", "training", "device") else PLOT
        return lambda width, height: self.picture_of(design, part, width, min(height, highest))

    def picture_of(self, design: Design, part: str, width: int, height: int) -> Content:
        """Draw the picture of a part from the document, its plan and the findings."""
        _, findings = design.findings.get(part, (None, NOTHING_YET))
        style = look(self.app.theme, os.environ)
        return picture(part, design.draft, design.plan, width, height, findings=findings, look=style)

    def _fields(self) -> tuple[FormField, ...]:
        loaded = self.services.plans.torch_loaded
        return self.services.producer.form(self.selection.place, self.draft, self.design.plan, parameters=loaded)

    @on(PanelResized)
    def _panel_resized(self) -> None:
        if self._shown is not None:
            self._write_titles()
            self._write_selection()

    # What is selected.

    def _select(self, selection: Selection) -> None:
        if selection != self.selection and self._shown is not None:
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
        if self._shown is None:
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
        """The layers that the next change affects: the marked ones, or the one under the cursor."""
        path = self.path
        if not path:
            return ()
        span = layer_editing.span_between(self.marked_from, path) if self.marked_from in self._paths else None
        return (span or Span.of(path)).paths()

    @property
    def _span(self) -> Span | None:
        marked = self._marked()
        return layer_editing.span_between(marked[0], marked[-1]) if marked else None

    # Changes.

    def change(self, text: str, what: str, *, at: str | None = None, group: str = "") -> None:
        """Replace the document's text, check it, and show it; the cursor goes to the layer `at`."""
        if not self.design.change(text, what, group):
            return
        self.marked_from = ""
        self._changed(at)

    def _changed(self, at: str | None = None) -> None:
        """Show the document after a change: when its plan is ready, or without a plan if that takes long."""
        design, draft = self.design, self.design.draft
        self.services.documents.keep(design)
        if at is not None and at in self._paths:
            self.selection = Selection(path=at)
        self._at = at
        self.services.plans.check(design)

        def late() -> None:
            if self.design is design and design.draft is draft and design.plan is None:
                self.show(design, at=self._take_at())

        self.set_timer(CHECK_SHOWN_S, late)

    _at: str | None = None

    def _take_at(self) -> str | None:
        at, self._at = self._at, None
        return at

    def plan_made(self, design: Design) -> None:
        """Show the plan of the document."""
        if design is self.design:
            self.show(design, at=self._take_at())

    def _edit(self, edit: Edit) -> None:
        self.change(edit.text, edit.what, at=edit.at)

    def _ready(self) -> bool:
        """Whether the document can be changed now; if not, notify why."""
        if not self.design.editable:
            self.notify(
                "This document is not valid TOML. Press e to open it in an editor.", severity="warning", markup=False
            )
            return False
        if not self.services.plans.torch_loaded:
            self.notify("torch is loading. This takes a few seconds.", markup=False)
            return False
        return True

    def action_edit(self) -> None:
        if self.form.rows.fields:
            self.form.begin()

    def action_leave_form(self) -> None:
        (self.layer_list if self.selection.path else self.part_list).focus()
