"""The learning-rate finder: the loss over growing rates, and a key that uses the suggested rate."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget

from engine import ProbeRecord, RateFound, RateStep
from tui.quantities import rate_text
from tui.screens.probe import ProbeScreen
from tui.services.producer import ProbeKind
from tui.widgets.probe_plots import RatePlot


class RateFinderScreen(ProbeScreen[RateFound]):
    """Finds a learning rate. Its result is the rate and its field, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter",
            "take",
            "Use the rate",
            key_display="enter",
            id="rate_finder.take",
            tooltip="Set the learning rate to the suggestion",
        ),
    ]
    KIND: ClassVar[ProbeKind] = "rate"
    NAME = "Learning-rate finder"
    ABOUT = (
        "A separate model trains while the rate grows at every step. A good rate is where the loss falls most "
        "steeply, well before it rises. The model is then discarded; later training is the same, bit for bit."
    )

    def body(self) -> Widget:
        plot = RatePlot(id="probe-picture")
        plot.marker = self.marker
        return plot

    @property
    def plot(self) -> RatePlot:
        return self.query_one("#probe-picture", RatePlot)

    def reset(self) -> None:
        self.plot.steps, self.plot.found = [], None

    def take(self, record: ProbeRecord) -> None:
        if isinstance(record, RateStep):
            self.plot.steps.append(record)
        elif isinstance(record, RateFound):
            self.plot.found = record

    def draw(self) -> None:
        self.plot.redraw()
        found = self.plot.found
        if found is None:
            self.write("Esc stops the search.")
        elif found.lr is None:
            self.write(Content.styled(found.message, "$text-warning"), *found.notes)
        else:
            part, _, name = found.field.partition(".")
            now = getattr(self.plan.experiment, part).parameters.get(name)
            change = f"enter: {found.field} {rate_text(float(now or 0))} → {rate_text(found.lr)}"
            self.write(found.message, *found.notes, Content.styled(change, "bold $text-success"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "take":
            found = self.plot.found if self.is_mounted else None
            return True if found is not None and found.lr is not None else None
        return True

    def action_take(self) -> None:
        found = self.plot.found
        if found is not None and found.lr is not None:
            self.dismiss(found)
