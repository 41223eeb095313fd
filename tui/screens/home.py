"""The first screen: the presets, the recent runs, and details of the one under the cursor."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static

from engine import Preset
from tui.rows.home import NO_RUNS, preset_panel, preset_rows, run_panel, run_rows
from tui.screens.deck_screen import DeckScreen
from tui.services.deck_services import DeckServices
from tui.services.design import Design
from tui.services.run_controller import ListedRuns
from tui.widgets.footer import Footer
from tui.widgets.header import DeckHeader
from tui.widgets.row_list import RowList

if TYPE_CHECKING:
    from engine import RunSummary

LIST_RUNS_S = 3.0
"""How often the list of runs is read again."""


class PresetList(RowList):
    """The presets."""

    HELP = "Experiments that come with torchdeck. Each is a TOML file: `torchdeck presets NAME` prints it."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Plan", id="home.plan", tooltip="Show what this preset trains, layer by layer"),
    ]


class RunList(RowList):
    """The runs in the runs folder, the newest first."""

    HELP = (
        "The runs in the runs folder. ● training  ‖ paused  ✓ completed  ■ stopped  ✗ failed  ? stale: its process "
        "exited unexpectedly  ! unreadable."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter",
            "select",
            "Open",
            id="home.open_run",
            tooltip="Show this run's curves; control an active run",
        ),
        Binding("r", "screen.resume", "Resume", id="home.resume", tooltip="Resume this run from its last checkpoint"),
    ]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.option_count > 0 if action == "select" else True


class HomeScreen(DeckScreen):
    """The presets and the runs."""

    CSS_PATH = "home.tcss"
    TITLE = "Presets and runs"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "train", "Train", id="home.train", tooltip="Train the preset under the cursor"),
        Binding("n", "new", "New", id="home.new", tooltip="A new document: empty, or from a preset"),
        Binding(
            "ctrl+o",
            "open",
            "Open",
            show=False,
            id="home.open",
            tooltip="Open a file or an unsaved document",
        ),
    ]

    def compose(self) -> ComposeResult:
        yield DeckHeader("Runs", tabs=self.services.tabs)
        with Container(id="home"):
            yield PresetList(id="presets")
            yield RunList(id="runs")
            with VerticalScroll(id="about", can_focus=False):
                yield Static(id="about-text")
        yield Footer()

    def __init__(self, services: DeckServices) -> None:
        super().__init__(services)
        self.presets = services.producer.presets()
        self.runs: list[RunSummary] = []
        self._no_runs = ""
        """What to show instead of runs; empty until the list was read."""
        self._about_shown: tuple[str, Content] | None = None

    def on_mount(self) -> None:
        self.preset_list.border_title = "Presets"
        self.run_list.border_title = "Runs"
        self.preset_list.show_rows(lambda width: preset_rows(self.presets, width), at=0)
        self.run_list.show_rows(self._run_rows)
        self.preset_list.focus()
        self.set_interval(LIST_RUNS_S, self._list_again)

    @property
    def preset_list(self) -> PresetList:
        return self.query_one("#presets", PresetList)

    @property
    def run_list(self) -> RunList:
        return self.query_one("#runs", RunList)

    @property
    def preset(self) -> Preset | None:
        """The preset under the cursor."""
        at = self.preset_list.highlighted
        return self.presets[at] if at is not None and at < len(self.presets) else None

    @property
    def run(self) -> RunSummary | None:
        """The run under the cursor."""
        at = self.run_list.highlighted
        return self.runs[at] if at is not None and at < len(self.runs) else None

    @property
    def document(self) -> Design | None:
        """The document of the preset under the cursor."""
        return self.services.documents.of_preset(self.preset.name) if self.preset is not None else None

    def _list_again(self) -> None:
        if self.is_current:
            self.services.runs.read_list()

    def runs_listed(self, listed: ListedRuns) -> None:
        """Show the runs; the cursor stays on its run."""
        runs, problem = listed.runs, listed.problem
        under = self.run.path if self.run else None
        if problem and problem != self._no_runs:
            self.notify(problem, title="Runs", severity="error", timeout=20, markup=False)
        came = bool(runs) != bool(self.runs)
        self.runs, self._no_runs = runs, problem or NO_RUNS
        at = next((i for i, run in enumerate(runs) if run.path == under), None)
        self.run_list.show_rows(self._run_rows, at=at)
        if came:
            self.refresh_bindings()
        active = sum(run.status == "live" for run in runs)
        title = "cannot be read" if problem else f"{active} training" if active else ""
        if title != self.run_list.border_subtitle:  # setting a title draws it again, even if it is the same
            self.run_list.border_subtitle = title
        self.show_about()

    def _run_rows(self, width: int) -> list[Content]:
        return run_rows(self.runs, time.time(), width)

    def show_about(self) -> None:
        """Show details of what is under the cursor in the panel."""
        about = self.query_one("#about", VerticalScroll)
        title, text = self._about(max(20, about.scrollable_content_region.width - 2))
        if self._about_shown is None or title != self._about_shown[0] or not text.is_same(self._about_shown[1]):
            self._about_shown = title, text
            about.border_title = title
            self.query_one("#about-text", Static).update(text)

    def _about(self, width: int) -> tuple[str, Content]:
        """Title and text of the panel."""
        if self.focused is self.run_list and self.run is None:
            return "Run", Content(self._no_runs)
        if self.focused is self.run_list and self.run is not None:
            return self.run.name, run_panel(self.run, width)
        if self.preset is None:
            return "", Content("")
        design = self.services.documents.of_preset(self.preset.name)
        text = preset_panel(self.preset, design.draft, design.plan, width, failure=design.failure)
        return self.preset.name, text

    def on_resize(self) -> None:
        self.call_after_refresh(self.show_about)

    def on_screen_resume(self) -> None:
        self.services.runs.read_list()
        self.show_about()
        self.check_shown()

    def plan_made(self, design: Design) -> None:
        self.show_about()

    def check_shown(self) -> None:
        if self.document is not None:
            self.services.plans.check_soon(self.document)

    def on_descendant_focus(self) -> None:
        self.show_about()
        self.refresh_bindings()

    @on(OptionList.OptionHighlighted, "#presets")
    def _preset_highlighted(self) -> None:
        self.show_about()
        self.check_shown()

    @on(OptionList.OptionHighlighted, "#runs")
    def _run_highlighted(self) -> None:
        self.show_about()
        self.refresh_bindings()

    @on(OptionList.OptionSelected, "#presets")
    def _preset_selected(self) -> None:
        if self.document is not None:
            self.services.documents.open(self.document)

    @on(OptionList.OptionSelected, "#runs")
    def _run_selected(self) -> None:
        if self.run is not None and self.run.status == "unreadable":
            self.notify(self.run.problem, severity="error", markup=False)
        elif self.run is not None:
            self.services.runs.open_run(self.run.path)

    def action_train(self) -> None:
        if self.document is not None:
            self.services.runs.train(self.document)

    def action_resume(self) -> None:
        if self.run is not None:
            self.services.runs.resume(self.run.path)

    def action_new(self) -> None:
        self.services.documents.ask_new()

    def action_open(self) -> None:
        self.services.documents.ask_open()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "train":
            # Without runs, only a preset can be trained, and the list of runs says so.
            return self.focused is self.preset_list or not self.runs
        if action == "resume":
            return self.run is not None and self.run.status in ("stale", "interrupted", "stopped")
        return True
