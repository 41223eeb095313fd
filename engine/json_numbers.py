"""Numbers that are not finite, in JSON."""

from __future__ import annotations

import math


def json_number(value: float) -> float | str:
    """`value` if it is finite, else "NaN", "Infinity" or "-Infinity", as in events."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
