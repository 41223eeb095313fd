"""The plan of one experiment: its parts, its layers with their shapes and mistakes, and what the selected one is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer, OptionList, Static

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
)
from tui.explanations import LOADING, Explained, Selection, explanation
from tui.widgets.header import DeckHeader
from tui.widgets.row_list import PANEL_KEYS, RowList

if TYPE_CHECKING:
    from engine.experiment import Draft
    from engine.plan import Plan
    from tui.app import Deck, Design

TALL = 30
"""Terminal rows from which a part shows more than its value."""


class PartList(RowList):
    """The parts of the experiment."""

    HELP = "What the run is made of. ✗ marks a mistake; below it stands what to do."


class LayerList(RowList):
    """The layers, in the order of the forward pass."""

    HELP = "The layers, each with the shape of its output (without the batch) and its parameters. ✗ marks a mistake."


class PanelResized(Message):
    """A panel has another width: what was written for the old one does not fit."""


class LayerHeading(Widget):
    """The names of the layer table's columns, where the rows below have them."""

    shown: reactive[tuple[Draft, Plan | None] | None] = reactive(None)

    def render(self) -> Content:
        return Content("") if self.shown is None else layer_heading(*self.shown, self.content_size.width)

    def on_resize(self) -> None:
        self.post_message(PanelResized())


class SelectionPanel(VerticalScroll):
    """What the selected part or layer is."""

    BINDINGS: ClassVar[list[BindingType]] = PANEL_KEYS
    HELP = "The values of what is selected, its defaults, what it does, when to use it, and its name in torch."

    def on_resize(self) -> None:
        self.post_message(PanelResized())


class DesignScreen(Screen[None]):
    """An experiment as it will be trained."""

    CSS_PATH = "design.tcss"
    TITLE = "Design"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "train", "Train", tooltip="Train this experiment"),
        Binding("escape", "app.runs", "Back", tooltip="Back to the presets and runs"),
    ]
    app: Deck

    def __init__(self) -> None:
        super().__init__()
        self.design: Design | None = None
        self.selection = Selection(part="data")

    def compose(self) -> ComposeResult:
        yield DeckHeader("Design")
        with Container(id="design"):
            yield PartList(id="parts")
            with Vertical(id="model"):
                yield LayerHeading()
                yield LayerList(id="layers")
            with SelectionPanel(id="selection"):
                yield Static(id="selection-text")
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

    def show(self, design: Design) -> None:
        """Show another experiment, or the same one with what is known of it by now."""
        changed = design is not self.design
        self.design = design
        header = self.query_one(DeckHeader)
        header.subtitle = design.name
        header.right = device_text(design.plan)
        draft, plan = design.draft, design.plan
        tall = self.size.height >= TALL
        self.part_list.show_rows(lambda width: part_rows(draft, plan, width, details=tall), at=0 if changed else None)
        self.layer_list.show_rows(lambda width: layer_rows(draft, plan, width), at=1 if changed else None)
        if changed:
            self.selection = Selection(row=1) if self.focused is self.layer_list else Selection(part="data")
        self._write_titles()
        self._write_selection()
        self.refresh_bindings()

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
            said = "the check broke" if self.design.failure else LOADING
        model.border_title = f"Model ─ {said}" if said else "Model"
        wrong = [m for m in mistakes_of(draft, plan) if m.severity == "error"]
        waits = "trains as soon as torch is there" if self.app.will_train is self.design else ""
        count = f"✗ {len(wrong)} mistake{'s' if len(wrong) != 1 else ''}" if wrong else ""
        model.border_subtitle = waits or count or rest
        self.query_one(LayerHeading).shown = draft, plan

    def _write_selection(self) -> None:
        assert self.design is not None
        draft, plan = self.design.draft, self.design.plan
        panel = self.query_one("#selection", SelectionPanel)
        width = max(16, panel.scrollable_content_region.width)
        said = explanation(self.selection, draft, plan, self._explain, width)
        general = [Content.styled(str(mistake), WRONG) for mistake in general_mistakes(draft, plan)]
        general += [Content.styled(self.design.failure, WRONG)] if self.design.failure else []
        panel.border_title = said.title or ("Mistakes" if general else "")
        text = self.query_one("#selection-text", Static)
        text.update(Content("\n\n").join([*general, *([said.text] if said.text else [])]))

    @on(PanelResized)
    def _panel_resized(self) -> None:
        if self.design is not None:
            self._write_titles()
            self._write_selection()

    def _explain(self, kind: str, name: str) -> Explained | None:
        there = self.design is not None and self.design.plan is not None
        return self.app.producer.explain(kind, name, parameters=there)

    def _select(self, selection: Selection) -> None:
        if selection != self.selection and self.design is not None:
            self.selection = selection
            self._write_selection()
            self.query_one("#selection", SelectionPanel).scroll_home(animate=False)

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        if event.option_list is self.focused:
            self._select_under_cursor()

    def on_descendant_focus(self) -> None:
        self._select_under_cursor()

    def _select_under_cursor(self) -> None:
        if self.focused is self.part_list and self.part_list.highlighted is not None:
            self._select(Selection(part=list(PARTS)[self.part_list.highlighted]))
        elif self.focused is self.layer_list and self.layer_list.highlighted is not None:
            self._select(Selection(row=self.layer_list.highlighted))

    def action_train(self) -> None:
        if self.design is not None:
            self.app.train(self.design)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "train" and self.design is not None:
            plan = self.design.plan
            return None if plan is not None and not plan.ok else True
        return True
