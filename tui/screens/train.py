"""The train screen: a run as it learns, and the keys that steer it."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import Screen
from textual.widgets import Static

from engine.protocol.commands import Command, SetLR, Simple
from tui.dialogs.stop import StopScreen
from tui.feed import SMOOTHINGS, Feed, RunView, Source
from tui.plots.raster import Marker
from tui.preferences.memory import Memory
from tui.preferences.settings import Settings
from tui.quantities import span_text
from tui.services.beginning import Beginning
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

if TYPE_CHECKING:
    from tui.services.design import Design
    from tui.services.run_controller import RunController

PULL_S = 0.25
"""The deck looks at the run this often, and draws it at most as often."""
RATE_FACTOR = 1.5


class TrainScreen(Screen[None]):
    """A run that is trained here, or in another process; `source` is drained on this screen's own timer."""

    CSS_PATH = ["../widgets/tones.tcss", "train.tcss"]  # noqa: RUF012
    TITLE = "Train"
    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide"), (160, "-very-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "again", "Train again", id="train.again", show=False, tooltip="Train the same document once more"),
        Binding("r", "resume", "Resume", id="train.resume", show=False, tooltip="Resume this run where it stopped"),
        Binding("e", "edit", "Edit", id="train.edit", show=False, tooltip="Open the document of this run"),
        Binding("escape", "back", "Back", id="train.back", show=False, tooltip="Back to the design, or to the runs"),
        Binding(
            "p", "pause", "Pause", id="train.pause", tooltip="Pause the run at the next step; p again continues it"
        ),
        Binding("p", "go_on", "Continue", id="train.continue", tooltip="Go on with the run"),
        Binding(
            "P",
            "release",
            "Pause, device free",
            id="train.release",
            show=False,
            tooltip="Pause the run and free its device; p continues it",
        ),
        Binding("s", "stop", "Stop", id="train.stop", tooltip="Stop the run at the next step and keep the model"),
        Binding("c", "checkpoint", "Save", id="train.checkpoint", tooltip="Save a checkpoint now"),
        Binding(
            "plus,equals_sign",
            f"scale_rate({RATE_FACTOR})",
            "Rate",
            id="train.rate_up",
            key_display="+/-",
            tooltip=f"Learning rate × {RATE_FACTOR}; - divides it by as much",
        ),
        Binding(
            "minus",
            f"scale_rate({1 / RATE_FACTOR})",
            "Rate down",
            id="train.rate_down",
            key_display="-",
            show=False,
            tooltip=f"Learning rate ÷ {RATE_FACTOR}",
        ),
        Binding("L", "log", "Log", id="train.log", tooltip="Logarithmic or linear axis for losses and errors"),
        Binding("S", "smooth", "Smooth", id="train.smooth", tooltip="Smoothing of the loss: off, 0.6, 0.9"),
        Binding("z", "zoom", "Zoom", id="train.zoom", tooltip="The whole run, or its most recent part"),
        Binding(
            "d", "detach", "Detach", id="train.detach", tooltip="Leave the deck; the run continues in the background"
        ),
        Binding(
            "pageup", "scroll_log(1)", "Page up", show=False, id="train.log_up", tooltip="One page back in the log"
        ),
        Binding(
            "pagedown", "scroll_log(-1)", "Page down", show=False, id="train.log_down", tooltip="One page on in the log"
        ),
        Binding("m", "metric", "Metric", id="train.metric", show=False, tooltip="The next metric of the task"),
    ]

    def __init__(
        self,
        source: Source | None = None,
        run_name: str = "",
        *,
        design: Design | None = None,
        directory: Path | None = None,
        marker: Marker | None = None,
    ) -> None:
        """`run_name` is shown until the run says what it is. Curves are drawn in braille, or in letters on a Linux
        console, whose fonts lack it, unless `marker` says otherwise. `design` is the document that the run was made
        from, if that is open here; `directory` is the run's own, if it has one already."""
        super().__init__()
        self.feed = Feed(source)
        self.beginning = source if isinstance(source, Beginning) else None
        self.design = design
        self._directory = directory
        self._run_name = run_name
        self.options = PlotOptions(marker=marker or terminal_kind().marker)
        self._budget = FrameBudget()
        self._shown = RunView(state="none")
        self._dirty = True
        self._drawn_s = -float("inf")
        self._kind = ""
        """The first metric of the task, once it is measured: by it is remembered how plots are drawn."""
        self._touched = False

    def compose(self) -> ComposeResult:
        yield DeckHeader("Train", self._run_name)
        yield StatusLine(id="status")
        yield Ending(id="ending")
        with Container(id="panels"):
            yield LossPanel(id="loss")
            yield MetricPanel(id="metric")
            yield RatePanel(id="rate")
            yield DevicePanel(id="device")
            yield LogPanel(id="log")
        yield Static(
            "No run yet.\n\nChoose a preset or a run first: its losses, metric and learning rate are shown here.",
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
        self.set_interval(min(PULL_S, self._rest_s or PULL_S), self._tick)

    @property
    def view(self) -> RunView:
        """The run as it is known by now."""
        return self.feed.view

    def draw(self) -> None:
        """Draw the run as it is now, whatever the budget says: a key shows its effect at once."""
        self._dirty = True
        self._tick()

    def _tick(self) -> None:
        """Take in what happened, and draw it if the budget allows; what is asked for or over is drawn at once."""
        self.feed.pull()
        view = self.feed.view
        if isinstance(self.app.screen, StopScreen):
            self.app.screen.show(view, self._waits_for)
        if self.beginning is not None and self.is_current:
            self.query_one(StatusLine).wait_for(self._waits_for)
        if view is self._shown and not self._dirty:
            return
        turned = (view.state, view.asked, view.reason) != (self._shown.state, self._shown.asked, self._shown.reason)
        if view.started is not self._shown.started:
            self._budget.begin(time.monotonic())
        written = self.app.written_bytes if isinstance(self.app, TerminalApp) else 0
        due = self._budget.due(time.monotonic(), time.thread_time(), written)
        rested = time.monotonic() - self._drawn_s >= self._rest_s
        if (due and rested) or turned or self._dirty:
            self._show(view)

    @property
    def _rest_s(self) -> float:
        """The shortest time between two frames, by the settings; the timer's own jitter is let pass."""
        settings = getattr(self.app, "settings", None)
        return 0.9 / settings.refresh_rate if isinstance(settings, Settings) else 0.0

    @property
    def _waits_for(self) -> str:
        """What a run waits for that was asked for here, and for how long; nothing once it trains."""
        if self.beginning is None or not self.beginning.waits_for:
            return ""
        return f"{self.beginning.waits_for}  {span_text(math.floor(time.monotonic() - self.beginning.since))}"

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
            self._say_where(view)
        if (view.state, view.reason) != (before.state, before.reason):
            self._write_ending()
            self.refresh_bindings()

    def _say_where(self, view: RunView) -> None:
        """Say in the top line what runs, and on what."""
        header, started = self.query_one(DeckHeader), view.started
        if started is None:
            return
        threads = f"{started.threads} thread{'s' if started.threads != 1 else ''}"
        header.subtitle = str(started.experiment.get("name", self._run_name or started.run))
        header.right = f"{started.device} · {started.precision} · {threads}"

    def _write_ending(self) -> None:
        """Make the room that the words about the end need."""
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

    def _ask(self, command: Command) -> None:
        self.feed.send(command)
        self.draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        view = self.view
        match action:
            case "pause":
                return view.state == "training"
            case "release":
                return view.going and view.hold != "release"
            case "go_on":
                return view.state == "paused"
            case "stop":
                return view.going or (self.beginning is not None and not self._is_over)
            case "checkpoint" | "scale_rate" | "detach":
                return view.going
            case "again" | "edit":
                return self._is_over and self._control is not None and self._is_known
            case "resume":
                return view.resumable and self._control is not None and self.run_directory is not None
            case "back":
                return self._control is not None
            case "log" | "smooth" | "zoom":
                return view.started is not None
            case "metric":
                return len(view.metric_names) > 1
        return True

    def action_pause(self) -> None:
        self._ask(Simple(command="pause"))

    def action_release(self) -> None:
        self._ask(Simple(command="release"))

    def action_go_on(self) -> None:
        self._ask(Simple(command="continue"))

    def action_checkpoint(self) -> None:
        self._ask(Simple(command="checkpoint"))

    async def action_detach(self) -> None:
        await self.run_action("app.detach")

    def action_stop(self) -> None:
        self.app.push_screen(StopScreen(self.view, self._waits_for), self._stop_if_meant)

    def _stop_if_meant(self, meant: bool | None) -> None:
        if not meant or self._is_over:
            return
        if self.beginning is not None and self.beginning.pending and self._control is not None:
            self._control.cancel()
            self.draw()
        else:
            self._ask(Simple(command="stop"))

    # On from the end of a run.

    @property
    def _control(self) -> RunController | None:
        return getattr(self.app, "control", None)

    @property
    def _is_over(self) -> bool:
        return self.view.state in ("finished", "stale")

    @property
    def run_directory(self) -> Path | None:
        """The run's own directory, once it has one."""
        if self.beginning is not None and self.beginning.run is not None:
            return self.beginning.run.directory
        return self._directory

    @property
    def _is_known(self) -> bool:
        """Whether there is a document to train again or to edit."""
        return self.design is not None or self.run_directory is not None

    @property
    def shown_now(self) -> frozenset[str]:
        """The keys that the footer shows beside those that it always does: those that lead on from the end of a run."""
        return frozenset({"again", "resume", "edit", "back"} if self._is_over else ())

    def action_again(self) -> None:
        if self._control is not None:
            self._control.again(self)

    def action_resume(self) -> None:
        if self._control is not None and self.run_directory is not None:
            self._control.resume(self.run_directory)

    def action_edit(self) -> None:
        if self._control is not None:
            self._control.edit(self)

    async def action_back(self) -> None:
        of_a_document = self.design is not None and self.design is getattr(self.app, "design", None)
        await self.run_action("app.design" if of_a_document else "app.runs")

    def action_scale_rate(self, factor: float) -> None:
        rate = self.view.asked_lr or self.view.lr_now
        if rate:
            self._ask(SetLR(value=rate * factor))

    def action_log(self) -> None:
        self._draw_with(log=not self.options.log)

    def action_smooth(self) -> None:
        weights = (0.0, *SMOOTHINGS)
        self._draw_with(smoothing=weights[(weights.index(self.options.smoothing) + 1) % len(weights)])

    def action_zoom(self) -> None:
        self._draw_with(zoom=not self.options.zoom)

    def _draw_with(self, **options: object) -> None:
        self.options = PlotOptions(**(_fields(self.options) | options))  # type: ignore[arg-type]
        self._use_options()
        for panel in self.query(CurvePanel):
            panel.redraw()
        self._touched = True
        if (memory := self._memory) is not None:
            for kind in {"", self._kind}:
                memory.keep_plots(kind, log=self.options.log, smoothing=self.options.smoothing, zoom=self.options.zoom)

    @property
    def _memory(self) -> Memory | None:
        memory = getattr(self.app, "memory", None)
        return memory if isinstance(memory, Memory) else None

    def _draw_as_last_time(self, kind: str) -> None:
        """Draw as plots of this kind of metric were drawn last, unless a key has said otherwise by now."""
        kept = self._memory.plots(kind) if self._memory is not None else None
        if kept is not None and not self._touched:
            smoothing = min((0.0, *SMOOTHINGS), key=lambda weight: abs(weight - kept.smoothing))
            self.options = PlotOptions(log=kept.log, smoothing=smoothing, zoom=kept.zoom, marker=self.options.marker)
            self._use_options()

    def action_scroll_log(self, pages: int) -> None:
        self.query_one(LogPanel).scroll_pages(pages)

    def action_metric(self) -> None:
        panel = self.query_one(MetricPanel)
        names = self.view.metric_names
        if panel.shown in names:
            panel.metric = names[(names.index(panel.shown) + 1) % len(names)]
            panel.redraw()


def _fields(options: PlotOptions) -> dict[str, object]:
    return {name: getattr(options, name) for name in ("log", "smoothing", "zoom", "marker")}
