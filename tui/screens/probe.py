"""The base of the screens of probes: a probe runs on a thread, and a timer reads its records."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from engine import ProbeRecord
from tui.plots.raster import Marker
from tui.services.producer import ProbeKind, Producer
from tui.terminal.kind import terminal_kind
from tui.widgets.footer import Footer
from tui.widgets.panel import Panel

if TYPE_CHECKING:
    from engine import Plan
    from tui.services.probe_thread import Probe

PULL_S = 0.25
"""How often the screen reads the records of its probe, and the most often it draws them."""

Answer = TypeVar("Answer")


class ProbeScreen(ModalScreen[Answer]):
    """A probe of a plan, over the screen that opened it. Closing it stops the probe at its next step."""

    CSS_PATH = ["../widgets/tones.tcss", "probe.tcss"]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "again", "Again", id="probe.again", tooltip="Run it again; the result is the same"),
        Binding(
            "escape,q",
            "close",
            "Close",
            key_display="esc",
            id="probe.close",
            tooltip="Stop and close; nothing is stored",
        ),
        Binding(
            "question_mark", "app.help", "Help", key_display="?", id="probe.help", tooltip="The keys of this screen"
        ),
    ]

    KIND: ClassVar[ProbeKind]
    NAME: ClassVar[str]
    ABOUT: ClassVar[str]
    """What it does and how to read it, in two or three sentences on the screen."""

    def __init__(self, plan: Plan, producer: Producer, *, marker: Marker | None = None) -> None:
        """`marker` is what curves are drawn with; by default braille, or letters on a terminal without braille."""
        super().__init__()
        self.plan = plan
        self.marker: Marker = marker or terminal_kind().marker
        self._producer = producer
        self._probe: Probe | None = None
        self._over = False

    def body(self) -> Widget:
        """Return the widget that shows the records."""
        raise NotImplementedError

    def reset(self) -> None:
        """Remove the records of an earlier probe."""

    def take(self, record: ProbeRecord) -> None:
        """Add one record."""
        raise NotImplementedError

    def draw(self) -> None:
        """Show the records."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        name = Content.assemble((self.NAME, "bold $text-primary"), f" ─ {self.plan.experiment.name}")
        yield Static(name, id="probe-title")
        with Vertical(id="probe"):
            yield Static(Content.styled(self.ABOUT, "$text-muted"), id="probe-about")
            yield self.body()
            yield Static(id="probe-text")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        for panel in self.query(Panel):
            panel.square = self.marker != "braille"
        self._start()
        self.set_interval(PULL_S, self._tick)

    def on_unmount(self) -> None:
        if self._probe is not None:
            self._probe.stop()

    @property
    def running(self) -> bool:
        """Whether the probe is running."""
        return not self._over

    def write(self, *lines: str | Content) -> None:
        """Write lines below the picture."""
        written = [line if isinstance(line, Content) else Content(line) for line in lines if line]
        self.query_one("#probe-text", Static).update(Content("\n").join(written))

    def _start(self) -> None:
        self._probe, self._over = self._producer.probe(self.KIND, self.plan), False
        self.reset()
        self.draw()

    def _tick(self) -> None:
        if self._probe is None or self._over:
            return
        over = not self._probe.alive  # checked before the records are read, so that none is missed
        records = self._probe.drain()
        for record in records:
            self.take(record)
        self._over = over
        if records or over:
            self.draw()
            self.refresh_bindings()
        if over and self._probe.failure:
            self.write(Content.styled(self._probe.failure, "$text-error"))

    def action_again(self) -> None:
        if self._probe is not None:
            self._probe.stop()
        self._start()
        self.refresh_bindings()

    def action_close(self) -> None:
        if self._probe is not None:
            self._probe.stop()
        self.dismiss(None)
