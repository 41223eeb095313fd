"""The train screen: the curves, the state and the log of a run, and the keys that control it."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import Screen
from textual.widgets import Static

from engine import Command, SetLR, Simple
from tui.dialogs.stop import StopScreen
from tui.feed import Feed, Source
from tui.plots.raster import Marker
from tui.quantities import span_text
from tui.run_view import RunView
from tui.services.deck_services import DeckServices
from tui.services.design import Design
from tui.services.requested_run import RequestedRun
from tui.terminal.app import TerminalApp
from tui.terminal.frame_budget import FrameBudget
from tui.terminal.kind import terminal_kind
from tui.widgets.curves import CurvePanel, LossPanel, MetricPanel, PlotOptions, RatePanel
from tui.widgets.device import DevicePanel
from tui.widgets.footer import Footer
from tui.widgets.header import DeckHeader
from tui.widgets.log import LogPanel
from tui.widgets.panel import Panel, RowWidget
from tui.widgets.status import Ending, StatusLine

PULL_S = 0.25
"""How often the screen reads the run's events, and the most often it draws them."""
RATE_FACTOR = 1.5


class TrainScreen(Screen[None]):
    """A run that is trained here or in another process. The screen's own timer drains `source`."""

    CSS_PATH = ["../widgets/tones.tcss", "train.tcss"]  # noqa: RUF012
    TITLE = "Train"
    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide"), (160, "-very-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "again", "Train again", id="train.again", show=False, tooltip="Train this document again"),
        Binding("r", "resume", "Resume", id="train.resume", show=False, tooltip="Resume from the last checkpoint"),
        Binding("e", "edit", "Edit", id="train.edit", show=False, tooltip="Open the document of this run"),
        Binding("escape", "back", "Back", id="train.back", show=False, tooltip="Back to the design, or to the runs"),
        Binding("p", "pause", "Pause", id="train.pause", tooltip="Pause at the next step; p continues"),
        Binding("p", "go_on", "Continue", id="train.continue", tooltip="Continue the run"),
        Binding(
            "P",
            "release",
            "Pause, device free",
            id="train.release",
            show=False,
            tooltip="Pause the run and release its device memory; p continues it",
        ),
        Binding("s", "stop", "Stop", id="train.stop", tooltip="Stop the run at the next step and keep the model"),
        Binding("c", "checkpoint", "Save", id="train.checkpoint", tooltip="Save a checkpoint now"),
        Binding(
            "plus,equals_sign",
            f"scale_rate({RATE_FACTOR})",
            "Rate",
            id="train.rate_up",
            key_display="+/-",
            tooltip=f"Multiply the learning rate by {RATE_FACTOR}; - divides it",
        ),
        Binding(
            "minus",
            f"scale_rate({1 / RATE_FACTOR})",
            "Rate down",
            id="train.rate_down",
            key_display="-",
            show=False,
            tooltip=f"Divide the learning rate by {RATE_FACTOR}",
        ),
        Binding("L", "log", "Log", id="train.log", tooltip="Switch between logarithmic and linear axes"),
        Binding("S", "smooth", "Smooth", id="train.smooth", tooltip="Change the smoothing of the loss: off, 0.6, 0.9"),
        Binding("z", "zoom", "Zoom", id="train.zoom", tooltip="Show the whole run, or its last part"),
        Binding(
            "d", "detach", "Detach", id="train.detach", tooltip="Leave the deck; the run continues in the background"
        ),
        Binding("pageup", "scroll_log(1)", "Page up", show=False, id="train.log_up", tooltip="Log: one page up"),
        Binding(
            "pagedown",
            "scroll_log(-1)",
            "Page down",
            show=False,
            id="train.log_down",
            tooltip="Log: one page down",
        ),
        Binding("m", "metric", "Metric", id="train.metric", show=False, tooltip="Show the next metric"),
    ]

    def __init__(
        self,
        source: Source | None = None,
        run_name: str = "",
        *,
        design: Design | None = None,
        directory: Path | None = None,
        marker: Marker | None = None,
        services: DeckServices | None = None,
    ) -> None:
        """Show a run.

        Args:
            source: what the run's events come from; None shows that there is no run.
            run_name: the name shown until the run reports one.
            design: the document that the run was made from, if it is open here.
            directory: the run's directory, if it exists already.
            marker: what curves are drawn with; by default braille, or letters on a terminal without braille.
            services: the services of the deck; without it, keys that need them do nothing.
        """
        super().__init__()
        self.feed = Feed(source)
        self.requested = source if isinstance(source, RequestedRun) else None
        self.design = design
        self._directory = directory
        self._run_name = run_name
        self._services = services
        self.options = PlotOptions(marker=marker or terminal_kind().marker)
        self._budget = FrameBudget()
        self._shown = RunView(state="none")
        self._dirty = True
        self._drawn_s = -float("inf")
        self._kind = ""
        """The first metric of the task, once it is measured. The plot options are remembered for each kind."""
        self._touched = False

    def compose(self) -> ComposeResult:
        yield DeckHeader("Train", self._run_name, tabs=self._services.tabs if self._services is not None else None)
        yield StatusLine(id="status")
        yield Ending(id="ending")
        with Container(id="panels"):
            yield LossPanel(id="loss")
            yield MetricPanel(id="metric")
            yield RatePanel(id="rate")
            yield DevicePanel(id="device")
            yield LogPanel(id="log")
        yield Static(
            "No run yet.\n\nChoose a preset or a run first. This screen shows its losses, metric and learning rate.",
            id="no-run",
        )
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        for widget in self.query(RowWidget):
            widget.border_title = type(widget).__name__.removesuffix("Panel")
        self._draw_as_last_time("")
        self._use_options()
        self.set_class(self.feed.view.state == "none", "-no-run")
        self._tick()
        self.set_interval(min(PULL_S, self._frame_s or PULL_S), self._tick)

    @property
    def view(self) -> RunView:
        """The run as far as it is known."""
        return self.feed.view

    def draw(self) -> None:
        """Draw the run now, even beyond the frame budget: a key shows its effect immediately."""
        self._dirty = True
        self._tick()

    def _tick(self) -> None:
        """Read new events, and draw them if the budget allows. Requests and the end are drawn immediately."""
        self.feed.pull()
        view = self.feed.view
        if isinstance(self.app.screen, StopScreen):
            self.app.screen.show(view, self._waits_for)
        if self.requested is not None and self.is_current:
            self.query_one(StatusLine).wait_for(self._waits_for)
        if view is self._shown and not self._dirty:
            return
        turned = (view.state, view.unanswered, view.reason) != (
            self._shown.state,
            self._shown.unanswered,
            self._shown.reason,
        )
        if view.started is not self._shown.started:
            self._budget.begin(time.monotonic())
        written = self.app.written_bytes if isinstance(self.app, TerminalApp) else 0
        due = self._budget.due(time.monotonic(), time.thread_time(), written)
        spaced = time.monotonic() - self._drawn_s >= self._frame_s
        if (due and spaced) or turned or self._dirty:
            self._show(view)

    @property
    def _frame_s(self) -> float:
        """The shortest time between two frames, from the settings, less the jitter of the timer."""
        return 0.9 / self._services.settings.refresh_rate if self._services is not None else 0.0

    @property
    def _waits_for(self) -> str:
        """What a requested run waits for, and for how long; empty once it trains."""
        if self.requested is None or not self.requested.waits_for:
            return ""
        return f"{self.requested.waits_for}  {span_text(math.floor(time.monotonic() - self.requested.since))}"

    def _show(self, view: RunView) -> None:
        before, self._shown, self._dirty = self._shown, view, False
        self._drawn_s = time.monotonic()
        if not self._kind and view.metric_names:
            self._kind = view.metric_names[0]
            self._draw_as_last_time(self._kind)
        if not self.is_current:
            self._dirty = True
            return
        for widget in self.query(RowWidget):
            widget.show(view)
        if view.started is not before.started:
            self._show_device(view)
        if (view.state, view.reason) != (before.state, before.reason):
            self._write_ending()
            self.refresh_bindings()

    def _show_device(self, view: RunView) -> None:
        """Show in the top line which experiment runs, and on which device."""
        header, started = self.query_one(DeckHeader), view.started
        if started is None:
            return
        threads = f"{started.threads} thread{'s' if started.threads != 1 else ''}"
        header.subtitle = str(started.experiment.get("name", self._run_name or started.run))
        header.right = f"{started.device} · {started.precision} · {threads}"

    def _write_ending(self) -> None:
        """Show how the run ended, in as many lines as that needs."""
        ending = self.query_one(Ending)
        lines = len(ending.lines(self.size.width))
        ending.display = bool(lines)
        ending.styles.height = lines
        ending.set_class(self.view.reason == "failed", "-failed")
        self.set_class(bool(lines), "-ended")

    def on_resize(self, _: object) -> None:
        self._budget.begin(time.monotonic())
        self._write_ending()

    def on_screen_resume(self) -> None:
        self.draw()

    def _use_options(self) -> None:
        for panel in self.query(CurvePanel):
            panel.options = self.options
        self.query_one(DevicePanel).marker = self.options.marker
        self.query_one(StatusLine).marker = self.options.marker
        for framed in self.query(Panel):
            framed.square = self.options.marker != "braille"

    def _send(self, command: Command) -> None:
        self.feed.send(command)
        self.draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        view = self.view
        match action:
            case "pause":
                return view.state == "training"
            case "release":
                return view.active and view.pause_mode != "release"
            case "go_on":
                return view.state == "paused"
            case "stop":
                return view.active or (self.requested is not None and not self._is_over)
            case "checkpoint" | "scale_rate" | "detach":
                return view.active
            case "again" | "edit":
                return self._is_over and self._services is not None and self._is_known
            case "resume":
                return view.resumable and self._services is not None and self.run_directory is not None
            case "back":
                return self._services is not None
            case "log" | "smooth" | "zoom":
                return view.started is not None
            case "metric":
                return len(view.metric_names) > 1
        return True

    def action_pause(self) -> None:
        self._send(Simple(command="pause"))

    def action_release(self) -> None:
        self._send(Simple(command="release"))

    def action_go_on(self) -> None:
        self._send(Simple(command="continue"))

    def action_checkpoint(self) -> None:
        self._send(Simple(command="checkpoint"))

    async def action_detach(self) -> None:
        await self.run_action("app.detach")

    def action_stop(self) -> None:
        self.app.push_screen(StopScreen(self.view, self._waits_for), self._stop_answered)

    def _stop_answered(self, stop: bool | None) -> None:
        if not stop or self._is_over:
            return
        if self.requested is not None and self.requested.pending and self._services is not None:
            self._services.runs.cancel()
            self.draw()
        else:
            self._send(Simple(command="stop"))

    # After the end of a run.

    @property
    def _is_over(self) -> bool:
        return self.view.state in ("finished", "stale")

    @property
    def run_directory(self) -> Path | None:
        """The run's directory, once it exists."""
        if self.requested is not None and self.requested.run is not None:
            return self.requested.run.directory
        return self._directory

    @property
    def _is_known(self) -> bool:
        """Whether there is a document to train again or edit."""
        return self.design is not None or self.run_directory is not None

    @property
    def footer_actions(self) -> frozenset[str]:
        """Additional keys for the footer: what can be done after the end of a run."""
        return frozenset({"again", "resume", "edit", "back"} if self._is_over else ())

    def _document(self) -> Design | None:
        """The document of the run: the one it was trained from here, or else the one in its directory."""
        if self.design is None and self._services is not None and self.run_directory is not None:
            self.design = self._services.runs.document_of(self.run_directory)
        return self.design

    def action_again(self) -> None:
        if self._services is not None and (design := self._document()) is not None:
            self._services.runs.train(design)

    def action_resume(self) -> None:
        if self._services is not None and self.run_directory is not None:
            self._services.runs.resume(self.run_directory)

    def action_edit(self) -> None:
        if self._services is not None and (design := self._document()) is not None:
            self._services.documents.open(design)

    async def action_back(self) -> None:
        current = self._services.documents.current if self._services is not None else None
        await self.run_action("app.design" if self.design is not None and self.design is current else "app.runs")

    def action_scale_rate(self, factor: float) -> None:
        rate = self.view.requested_lr or self.view.lr_now
        if rate:
            self._send(SetLR(value=rate * factor))

    def action_log(self) -> None:
        self._draw_with(replace(self.options, log=not self.options.log))

    def action_smooth(self) -> None:
        self._draw_with(self.options.with_next_smoothing())

    def action_zoom(self) -> None:
        self._draw_with(replace(self.options, zoom=not self.options.zoom))

    def _draw_with(self, options: PlotOptions) -> None:
        self.options = options
        self._use_options()
        for panel in self.query(CurvePanel):
            panel.redraw()
        self._touched = True
        if self._services is not None:
            for kind in {"", self._kind}:
                memory = self._services.memory
                memory.keep_plots(kind, log=options.log, smoothing=options.smoothing, zoom=options.zoom)

    def _draw_as_last_time(self, kind: str) -> None:
        """Use the plot options that were last used for this kind of metric, unless a key has changed them."""
        kept = self._services.memory.plots(kind) if self._services is not None else None
        if kept is not None and not self._touched:
            self.options = self.options.with_values(log=kept.log, smoothing=kept.smoothing, zoom=kept.zoom)
            self._use_options()

    def action_scroll_log(self, pages: int) -> None:
        self.query_one(LogPanel).scroll_pages(pages)

    def action_metric(self) -> None:
        panel = self.query_one(MetricPanel)
        names = self.view.metric_names
        if panel.shown in names:
            panel.metric = names[(names.index(panel.shown) + 1) % len(names)]
            panel.redraw()
