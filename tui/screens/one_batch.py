"""The one-batch test: can this model memorise one batch, and if not, why not?"""

from __future__ import annotations

from typing import ClassVar

from textual.content import Content
from textual.widget import Widget

from engine import OF_CLASSES, BatchDone, BatchStep, ProbeRecord
from tui.screens.probe import ProbeScreen
from tui.services.producer import ProbeKind
from tui.widgets.probe_plots import BatchPlot


class OneBatchScreen(ProbeScreen[None]):
    """Shows the loss step by step, and the result."""

    KIND: ClassVar[ProbeKind] = "one-batch"
    NAME = "One-batch test"
    ABOUT = (
        "A separate model trains on the first batch again and again, with the document's learning rate. It should soon "
        "memorise the batch. A model that cannot will not learn the whole data either. The model is then discarded."
    )

    def body(self) -> Widget:
        plot = BatchPlot(id="probe-picture")
        plot.marker = self.marker
        plot.of_classes = self.plan.description is None or self.plan.description.task in OF_CLASSES
        return plot

    @property
    def plot(self) -> BatchPlot:
        return self.query_one("#probe-picture", BatchPlot)

    def reset(self) -> None:
        self.plot.steps, self.plot.done = [], None

    def take(self, record: ProbeRecord) -> None:
        if isinstance(record, BatchStep):
            self.plot.steps.append(record)
        elif isinstance(record, BatchDone):
            self.plot.done = record

    def draw(self) -> None:
        self.plot.redraw()
        done = self.plot.done
        if done is None:
            self.write("Esc stops the test.")
        else:
            tone = "bold $text-success" if done.memorised else "bold $text-warning"
            self.write(Content.styled(done.message, tone), *(f"· {sentence}" for sentence in done.advice))
