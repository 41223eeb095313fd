"""The learning rate of the whole run, before it begins."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from textual.content import Content

from engine.catalog.schedulers import warmup_steps
from engine.experiment import Experiment
from tui.pictures.frame import Look, around, drawn, framed, joined, toned, words
from tui.plots.plot import Mark, Scene, canvas_size, draw, sample
from tui.plots.raster import Layer, Stroke
from tui.plots.scale import step_axis, value_axis
from tui.quantities import rate_text
from tui.rows.design import MUTED
from tui.rows.explanations import LOADING
from tui.rows.parameter_groups import group_name
from tui.series import Bucket

if TYPE_CHECKING:
    from engine.plan import Plan

Rate = tuple[int, float]
"""A step, counted from 0, and its learning rate."""

_LOG_FROM = 100.0
"""Times that the highest rate is the lowest one from which on the axis is logarithmic."""
_ENDS = 0.1
"""The share of the rates, the lowest ones, that does not decide it: a cosine ends near 0 and is best seen as it is."""
_STYLES: tuple[tuple[str, Stroke], ...] = (
    ("first", "solid"),
    ("second", "dashed"),
    ("third", "dotted"),
    ("fourth", "dashed"),
)
"""Tone and stroke of the rate of each parameter group; others are not drawn."""


def schedule(plan: Plan | None, width: int, height: int, look: Look) -> Content:
    """The planned rate over all steps, with its first, its highest and its last value."""
    if plan is None:
        return framed(words(LOADING, width, MUTED), width, height)
    if not len(plan.lr):
        said = "The learning rate can be drawn once the mistakes in optimizer, scheduler and data are mended."
        return framed(words(said, width, MUTED), width, height)
    experiment = plan.experiment
    points = max(64, 4 * width)
    warmup = warmup_steps(experiment.scheduler, plan.steps_per_epoch)
    lines = [(names, sampled(lr, points, warmup)) for names, lr in _lines(plan)]
    rates = lines[0][1]
    positive = sorted(rate for _, line in lines for _, rate in line if rate > 0)
    low = positive[int(_ENDS * len(positive))] if positive else 0.0
    log = bool(positive) and positive[-1] > _LOG_FROM * low
    head = words(_title(experiment, len(plan.lr), log), width, "bold", most=2)
    if len(lines) > 1:
        head += [
            Content.assemble(
                toned(sample(stroke, look.marker), tone), f" {names}: highest ", rate_text(highest_of(line)[1])
            )
            for (names, line), (tone, stroke) in zip(lines, _STYLES, strict=False)
        ]
    foot = [Content(line) for line in joined(_ends(rates, plan.steps_per_epoch), width)]
    foot += [line for note in _notes(experiment, warmup) for line in words(note, width, MUTED)]

    def plot(rows: int) -> Sequence[Content]:
        return _plot([line for _, line in lines], warmup, plan.steps_per_epoch, log, width, rows, look)

    return around(head, plot, foot, width, height)


def _lines(plan: Plan) -> list[tuple[str, Sequence[float]]]:
    """The rates that are drawn, each with the names of the parameter groups that it is the rate of."""
    found: list[tuple[list[str], Sequence[float]]] = []
    for group, rates in zip(plan.groups, plan.group_rates, strict=False):
        same = next((names for names, others in found if others == rates), None)
        if same is None:
            found.append(([group_name(group, plan.groups)], rates))
        else:
            same.append(group_name(group, plan.groups))
    if not found:
        return [("", plan.lr)]
    return [(" and ".join(names), rates) for names, rates in found[: len(_STYLES)]]


def sampled(rates: Sequence[float], points: int, bend: int = 0) -> tuple[Rate, ...]:
    """The rate of some steps, evenly far apart: the first and the last, the highest, and step `bend` among them.

    A run may have a million steps, and only these are asked for; once, where the plan stays the same.
    """
    return _sampled(rates if isinstance(rates, Hashable) else tuple(rates), points, bend)


@lru_cache(maxsize=32)
def _sampled(rates: Sequence[float], points: int, bend: int) -> tuple[Rate, ...]:
    last = len(rates) - 1
    steps = {round(i * last / max(1, points - 1)) for i in range(points)} | {0, last, max(0, min(bend, last))}
    found = {step: rates[step] for step in sorted(steps)}
    highest = max(found, key=lambda step: (found[step], -step))
    ordered = list(found)
    at = ordered.index(highest)
    low, high = ordered[max(0, at - 1)], ordered[min(len(ordered) - 1, at + 1)]
    while high - low > 2:
        left, right = low + (high - low) // 3, high - (high - low) // 3
        found[left], found[right] = rates[left], rates[right]
        if found[left] >= found[right]:
            high = right
        else:
            low = left
    for step in range(low, high + 1):
        found[step] = rates[step]
    return tuple(sorted(found.items()))


def _title(experiment: Experiment, steps: int, log: bool) -> str:
    epochs = experiment.training.epochs
    name = experiment.scheduler.type if experiment.scheduler is not None else "A constant rate"
    length = f"{steps:,} step{'s' if steps != 1 else ''}, {epochs:,} epoch{'s' if epochs != 1 else ''}"
    return f"{name}: {length}{', log scale' if log else ''}"


def highest_of(rates: Sequence[Rate]) -> Rate:
    """The first step with the highest rate."""
    return max(rates, key=lambda point: (point[1], -point[0]))


def _ends(rates: Sequence[Rate], steps_per_epoch: int) -> list[str]:
    first, last, (at, highest) = rates[0][1], rates[-1][1], highest_of(rates)
    if highest == first == last and all(rate == first for _, rate in rates):
        return [f"{rate_text(first)} at every step"]
    where = f"epoch {at // steps_per_epoch + 1}" if steps_per_epoch and len(rates) > 1 else f"step {at + 1:,}"
    return [f"first {rate_text(first)}", f"highest {rate_text(highest)} in {where}", f"last {rate_text(last)}"]


def _notes(experiment: Experiment, warmup: int) -> list[str]:
    notes = []
    scheduler = experiment.scheduler
    if scheduler is None:
        return ["No scheduler: the rate stays as it is."]
    if warmup:
        notes.append(f"Warm-up, dashed: {warmup:,} steps in a straight line from 0.")
    if scheduler.type == "ReduceLROnPlateau":
        given = scheduler.parameters
        monitor, factor = given.get("monitor", "val_loss"), given.get("factor", 0.1)
        notes.append(
            f"It goes by {monitor}, which only the run can tell: drawn as if that always got better. After "
            f"{given.get('patience', 10)} epochs without a better one the rate is multiplied by {factor:g}."
        )
    return notes


def _plot(
    lines: Sequence[Sequence[Rate]],
    warmup: int,
    steps_per_epoch: int,
    log: bool,
    width: int,
    height: int,
    look: Look,
) -> list[Content]:
    rates, *groups = lines
    shown = [rate for line in lines for _, rate in line if rate > 0 or not log]
    y = value_axis(shown, height - 2, log=log, bounds=(None if log else 0.0, None))
    if y is None:
        return []
    columns, _ = canvas_size(width, height, y)
    total = rates[-1][0] + 1
    x = step_axis(0, total, total, steps_per_epoch, max(1, columns))
    rising = [point for point in rates if point[0] <= warmup] if warmup else []
    layers = [
        Layer(buckets=_buckets(line), tone=tone, stroke=stroke)
        for line, (tone, stroke) in zip(groups, _STYLES[1:], strict=False)
    ]
    layers.append(Layer(buckets=_buckets([point for point in rates if point[0] >= warmup]), tone="first"))
    if rising:
        layers.append(Layer(buckets=_buckets(rising), tone="first", stroke="dashed"))
    return drawn(draw(Scene(x=x, y=y, layers=tuple(layers), marks=_marks(rates, log)), width, height, look.marker))


def _buckets(rates: Sequence[Rate]) -> tuple[Bucket, ...]:
    return tuple(Bucket(step + 1, step + 1, rate, rate, rate, 1) for step, rate in rates)


def _marks(rates: Sequence[Rate], log: bool) -> tuple[Mark, ...]:
    """◆ where the run begins and ends, ▲ at its highest rate where that is neither."""
    first, last, highest = rates[0], rates[-1], highest_of(rates)
    marks = [(first, "◆")]
    if highest[1] > max(first[1], last[1]):
        marks.append((highest, "▲"))
    if last[0] != first[0] and any(rate != first[1] for _, rate in rates):
        marks.append((last, "◆"))
    return tuple(
        Mark(x=step + 1, y=rate, symbol=symbol, tone="mark", label=rate_text(rate))
        for (step, rate), symbol in marks
        if rate > 0 or not log
    )
