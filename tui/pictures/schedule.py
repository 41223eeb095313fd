"""The planned learning rate of a whole run, as a curve."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from textual.content import Content

from engine import Experiment, warmup_steps
from tui.pictures.frame import Look, clipped, join_parts, plot_between, plot_lines, styled, text_lines
from tui.plots.plot import Mark, Scene, canvas_size, draw, sample
from tui.plots.raster import Layer, Stroke
from tui.plots.scale import step_axis, value_axis
from tui.quantities import rate_text
from tui.rows.design import MUTED
from tui.rows.explanations import LOADING
from tui.rows.parameter_groups import group_name
from tui.series import Bucket

if TYPE_CHECKING:
    from engine import Plan

Rate = tuple[int, float]
"""A step, counted from 0, and its learning rate."""

_LOG_FROM = 100.0
"""The ratio of the highest to the lowest rate from which on the axis is logarithmic."""
_IGNORED_SHARE = 0.1
"""This share of the rates, the lowest, is ignored there: a cosine ends near 0 and needs a linear axis."""
_STYLES: tuple[tuple[str, Stroke], ...] = (
    ("first", "solid"),
    ("second", "dashed"),
    ("third", "dotted"),
    ("fourth", "dashed"),
)
"""Tone and stroke of the rates of the first four parameter groups; other groups are not drawn."""


def schedule(plan: Plan | None, width: int, height: int, look: Look) -> Content:
    """The planned rate over all steps, with its first, highest and last value."""
    if plan is None:
        return clipped(text_lines(LOADING, width, MUTED), width, height)
    if not len(plan.lr):
        text = "The learning rate is shown once the mistakes in optimizer, scheduler and data are fixed."
        return clipped(text_lines(text, width, MUTED), width, height)
    experiment = plan.experiment
    points = max(64, 4 * width)
    warmup = warmup_steps(experiment.scheduler, plan.steps_per_epoch)
    lines = [(names, sampled(lr, points, warmup)) for names, lr in _lines(plan)]
    rates = lines[0][1]
    positive = sorted(rate for _, line in lines for _, rate in line if rate > 0)
    low = positive[int(_IGNORED_SHARE * len(positive))] if positive else 0.0
    log = bool(positive) and positive[-1] > _LOG_FROM * low
    head = text_lines(_title(experiment, len(plan.lr), log), width, "bold", most=2)
    if len(lines) > 1:
        head += [
            Content.assemble(
                styled(sample(stroke, look.marker), tone), f" {names}: highest ", rate_text(highest_of(line)[1])
            )
            for (names, line), (tone, stroke) in zip(lines, _STYLES, strict=False)
        ]
    foot = [Content(line) for line in join_parts(_ends(rates, plan.steps_per_epoch), width)]
    foot += [line for note in _notes(experiment, warmup) for line in text_lines(note, width, MUTED)]

    def plot(rows: int) -> Sequence[Content]:
        return _plot([line for _, line in lines], warmup, plan.steps_per_epoch, log, width, rows, look)

    return plot_between(head, plot, foot, width, height)


def _lines(plan: Plan) -> list[tuple[str, Sequence[float]]]:
    """The curves of rates, each with the names of its parameter groups."""
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
    """The rates of `points` evenly spaced steps, and of the first, the last, the highest and step `bend`.

    A run may have a million steps. Only these are computed, and cached for an unchanged plan.
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
        return ["No scheduler: the rate is constant."]
    if warmup:
        notes.append(f"Warm-up (dashed): linear from 0 in {warmup:,} steps.")
    if scheduler.type == "ReduceLROnPlateau":
        given = scheduler.parameters
        monitor, factor = given.get("monitor", "val_loss"), given.get("factor", 0.1)
        notes.append(
            f"The rate depends on {monitor}. The curve assumes that it always improves. After "
            f"{given.get('patience', 10)} epochs without improvement, the rate is multiplied by {factor:g}."
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
    return plot_lines(draw(Scene(x=x, y=y, layers=tuple(layers), marks=_marks(rates, log)), width, height, look.marker))


def _buckets(rates: Sequence[Rate]) -> tuple[Bucket, ...]:
    return tuple(Bucket(step + 1, step + 1, rate, rate, rate, 1) for step, rate in rates)


def _marks(rates: Sequence[Rate], log: bool) -> tuple[Mark, ...]:
    """◆ at the first and the last step, ▲ at the highest rate between them."""
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
