"""The curves of probes: the loss over growing learning rates, and the loss on one batch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from engine import BatchDone, BatchStep, RateFound, RateStep
from tui.plots.plot import Mark, Row, Scene, canvas_size, draw, sample
from tui.plots.raster import Layer, Marker
from tui.plots.scale import Axis, clipped, decade_axis, step_axis, value_axis
from tui.quantities import number_text, rate_text
from tui.series import Bucket
from tui.widgets.panel import Panel

LOWEST_RATE, HIGHEST_RATE = 1e-7, 10.0


class RatePlot(Panel):
    """The loss of a learning-rate finder."""

    HELP = (
        "The loss of each step over its learning rate, which grows exponentially, is dashed. Its moving average is "
        "solid. ◆ is where the average falls most steeply: the suggested rate. ▼ is the lowest average."
    )
    marker: Marker = "braille"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.steps: list[RateStep] = []
        self.found: RateFound | None = None

    def title(self) -> Row:
        words: Row = (("loss over the learning rate", "title"),)
        if self.steps:
            last = self.steps[-1]
            words += (("  ", "border"), (f"smoothed {number_text(last.smoothed)} ", "text"))
            words += ((sample("solid", self.marker), "train"), ("  each step ", "quiet"))
            words += ((sample("dashed", self.marker), "raw"),)
        return words

    def footnote(self) -> Row:
        if not self.steps:
            return ()
        last = self.steps[-1]
        return ((f"step {last.step} of {last.steps} · rate {rate_text(last.lr)}", "quiet"),)

    def body(self, width: int, height: int) -> Sequence[Row]:
        smoothed = [step.smoothed for step in self.steps if math.isfinite(step.smoothed)]
        axis = value_axis(clipped(smoothed), height - 2) if smoothed else None
        if axis is None:
            return _waiting(width, height)
        columns, _ = canvas_size(width, height, axis)
        layers = (
            Layer(buckets=_points((math.log10(s.lr), s.loss) for s in self.steps), tone="raw", stroke="dashed"),
            Layer(buckets=_points((math.log10(s.lr), s.smoothed) for s in self.steps), tone="train", hides=True),
        )
        x = decade_axis(LOWEST_RATE, HIGHEST_RATE, columns, "rate")
        return draw(Scene(x=x, y=axis, layers=layers, marks=self._marks(axis)), width, height, self.marker)

    def _marks(self, axis: Axis) -> tuple[Mark, ...]:
        found = self.found
        if found is None or found.lr is None or found.loss is None or found.lr_at_minimum is None:
            return ()
        lowest = min(s.smoothed for s in self.steps if math.isfinite(s.smoothed))
        at = math.log10(found.lr_at_minimum)
        return (
            Mark(x=math.log10(found.lr), y=found.loss, symbol="◆", tone="best", label=f"take {rate_text(found.lr)}"),
            Mark(x=at, y=max(lowest, axis.low), symbol="▼", tone="warning", label="lowest"),
        )


class BatchPlot(Panel):
    """The loss on one batch, step by step."""

    HELP = (
        "The loss on the same batch, step by step, on a logarithmic axis if possible. The dotted line is the loss of "
        "a constant prediction, which ignores the samples."
    )
    marker: Marker = "braille"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.steps: list[BatchStep] = []
        self.done: BatchDone | None = None
        self.of_classes = True
        """Whether the score is a share of correct answers; otherwise of explained variance."""

    def title(self) -> Row:
        words: Row = (("loss on one batch", "title"),)
        if self.steps:
            last = self.steps[-1]
            score = f"{100 * last.score:.0f} % {'correct' if self.of_classes else 'explained'}"
            words += (("  ", "border"), (f"{number_text(last.loss)} ", "text"))
            words += ((sample("solid", self.marker), "train"), (f"  {score}", "text"))
        if self.done is not None:
            words += ((f"  guessing {number_text(self.done.guess)} ", "quiet"), (sample("dotted", self.marker), "plan"))
        return words

    def footnote(self) -> Row:
        return ((f"step {self.steps[-1].step} of {self.steps[-1].steps}", "quiet"),) if self.steps else ()

    def body(self, width: int, height: int) -> Sequence[Row]:
        losses = [step.loss for step in self.steps if math.isfinite(step.loss)]
        if not losses:
            return _waiting(width, height)
        guess = self.done.guess if self.done is not None and math.isfinite(self.done.guess) else None
        shown = losses if guess is None else [*losses, guess]
        log = min(shown) > 0
        axis = value_axis(clipped(shown), height - 2, log=log)
        if axis is None:
            return _waiting(width, height)
        columns, _ = canvas_size(width, height, axis)
        last = self.steps[-1]
        x = step_axis(0.0, last.step, last.steps, 0, columns)
        layers = [Layer(buckets=_points((float(s.step), s.loss) for s in self.steps), tone="train")]
        if guess is not None:
            layers.insert(0, Layer(buckets=_points([(x.low, guess), (x.high, guess)]), tone="plan", stroke="dotted"))
        return draw(Scene(x=x, y=axis, layers=tuple(layers)), width, height, self.marker)


def _points(places: Iterable[tuple[float, float]]) -> tuple[Bucket, ...]:
    """Return a curve of single points; a value that is not finite is a gap."""
    return tuple(
        Bucket(x, x, y, y, y, 1) if math.isfinite(y) else Bucket(x, x, math.nan, math.nan, math.nan, 0, x, y)
        for x, y in places
    )


def _waiting(width: int, height: int) -> Sequence[Row]:
    above = max(0, (height - 1) // 2)
    return [()] * above + [(("Reading the data and building the model …".center(width)[:width], "quiet"),)]
