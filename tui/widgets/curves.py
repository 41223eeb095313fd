"""The panels with curves: loss, metric, learning rate."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import ClassVar

from tui.plots.plot import Mark, Row, Scene, broken, canvas_size, draw, sample
from tui.plots.raster import Layer, Marker
from tui.plots.scale import Axis, clipped, step_axis, value_axis
from tui.quantities import number_text, rate_text
from tui.run_view import SMOOTHINGS, Curve, RunView
from tui.series import Bucket
from tui.widgets.panel import Panel, first_that_fits

_FIRST_METRICS = ("accuracy", "rmse", "bits")
"""For each task, the metric of its naive baseline."""

ZOOM = 4
"""When zoomed in, the last of this many parts of the run is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotOptions:
    """How plots are drawn."""

    log: bool = False
    smoothing: float = 0.6
    """The weight of the smoothing; 0 draws only the raw curve."""
    zoom: bool = False
    marker: Marker = "braille"

    def with_next_smoothing(self) -> PlotOptions:
        """Return the options with the next smoothing weight; after the last one, none."""
        return replace(self, smoothing=_WEIGHTS[(_WEIGHTS.index(self.smoothing) + 1) % len(_WEIGHTS)])

    def with_values(self, *, log: bool, smoothing: float, zoom: bool) -> PlotOptions:
        """Return the options with other values; of the smoothing weights, the nearest one."""
        nearest = min(_WEIGHTS, key=lambda weight: abs(weight - smoothing))
        return replace(self, log=log, smoothing=nearest, zoom=zoom)


_WEIGHTS = (0.0, *SMOOTHINGS)


class CurvePanel(Panel):
    """A plot over the steps of a run."""

    options = PlotOptions()
    bounds: tuple[float | None, float | None] = (None, None)
    waiting: ClassVar[str] = "not measured yet"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._y: Axis | None = None
        self._drawn_for: tuple[object, ...] = ()

    def curves(self) -> tuple[Layer, ...]:
        """Return the curves; later ones are drawn over earlier ones."""
        raise NotImplementedError

    def marks(self) -> tuple[Mark, ...]:
        """Return the marks on the curves."""
        return ()

    def ahead(self) -> float:
        """Return the last step that the x axis must show."""
        return self.view.step

    def logarithmic(self) -> bool:
        """Whether the y axis is logarithmic."""
        return self.options.log

    def body(self, width: int, height: int) -> Sequence[Row]:
        view, layers = self.view, self.curves()
        first = self._first_step()
        seen = [list(_within(layer.buckets, first)) for layer in layers]
        values = list(chain.from_iterable(_values(layer, buckets) for layer, buckets in zip(layers, seen, strict=True)))
        log = self.logarithmic()
        if log and values and not any(value > 0 for value in values):
            return _note(["No value is above 0, so a", "logarithmic axis shows none.", "L: linear axis"], width, height)
        # A curve of another run, scale, size or part of the run starts with new limits.
        drawn_for = (view.started and view.started.run, log, self.options.zoom, self._named(), width, height)
        before = self._y if drawn_for == self._drawn_for else None
        self._drawn_for = drawn_for
        self._y = self._value_axis(values, height - 2, log, before)
        if self._y is None:
            if not any(mark.symbol == "✗" for mark in self.marks()):
                return _note([self.waiting], width, height)
            self._y = Axis(low=0.0, high=1.0)
        columns, _ = canvas_size(width, height, self._y)
        x = step_axis(first, self.ahead(), view.steps, view.steps_per_epoch, columns)
        edge = self._y.high + 1e-6 * (self._y.high - self._y.low)
        far = [] if log else [value for value in values if value > edge]
        scene = Scene(x=x, y=self._y, layers=layers, marks=self.marks() + _beyond(layers, far))
        return draw(scene, width, height, self.options.marker)

    def left_out(self) -> str:
        """Return in words what a logarithmic axis cannot show of these curves; empty if it shows everything."""
        if not self.logarithmic():
            return ""
        first = self._first_step()
        buckets = chain.from_iterable(_within(layer.buckets, first) for layer in self.curves())
        return "values ≤ 0 left out" if any(bucket.low <= 0 for bucket in buckets) else ""

    def _value_axis(self, values: list[float], rows: int, log: bool, before: Axis | None) -> Axis | None:
        if not values:
            return None
        shown = clipped([value for value in values if not log or value > 0])
        return value_axis(shown, rows, log=log, bounds=self.bounds, before=before)

    def _named(self) -> str | None:
        """Return what the y axis measures, if that can change."""
        return None

    def _first_step(self) -> float:
        """Return the start of the x axis: the start of the run, or when zoomed in, a step that changes rarely."""
        if not self.options.zoom:
            return 0.0
        part = max(self.view.step / ZOOM, 8.0)
        stride = 2.0 ** math.floor(math.log2(part / 4)) if part >= 8 else 2.0
        return max(0.0, math.floor((self.view.step - part) / stride) * stride)

    def legend(self, name: str, value: float | None, layer: Layer) -> Row:
        """Return a curve's name, newest value and a sample of its line."""
        line = sample(layer.stroke, self.options.marker)
        return ((f"{name} ", "quiet"), (f"{number_text(value)} ", "text"), (line, layer.tone))


class LossPanel(CurvePanel):
    """The training and validation loss."""

    HELP = (
        "The loss over the run: training is a solid line, validation a dashed line. The raw loss, with every spike, is "
        "behind the smoothed line. ◆ is the best epoch, ✗ a step whose loss was not finite. "
        "If the training loss falls and the validation loss rises, the model overfits."
    )

    def curves(self) -> tuple[Layer, ...]:
        view, weight = self.view, self.options.smoothing
        # If several epochs pass between two `step` events, the values of the epochs are drawn.
        raw = max(view.train_loss, view.curve("train_loss"), key=lambda curve: len(curve.buckets))
        smooth = dict(view.smoothed).get(weight, Curve())
        train: tuple[Layer, ...]
        if weight and len(smooth.buckets) > 1:
            train = (
                Layer(buckets=raw.buckets, tone="raw", spread=True),
                Layer(buckets=smooth.buckets, tone="train", hides=True),
            )
        else:
            train = (Layer(buckets=raw.buckets, tone="train", spread=True),)
        return (*train, Layer(buckets=view.curve("val_loss").buckets, tone="validation", stroke="dashed"))

    def marks(self) -> tuple[Mark, ...]:
        view = self.view
        name = "val_loss" if view.curve("val_loss").buckets else "train_loss"
        # Losses that are not finite come first: their labels get the room.
        return broken(view.train_loss.buckets) + broken(view.curve("val_loss").buckets)[:1] + _best(view, name)

    def title(self) -> Row:
        view, weight = self.view, self.options.smoothing
        *_, train, validation = self.curves()
        smooth = dict(view.smoothed).get(weight, Curve()).last
        words: Row = (("loss", "title"),)
        value = smooth if smooth is not None and math.isfinite(smooth) else view.train_loss.last
        if value is None:
            value = view.curve("train_loss").last
        if value is not None:
            words += (("  ", "border"), *self.legend("train", value, train))
        if (last := view.curve("val_loss").last) is not None:
            words += (("  ", "border"), *self.legend("val", last, validation))
        return words

    def footnote(self) -> Row:
        parts = [
            "log scale" if self.options.log else "",
            self.left_out(),
            f"smoothed {self.options.smoothing:g}" if self.options.smoothing else "raw",
            f"zoom: last 1/{ZOOM}" if self.options.zoom else "",
        ]
        return ((" · ".join(filter(None, parts)), "quiet"),)


class MetricPanel(CurvePanel):
    """The metric of the task."""

    HELP = (
        "The metric of the task after every epoch: validation is a dashed line, training a solid line. ◆ is the best "
        "epoch. Accuracy, f1 and r2 are at most 1; higher is better. mae and rmse are errors; lower is better. "
        "With several targets, m also shows the r2 of each."
    )
    waiting = "measured after the first epoch"

    def depends_on(self, view: RunView) -> object:
        return view.epoch_curves, id(view.started), view.best_epoch

    def ahead(self) -> float:
        # It is measured at the end of an epoch, so the axis ends there; from the start, it shows at least two epochs.
        last = [buckets[-1].last_x for _, curve in self.view.epoch_curves if (buckets := curve.buckets)]
        return max([2.0 * self.view.steps_per_epoch, *last])

    metric: str | None = None
    """The metric that the person chose; by default the one that decides the best epoch, or the task's first."""

    @property
    def shown(self) -> str | None:
        """The metric that is shown."""
        names = self.view.metric_names
        candidates = (self.metric, self.view.monitor.removeprefix("val_").removeprefix("train_"), *_FIRST_METRICS)
        return next((name for name in candidates if name in names), names[0] if names else None)

    @property
    def bounds(self) -> tuple[float | None, float | None]:  # type: ignore[override]
        share = self.shown in ("accuracy", "f1")
        return (0.0, 1.0) if share else (None, 1.0) if _is_r2(self.shown) else (None, None)

    def _named(self) -> str | None:
        return self.shown

    def logarithmic(self) -> bool:
        """Whether the y axis is logarithmic: for errors it follows the option; accuracy, f1 and r2 stay linear."""
        return self.options.log and self.shown not in ("accuracy", "f1") and not _is_r2(self.shown)

    def curves(self) -> tuple[Layer, ...]:
        name = self.shown
        if name is None:
            return ()
        return (
            Layer(buckets=self.view.curve(f"train_{name}").buckets, tone="train"),
            Layer(buckets=self.view.curve(f"val_{name}").buckets, tone="validation", stroke="dashed"),
        )

    def marks(self) -> tuple[Mark, ...]:
        return _best(self.view, f"val_{self.shown}")

    def title(self) -> Row:
        name = self.shown
        if name is None:
            return (("metric", "title"),)
        train, validation = self.curves()
        head: Row = ((name, "title"),)
        parts = [
            (("  ", "border"), *self.legend(what, last, layer))
            for what, layer in (("val", validation), ("train", train))
            if (last := self.view.curve(f"{what}_{name}").last) is not None
        ]
        without_numbers = [row[:2] + row[3:] for row in parts]
        choices = (parts, [*parts[:1], *without_numbers[1:]], parts[:1], without_numbers[:1])
        return first_that_fits(((*head, *chain.from_iterable(choice)) for choice in choices), self.size.width - 6)

    def footnote(self) -> Row:
        names, note = self.view.metric_names, self.left_out()
        if len(names) > 1 and self.shown in names:
            following = f"m: {names[(names.index(self.shown) + 1) % len(names)]}"
            note = f"{note} · {following}" if note else following
        return ((note, "quiet"),) if note else ()


class RatePanel(CurvePanel):
    """The planned and the used learning rate."""

    HELP = (
        "The learning rate: the solid line was used, the dotted line is planned up to the end of the run. ▾ marks a "
        "manual change; the plan after it is scaled by the same factor."
    )
    waiting = "shown when the run starts"

    def logarithmic(self) -> bool:
        return False

    def ahead(self) -> float:
        return self.view.steps or self.view.step

    def _first_step(self) -> float:
        return 0.0

    def curves(self) -> tuple[Layer, ...]:
        view = self.view
        plan = tuple(_point(step, rate) for step, rate in planned_from_here(view))
        return (
            Layer(buckets=plan, tone="plan", stroke="dotted"),
            Layer(buckets=view.lr.buckets, tone="train", hides=True),
        )

    def marks(self) -> tuple[Mark, ...]:
        changes = self.view.lr_changes
        return tuple(
            Mark(
                x=change.step, y=change.value, symbol="▾", tone="hand", label="manual" if change is changes[-1] else ""
            )
            for change in changes
        )

    def title(self) -> Row:
        view = self.view
        words: Row = (("learning rate", "title"),)
        if view.lr_now is not None:
            words += ((f" {rate_text(view.lr_now)}", "text"),)
        if view.requested_lr is not None:
            words += ((f" → {rate_text(view.requested_lr)} sent", "hand"),)
        return words

    def footnote(self) -> Row:
        norm = self.view.grad_norm.last
        return () if norm is None else (("gradient norm ", "quiet"), (number_text(float(f"{norm:.3g}")), "text"))


def planned_from_here(view: RunView) -> list[tuple[float, float]]:
    """Return the planned learning rate as (step, rate), scaled after each manual change to the rate that was set.

    The plan is split at the step of a change: otherwise a plan with few points would show the change as a ramp.
    """
    plan = view.lr_plan
    if not plan:
        return []
    scales = {0: 1.0} | {change.step: _scale(view, change.step, change.value) for change in view.lr_changes}
    # The current rate may also have been scaled by a scheduler, which the plan does not know.
    now = _scale(view, view.step, view.lr_now)
    if view.lr_changes:
        scales[max(scales)] = now
    elif now != 1.0:
        scales[view.step] = now
    points: list[tuple[float, float]] = []
    ends = [*sorted(scales)[1:], math.inf]
    for (begin, scale), end in zip(sorted(scales.items()), ends, strict=True):
        inside = [(step, rate) for step, rate in plan if begin < step < end or (step == begin and not points)]
        at_ends = [(at, view.planned_lr(at)) for at in (begin, end) if plan[0][0] < at < plan[-1][0]]
        points += [(float(step), rate * scale) for step, rate in sorted([*inside, *at_ends]) if rate is not None]
    return points


def _scale(view: RunView, step: int, rate: float | None) -> float:
    """Return the ratio of a rate to the plan, rounded so that the line does not move because of noise."""
    planned = view.planned_lr(max(step, 1))
    scale = rate / planned if rate is not None and planned and math.isfinite(rate) else 1.0
    return 1.0 if abs(scale - 1) < 0.01 else float(f"{scale:.2g}")


def _is_r2(metric: str | None) -> bool:
    """Whether a metric is R², of all targets or of one."""
    return metric is not None and (metric == "r2" or metric.startswith("r2_"))


def _point(step: float, rate: float) -> Bucket:
    return Bucket(step, step, rate, rate, rate, 1)


def _within(buckets: tuple[Bucket, ...], first: float) -> Iterable[Bucket]:
    return (bucket for bucket in buckets if bucket.last_x >= first and bucket.points)


def _values(layer: Layer, buckets: Iterable[Bucket]) -> Iterable[float]:
    if layer.spread:
        return chain.from_iterable((bucket.low, bucket.high) for bucket in buckets)
    return (bucket.mean for bucket in buckets)


def _best(view: RunView, name: str) -> tuple[Mark, ...]:
    """Return the mark of the best epoch, with its value if this metric decides the best epoch."""
    value = dict(view.best_metrics).get(name)
    if view.best_epoch is None or view.best_step is None or value is None or not math.isfinite(value):
        return ()
    # After the end, the text above the panels shows it.
    decides = view.monitor == name and view.state not in ("finished", "stale")
    label = f"best {number_text(value)} at {view.best_epoch}" if decides else ""
    return (Mark(x=view.best_step, y=value, symbol="◆", tone="best", label=label),)


def _beyond(layers: tuple[Layer, ...], far: list[float]) -> tuple[Mark, ...]:
    """Return a mark where a curve leaves the plot at the top, with its highest value."""
    if not far:
        return ()
    highest = max(far)
    for layer in layers:
        for bucket in layer.buckets:
            if bucket.points and highest in (bucket.high, bucket.mean):
                return (Mark(x=bucket.x, symbol="▲", tone="warning", label=f"up to {number_text(highest)}"),)
    return ()


def _note(lines: list[str], width: int, height: int) -> list[Row]:
    """Return a text in the middle of an empty plot."""
    if max(map(len, lines)) > width:
        lines = [" ".join(lines)]
    above = max(0, (height - len(lines)) // 2)
    return [()] * above + [((line.center(width)[:width], "quiet"),) for line in lines]
