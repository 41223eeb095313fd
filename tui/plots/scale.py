"""The axes of a plot: limits that do not jump with every point, and ticks that can be read.

Positions on a logarithmic axis are powers of ten: an axis from 0.01 to 1 reaches from -2 to 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

HUGE = 1e300
"""What is larger is drawn as this, so that the length of an axis is a number."""

_CLOSE = 1e-9
_NICE = (1, 1.5, 2, 3, 4, 6, 8, 10)


class Tick(NamedTuple):
    """A labelled place on an axis."""

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
        """Where a value stands on this axis; None where a logarithmic axis has no place for it."""
        value = min(max(value, -HUGE), HUGE)
        if self.log:
            return math.log10(value) if value > 0 else None
        return value

    def share(self, value: float) -> float | None:
        """How far along the axis a value stands, 0 to 1; what is beyond an end stands at that end."""
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
    """The upright axis for these values, with a tick every few rows; None where no value can be shown.

    `bounds` are ends that the axis does not go beyond. `before` is kept where the values still fill most of it.
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
    wanted = max(2, rows // 3)
    step = _log_step(low, high, wanted) if log else nice_step((high - low) / wanted)
    part = step / 5
    bottom, top = math.floor(low / part + 1e-6) * part, math.ceil(high / part - 1e-6) * part
    least, most = (None if bound is None else empty.place(bound) for bound in bounds)
    bottom = bottom if least is None or low < least else max(bottom, least)
    top = top if most is None or high > most else min(top, most)
    ticks = _log_ticks(bottom, top, wanted) if log else linear_ticks(bottom, top, step)
    return Axis(low=bottom, high=top, ticks=ticks, log=log)


def step_axis(first: float, last: float, total: int, steps_per_epoch: int, columns: int) -> Axis:
    """The level axis over steps from `first` on, with room to grow to the right, at most to `total`.

    Ticks are ends of epochs, or steps where less than two epochs are seen. It grows by leaps, so that a plot is not
    drawn anew with every step.
    """
    high = _next_nice(max(last, first + 1), steps_per_epoch)
    if total:
        high = min(high, float(total))
    high = max(high, first + 1)
    in_epochs = steps_per_epoch > 0 and high - first >= 2 * steps_per_epoch
    unit = steps_per_epoch if in_epochs else 1
    wanted = max(2, columns // 9)
    apart = max(1, round(nice_step((high - first) / unit / wanted)))
    # The left end has no label: the name of what is counted stands there.
    begin = (math.floor(first / unit / apart) + 1) * apart
    ticks = tuple(Tick(n * unit, str(n)) for n in range(begin, math.floor(high / unit + 1e-9) + 1, apart))
    return Axis(low=first, high=high, ticks=ticks, unit="epoch" if in_epochs else "step")


def decade_axis(low: float, high: float, columns: int, unit: str = "") -> Axis:
    """The level axis over powers of ten: places on it are logarithms, ticks are whole powers."""
    first, last = math.log10(low), math.log10(high)
    powers = range(math.ceil(first - 1e-9), math.floor(last + 1e-9) + 1)
    # A label is up to 5 letters long, and the name of what is shown stands at the left end.
    apart = max(1, math.ceil(len(powers) * 8 / max(columns, 8)))
    ticks = tuple(Tick(float(power), _power_label(power)) for power in powers if power % apart == 0)
    return Axis(low=first, high=last, ticks=ticks, unit=unit)


def clipped(values: Sequence[float]) -> tuple[float, float]:
    """The range that shows these finite values well: all of them, unless a few lie absurdly far from the others.

    A diverging loss of 1e30 would press the rest of the curve onto the axis.
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
    """The 1, 2, 2.5 or 5 times a power of ten that is nearest, as the eye measures steps: by their ratio."""
    step = max(step, 1e-300)
    power = 10.0 ** math.floor(math.log10(step))
    return min((factor * power for factor in (1, 2, 2.5, 5, 10)), key=lambda nice: abs(math.log(nice / step)))


def linear_ticks(low: float, high: float, step: float) -> tuple[Tick, ...]:
    """Multiples of `step` from low to high, labelled with as many digits as tell them apart."""
    first, last = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6)
    return tuple(Tick(n * step, number_label(n * step, step)) for n in range(first, last + 1))


def number_label(value: float, step: float) -> str:
    """A tick's label: plain where that is short, with an exponent where it is not."""
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


def _log_step(low: float, high: float, wanted: int) -> float:
    return (
        max(0.05, nice_step((high - low) / wanted)) if high - low < 1.5 else max(1.0, math.ceil((high - low) / wanted))
    )


def _log_ticks(low: float, high: float, wanted: int) -> tuple[Tick, ...]:
    decades = range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
    if len(decades) >= 2:
        apart = math.ceil(len(decades) / max(2, wanted))
        return tuple(Tick(float(power), _power_label(power)) for power in decades if power % apart == 0)
    between = [(factor, power) for power in range(math.floor(low), math.ceil(high) + 1) for factor in (1, 2, 5)]
    ticks = tuple(
        Tick(power + math.log10(factor), number_label(factor * 10.0**power, 10.0**power)) for factor, power in between
    )
    inside = tuple(tick for tick in ticks if low - 1e-9 <= tick.at <= high + 1e-9)
    if len(inside) >= 2:
        return inside
    # Less than a factor of two is seen: equal distances in the values are nearly equal on the axis.
    least, most = 10.0**low, 10.0**high
    return tuple(
        Tick(math.log10(tick.at), tick.label)
        for tick in linear_ticks(least, most, nice_step((most - least) / wanted))
        if tick.at > 0
    )


def _power_label(power: int) -> str:
    if -3 <= power <= 4:
        return f"{10.0**power:.{max(0, -power)}f}"
    return f"1e{power}"


def _next_nice(last: float, steps_per_epoch: int) -> float:
    """The next number of epochs, or of steps within the first epoch, that an axis may end at."""
    unit = steps_per_epoch if steps_per_epoch and last > steps_per_epoch else 1
    wanted = last / unit
    power = 10.0 ** math.floor(math.log10(max(wanted, 1.0)))
    high = next(factor * power for factor in _NICE if factor * power >= wanted * (1 - _CLOSE))
    return max(math.ceil(high) if unit > 1 else max(high, 10.0), 1.0) * unit
