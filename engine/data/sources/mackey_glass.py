"""The Mackey-Glass series, a chaotic benchmark of forecasting."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from engine.data.source import Source
from engine.data.spans import Spans
from engine.experiment.document import Data
from engine.experiment.mistakes import Mistake

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.data.dataset import Dataset
    from engine.data.splits import Split

BETA, GAMMA = 0.2, 0.1
START = 1.2
STEPS_PER_UNIT = 10
LONGEST = 1_000_000
MAX_BYTES = 4 << 30
TRANSIENT = 1000
"""Units of time before the first sample, after which the initial value has no influence."""


class MackeyGlass(Source):
    """M. C. Mackey, L. Glass: Oscillation and chaos in physiological control systems. Science 197 (1977), 287-289."""

    name: ClassVar[str] = "mackey-glass"
    summary: ClassVar[str] = "Windows of the chaotic Mackey-Glass series, each with the values that follow it."
    when: ClassVar[str] = "To train a recurrent network on a common benchmark of forecasting."

    length: Annotated[int, Field(ge=100, le=LONGEST, description="Samples of the series, one per unit of time.")] = 6000
    tau: Annotated[
        int,
        Field(ge=5, le=300, description="Delay of the equation; periodic below 17, increasingly chaotic from 17 on."),
    ] = 17
    window: Annotated[int, Field(ge=1, description="Samples of the input window.")] = 64
    horizon: Annotated[int, Field(ge=1, description="Samples after the window to forecast, in one step.")] = 1
    stride: Annotated[int, Field(ge=1, description="Samples from the start of one window to the next.")] = 1

    def contradictions(self, data: Data) -> list[Mistake]:
        """Parts that are shorter than a window, and windows that do not fit in memory."""
        reach = self.window + self.horizon
        shortest = max(Spans.asked(self.length, data).shortest, 0)
        size = self.length // self.stride * reach * 4
        if shortest < reach:
            enough = _round_up(self.length * reach / max(shortest, 1))
            longer = f", or set data.length to {enough}" if enough <= LONGEST else ""
            return [
                Mistake(
                    "data.window",
                    f"a window of {self.window:,} and the {self.horizon:,} to forecast span {reach:,} samples",
                    f"the shortest part of the series has {shortest:,} of {self.length:,}",
                    f"Shorten window or horizon{longer}.",
                )
            ]
        if size > MAX_BYTES:
            return [
                Mistake(
                    "data.window",
                    f"all windows together take {size / 2**30:.0f} GiB",
                    f"expected at most {MAX_BYTES >> 30} GiB",
                    f"Set data.stride to {self.stride * size // MAX_BYTES + 1} or more, or shorten the window.",
                )
            ]
        return []

    def load(self, split: Split) -> Dataset:
        """Sequences (T=window, F=1) and the next `horizon` values, standardised by the training span.

        The series is the same for every seed, and its parts follow one another in time. A window belongs to a part
        only if it contains its input and its target.
        """
        import torch

        from engine.data.dataset import Units, dataset
        from engine.data.samples import Windows
        from engine.data.splits import in_time

        values = series(self.length, self.tau)
        spans = split.spans(self.length)
        mean, std = _mean_and_std(values[: spans.train_end].tolist())
        standardised = ((values - mean) / std).astype("float32")

        starts, parts = in_time(spans, self.window + self.horizon, self.stride)
        begin, known = torch.from_numpy(starts), torch.from_numpy(standardised)
        return dataset(
            self.name,
            "forecasting",
            "sequence",
            Windows(known[:, None], begin, self.window),
            Windows(known, begin + self.window, self.horizon),
            parts,
            statistics={"mean": mean, "std": std},
            units=Units(scale=(std,) * self.horizon, offset=(mean,) * self.horizon),
            notes=(
                f"Standardised by the first {spans.train_end:,} of {self.length:,} values "
                f"(mean {mean:.4f}, std {std:.4f}); no window crosses the boundary of a part.",
            ),
        )


def series(length: int, tau: int, transient: int = TRANSIENT) -> NDArray[np.float64]:
    """x(t) at each unit of time, for dx/dt = β x(t-τ) / (1 + x(t-τ)¹⁰) - γ x.

    Started from a constant 1.2; the first `transient` units of time are left out.

    Fourth-order Runge-Kutta with a fixed step of 0.1; the delayed values between steps by cubic Hermite interpolation.
    Within one delay the delayed term is known already, which leaves x' = g(t) - γ x: a Runge-Kutta step is then linear
    in x and g, and the steps of a whole delay are one cumulative sum.

    The series is bit-identical on every CPU; since it is chaotic, a rounding error would give another series. Therefore
    only operations that IEEE 754 rounds correctly are used, in a fixed order: elementwise + - * / and running sums and
    products. A library's power or exponential function rounds differently on other vector units.
    """
    import numpy as np

    h = 1 / STEPS_PER_UNIT
    lag = tau * STEPS_PER_UNIT
    steps = (transient + length - 1) * STEPS_PER_UNIT

    z = GAMMA * h
    z2, z3, z4 = z * z, z * z * z, z * z * z * z
    decay = 1 - z + z2 / 2 - z3 / 6 + z4 / 24
    weight_start, weight_middle, weight_end = (
        h / 6 * (1 - z + z2 / 2 - z3 / 4),
        h / 6 * (4 - 2 * z + z2 / 2),
        h / 6,
    )

    powers = np.multiply.accumulate(np.full(lag, decay))
    x = np.empty(steps + lag + 1)
    x[0] = START
    g = np.full(lag + 1, _production(np.array(START)))  # at the step boundaries of this block
    g_middle = g[:-1]
    for first in range(0, steps, lag):
        forcing = weight_start * g[:-1] + weight_middle * g_middle + weight_end * g[1:]
        block = x[first : first + lag + 1]
        block[1:] = powers * (block[0] + np.add.accumulate(forcing / powers))
        slope = g - GAMMA * block
        middle = (block[:-1] + block[1:]) / 2 + h / 8 * (slope[:-1] - slope[1:])
        g, g_middle = _production(block), _production(middle)
    return x[transient * STEPS_PER_UNIT : steps + 1 : STEPS_PER_UNIT]


def _production(delayed: NDArray[np.float64]) -> NDArray[np.float64]:
    """β x / (1 + x¹⁰), the tenth power by multiplication."""
    x2 = delayed * delayed
    x4 = x2 * x2
    return BETA * delayed / (1 + x4 * x4 * x2)


def _mean_and_std(values: list[float]) -> tuple[float, float]:
    """Mean and standard deviation from exactly rounded sums, which do not depend on the order of addition."""
    mean = math.fsum(values) / len(values)
    return mean, math.sqrt(math.fsum((value - mean) * (value - mean) for value in values) / len(values))


def _round_up(value: float) -> int:
    """To two digits, as a person would."""
    digits = len(str(int(value))) - 2
    unit: int = 10 ** max(0, digits)
    return (int(value) // unit + 1) * unit
