"""Numbers as JSON can hold them."""

from __future__ import annotations

import math


def json_number(value: float) -> float | str:
    """`value`, or as a string where it is not finite: "NaN", "Infinity", "-Infinity", as events have it."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
