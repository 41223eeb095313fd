"""What the screens of all probes have in common: a probe goes on in a thread, and a timer pulls what it found out."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from engine.probes.records import Record
from tui.plots.raster import Marker
from tui.services.producer import ProbeKind, Producer
from tui.terminal.kind import terminal_kind
from tui.widgets.footer import Footer
from tui.widgets.panel import Panel

if TYPE_CHECKING:
    from engine.plan import Plan
    from tui.services.probe_thread import Probe

PULL_S = 0.25
"""The screen looks at its probe this often, and draws it at most as often."""

Answer = TypeVar("Answer")


class ProbeScreen(ModalScreen[Answer]):
    """A probe of a plan, over the screen that it was opened from. Leaving it stops the probe at its next step."""

    CSS_PATH = ["../widgets/tones.tcss", "probe.tcss"]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "again", "Again", id="probe.again", tooltip="Begin again, with the same result"),
        Binding(
            "escape,q",
            "close",
            "Close",
            key_display="esc",
            id="probe.close",
            tooltip="Stop it and close; nothing of it is kept",
        ),
        Binding(
            "question_mark", "app.help", "Help", key_display="?", id="probe.help", tooltip="The keys of this screen"
        ),
    ]

    KIND: ClassVar[ProbeKind]
    NAME: ClassVar[str]
    ABOUT: ClassVar[str]
    """What it does and how it is read, in a sentence or two that stand on the screen."""

    def __init__(self, plan: Plan, producer: Producer, *, marker: Marker | None = None) -> None:
        """Curves are drawn in braille, or in letters on a Linux console, unless `marker` says otherwise."""
        super().__init__()
        self.plan = plan
        self.marker: Marker = marker or terminal_kind().marker
        self._producer = producer
        self._probe: Probe | None = None
        self._over = False

    def body(self) -> Widget:
        """The widget that shows what the probe finds out."""
        raise NotImplementedError

    def begin(self) -> None:
        """Forget what an earlier probe found out."""

    def take(self, record: Record) -> None:
        """Take in one record."""
        raise NotImplementedError

    def draw(self) -> None:
        """Show what is known by now."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        name = Content.assemble((self.NAME, "bold $text-primary"), f" ─ {self.plan.experiment.name}")
        yield Static(name, id="probe-title")
        with Vertical(id="probe"):
            yield Static(Content.styled(self.ABOUT, "$text-muted"), id="probe-about")
            yield self.body()
            yield Static(id="probe-said")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        for panel in self.query(Panel):
            panel.square = self.marker != "braille"
        self._begin()
        self.set_interval(PULL_S, self._tick)

    def on_unmount(self) -> None:
        if self._probe is not None:
            self._probe.stop()

    @property
    def going(self) -> bool:
        """Whether the probe is at work."""
        return not self._over

    def say(self, *lines: str | Content) -> None:
        """Write below the picture."""
        written = [line if isinstance(line, Content) else Content(line) for line in lines if line]
        self.query_one("#probe-said", Static).update(Content("\n").join(written))

    def _begin(self) -> None:
        self._probe, self._over = self._producer.probe(self.KIND, self.plan), False
        self.begin()
        self.draw()

    def _tick(self) -> None:
        if self._probe is None or self._over:
            return
        over = not self._probe.alive  # asked before the records are fetched, so that none is left behind
        records = self._probe.drain()
        for record in records:
            self.take(record)
        self._over = over
        if records or over:
            self.draw()
            self.refresh_bindings()
        if over and self._probe.failure:
            self.say(Content.styled(self._probe.failure, "$text-error"))

    def action_again(self) -> None:
        if self._probe is not None:
            self._probe.stop()
        self._begin()
        self.refresh_bindings()

    def action_close(self) -> None:
        if self._probe is not None:
            self._probe.stop()
        self.dismiss(None)
