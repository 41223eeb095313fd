"""The screen that the deck opens on: the presets, the recent runs, and what the one under the cursor is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList, Static

from engine.experiment import Preset
from tui.rows.home import NO_RUNS, preset_panel, preset_rows, run_panel, run_rows
from tui.widgets.footer import Footer
from tui.widgets.header import DeckHeader
from tui.widgets.row_list import RowList

if TYPE_CHECKING:
    from engine.runs import RunSummary
    from tui.deck.app import Deck


class PresetList(RowList):
    """The presets."""

    HELP = "Experiments that come with torchdeck. Each is a TOML file: `torchdeck presets NAME` prints it."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Plan", id="home.plan", tooltip="See what this preset will train, layer by layer"),
    ]


class RunList(RowList):
    """The runs of the run directory, the newest first."""

    HELP = (
        "Runs in the run directory. ● training  ‖ paused  ✓ completed  ■ stopped  ✗ failed  ? stale: its process "
        "exited unexpectedly  ! unreadable."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter", "select", "Open", id="home.open_run", tooltip="See this run's curves; steer it while it is going"
        ),
        Binding("r", "screen.resume", "Resume", id="home.resume", tooltip="Go on from this run's last checkpoint"),
    ]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.option_count > 0 if action == "select" else True


class HomeScreen(Screen[None]):
    """Presets and runs."""

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
            tooltip="Open a document: a file, or one that was not saved",
        ),
    ]
    app: Deck

    def compose(self) -> ComposeResult:
        yield DeckHeader("Runs")
        with Container(id="home"):
            yield PresetList(id="presets")
            yield RunList(id="runs")
            with VerticalScroll(id="about", can_focus=False):
                yield Static(id="about-text")
        yield Footer()

    def __init__(self) -> None:
        super().__init__()
        self.presets = self.app.producer.presets()
        self.runs: list[RunSummary] = []
        self._no_runs = ""
        """What is said where no run is: nothing until the list was read."""
        self._about_shown: tuple[str, Content] | None = None

    def on_mount(self) -> None:
        self.preset_list.border_title = "Presets"
        self.run_list.border_title = "Runs"
        self.preset_list.show_rows(lambda width: preset_rows(self.presets, width), at=0)
        self.run_list.show_rows(self._run_rows)
        self.preset_list.focus()

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

    def show_runs(self, runs: list[RunSummary], *, problem: str = "") -> None:
        """Show the runs as they are now; the cursor stays on the run that it was on.

        Args:
            problem: why they cannot be listed, as a sentence.
        """
        under = self.run.path if self.run else None
        if problem and problem != self._no_runs:
            self.notify(problem, title="Runs", severity="error", timeout=20, markup=False)
        came = bool(runs) != bool(self.runs)
        self.runs, self._no_runs = runs, problem or NO_RUNS
        at = next((i for i, run in enumerate(runs) if run.path == under), None)
        self.run_list.show_rows(self._run_rows, at=at)
        if came:
            self.refresh_bindings()
        live = sum(run.status == "live" for run in runs)
        said = "cannot be read" if problem else f"{live} training" if live else ""
        if said != self.run_list.border_subtitle:  # a title that is set is drawn again, also where it is the same
            self.run_list.border_subtitle = said
        self.show_about()

    def _run_rows(self, width: int) -> list[Content]:
        return run_rows(self.runs, time.time(), width)

    def show_about(self) -> None:
        """Write what is under the cursor into the panel."""
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
        design = self.app.design_of(self.preset.name)
        text = preset_panel(self.preset, design.draft, design.plan, width, failure=design.failure)
        return self.preset.name, text

    def on_resize(self) -> None:
        self.call_after_refresh(self.show_about)

    def on_screen_resume(self) -> None:
        self.app.list_runs()
        self.show_about()
        if self.preset is not None:
            self.app.check_soon(self.app.design_of(self.preset.name))

    def on_descendant_focus(self) -> None:
        self.show_about()
        self.refresh_bindings()

    @on(OptionList.OptionHighlighted, "#presets")
    def _preset_highlighted(self) -> None:
        self.show_about()
        if self.preset is not None:
            self.app.check_soon(self.app.design_of(self.preset.name))

    @on(OptionList.OptionHighlighted, "#runs")
    def _run_highlighted(self) -> None:
        self.show_about()
        self.refresh_bindings()

    @on(OptionList.OptionSelected, "#presets")
    def _preset_selected(self) -> None:
        if self.preset is not None:
            self.app.open_design(self.app.design_of(self.preset.name))

    @on(OptionList.OptionSelected, "#runs")
    def _run_selected(self) -> None:
        if self.run is not None and self.run.status == "unreadable":
            self.notify(self.run.problem, severity="error", markup=False)
        elif self.run is not None:
            self.app.open_run(self.run.path)

    def action_train(self) -> None:
        if self.preset is not None:
            self.app.train(self.app.design_of(self.preset.name))

    def action_resume(self) -> None:
        if self.run is not None:
            self.app.resume(self.run.path)

    def action_new(self) -> None:
        self.app.documents.ask_new()

    def action_open(self) -> None:
        self.app.documents.ask_open()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "train":
            # With no runs there is nothing else that it could be about, and the list of runs says so.
            return self.focused is self.preset_list or not self.runs
        if action == "resume":
            return self.run is not None and self.run.status in ("stale", "interrupted", "stopped")
        return True
