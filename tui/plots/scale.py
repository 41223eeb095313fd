"""The axes of a plot: limits that do not change with every point, and readable ticks.

Positions on a logarithmic axis are exponents: an axis from 0.01 to 1 goes from -2 to 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

HUGE = 1e300
"""Larger values are drawn as this value, so that the length of an axis is finite."""

_CLOSE = 1e-9
_NICE = (1, 1.5, 2, 3, 4, 6, 8, 10)


class Tick(NamedTuple):
    """A labelled position on an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """From `low` to `high`, with ticks between them."""

    low: float
    high: float
    ticks: tuple[Tick, ...] = ()
    log: bool = False
    unit: str = ""

    def place(self, value: float) -> float | None:
        """Return the position of a value on this axis; None if a logarithmic axis cannot show it."""
        value = min(max(value, -HUGE), HUGE)
        if self.log:
            return math.log10(value) if value > 0 else None
        return value

    def share(self, value: float) -> float | None:
        """Return the position of a value as a share of the axis, from 0 to 1; values outside are at the nearer end."""
        place = self.place(value)
        if place is None or math.isnan(place):
            return None
        return min(1.0, max(0.0, (place - self.low) / (self.high - self.low)))


def value_axis(
    values: Iterable[float],
    rows: int,
    *,
    log: bool = False,
    bounds: tuple[float | None, float | None] = (None, None),
    before: Axis | None = None,
) -> Axis | None:
    """Return the y axis for these values, with a tick every few rows; None if no value can be shown.

    Args:
        bounds: limits that the axis does not exceed.
        before: the previous axis, which is kept while the values fill most of it.
    """
    empty = Axis(low=0.0, high=1.0, log=log)
    places = [place for place in map(empty.place, values) if place is not None and math.isfinite(place)]
    if not places:
        return None
    low, high = min(places), max(places)
    if before is not None and before.log == log and before.low <= low and high <= before.high:
        filled = (high - low) / (before.high - before.low)
        if filled >= 0.55 or (before.low == 0 and high / before.high >= 0.6):
            return before
    magnitude = max(abs(low), abs(high))
    if high - low <= magnitude * _CLOSE or high == low:
        pad = 0.15 if log else max(0.1 * magnitude, 1e-12)
        low, high = max(low - pad, 0.0) if low >= 0 and not log else low - pad, high + pad
    elif not log and 0 < low < 0.35 * (high - low):
        low = 0.0
    count = max(2, rows // 3)
    step = _log_step(low, high, count) if log else nice_step((high - low) / count)
    part = step / 5
    bottom, top = math.floor(low / part + 1e-6) * part, math.ceil(high / part - 1e-6) * part
    least, most = (None if bound is None else empty.place(bound) for bound in bounds)
    bottom = bottom if least is None or low < least else max(bottom, least)
    top = top if most is None or high > most else min(top, most)
    ticks = _log_ticks(bottom, top, count) if log else linear_ticks(bottom, top, step)
    return Axis(low=bottom, high=top, ticks=ticks, log=log)


def step_axis(first: float, last: float, total: int, steps_per_epoch: int, columns: int) -> Axis:
    """Return the x axis over steps from `first`, with room to grow to the right, at most to `total`.

    Ticks are the ends of epochs, or steps if fewer than two epochs are visible. The axis grows in large steps, so that
    the plot is not drawn again with every step.
    """
    high = _next_nice(max(last, first + 1), steps_per_epoch)
    if total:
        high = min(high, float(total))
    high = max(high, first + 1)
    in_epochs = steps_per_epoch > 0 and high - first >= 2 * steps_per_epoch
    unit = steps_per_epoch if in_epochs else 1
    count = max(2, columns // 9)
    apart = max(1, round(nice_step((high - first) / unit / count)))
    # The left end has no label: the unit is there.
    begin = (math.floor(first / unit / apart) + 1) * apart
    ticks = tuple(Tick(n * unit, str(n)) for n in range(begin, math.floor(high / unit + 1e-9) + 1, apart))
    return Axis(low=first, high=high, ticks=ticks, unit="epoch" if in_epochs else "step")


def decade_axis(low: float, high: float, columns: int, unit: str = "") -> Axis:
    """Return the x axis over powers of ten: positions are logarithms, ticks are whole powers."""
    first, last = math.log10(low), math.log10(high)
    powers = range(math.ceil(first - 1e-9), math.floor(last + 1e-9) + 1)
    # A label has up to 5 letters, and the unit is at the left end.
    apart = max(1, math.ceil(len(powers) * 8 / max(columns, 8)))
    ticks = tuple(Tick(float(power), _power_label(power)) for power in powers if power % apart == 0)
    return Axis(low=first, high=last, ticks=ticks, unit=unit)


def clipped(values: Sequence[float]) -> tuple[float, float]:
    """Return the range that shows these finite values well: all of them, unless a few are very far from the others.

    A diverging loss of 1e30 would otherwise flatten the rest of the curve.
    """
    ordered = sorted(values)
    low, high = ordered[0], ordered[-1]
    count = len(ordered)
    middle = ordered[count // 2]
    inner = ordered[count // 10], ordered[count - 1 - count // 10]
    spread = max(middle - inner[0], inner[1] - middle)
    if count < 8 or spread <= 0:
        return low, high
    far = 500 * spread
    inside = [value for value in ordered if abs(value - middle) <= far]
    return inside[0], inside[-1]


def nice_step(step: float) -> float:
    """Return the nearest of 1, 2, 2.5 or 5 times a power of ten, measured by ratio."""
    step = max(step, 1e-300)
    power = 10.0 ** math.floor(math.log10(step))
    return min((factor * power for factor in (1, 2, 2.5, 5, 10)), key=lambda nice: abs(math.log(nice / step)))


def linear_ticks(low: float, high: float, step: float) -> tuple[Tick, ...]:
    """Return multiples of `step` from low to high, labelled with as many digits as distinguish them."""
    first, last = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6)
    return tuple(Tick(n * step, number_label(n * step, step)) for n in range(first, last + 1))


def number_label(value: float, step: float) -> str:
    """Return a tick's label: plain if that is short, otherwise with an exponent."""
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(step) + 1e-9)
    digits = max(0, -exponent)
    if round(step / 10.0**exponent, 6) == 2.5:
        digits += 1
    if abs(value) >= 99_999.5 or digits > 4:
        mantissa, power = f"{value:.2e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(power)}"
    return f"{value:.{digits}f}"


def _log_step(low: float, high: float, count: int) -> float:
    return max(0.05, nice_step((high - low) / count)) if high - low < 1.5 else max(1.0, math.ceil((high - low) / count))


def _log_ticks(low: float, high: float, count: int) -> tuple[Tick, ...]:
    decades = range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
    if len(decades) >= 2:
        apart = math.ceil(len(decades) / max(2, count))
        return tuple(Tick(float(power), _power_label(power)) for power in decades if power % apart == 0)
    between = [(factor, power) for power in range(math.floor(low), math.ceil(high) + 1) for factor in (1, 2, 5)]
    ticks = tuple(
        Tick(power + math.log10(factor), number_label(factor * 10.0**power, 10.0**power)) for factor, power in between
    )
    inside = tuple(tick for tick in ticks if low - 1e-9 <= tick.at <= high + 1e-9)
    if len(inside) >= 2:
        return inside
    # Less than a factor of two is visible: equal differences of values are nearly equal on the axis.
    least, most = 10.0**low, 10.0**high
    return tuple(
        Tick(math.log10(tick.at), tick.label)
        for tick in linear_ticks(least, most, nice_step((most - least) / count))
        if tick.at > 0
    )


def _power_label(power: int) -> str:
    if -3 <= power <= 4:
        return f"{10.0**power:.{max(0, -power)}f}"
    return f"1e{power}"


def _next_nice(last: float, steps_per_epoch: int) -> float:
    """Return the next number of epochs, or of steps within the first epoch, where an axis may end."""
    unit = steps_per_epoch if steps_per_epoch and last > steps_per_epoch else 1
    count = last / unit
    power = 10.0 ** math.floor(math.log10(max(count, 1.0)))
    high = next(factor * power for factor in _NICE if factor * power >= count * (1 - _CLOSE))
    return max(math.ceil(high) if unit > 1 else max(high, 10.0), 1.0) * unit
