"""Metrics of an epoch in one line."""

from __future__ import annotations

from collections.abc import Mapping

from tui.quantities import number_text

_NAMED = 4
"""Up to so many targets are listed one by one; of more, the lowest and the highest."""


def measured_text(metrics: Mapping[str, float]) -> str:
    """What was measured on the validation part; R² of several targets with that of each behind it.

    >>> measured_text({"train_loss": 1.0, "val_loss": 0.5, "val_r2": 0.4, "val_r2_a": 0.1, "val_r2_b": 0.7})
    'val_loss 0.5  val_r2 0.4 (a 0.1, b 0.7)'
    """
    each = {name.removeprefix("val_r2_"): value for name, value in metrics.items() if name.startswith("val_r2_")}
    parts = []
    for name, value in metrics.items():
        if name.startswith(("train_", "val_r2_")):
            continue
        behind = f" ({_each_text(each)})" if name == "val_r2" and each else ""
        parts.append(f"{name} {number_text(value)}{behind}")
    return "  ".join(parts)


def _each_text(each: Mapping[str, float]) -> str:
    if len(each) <= _NAMED:
        return ", ".join(f"{name} {number_text(value)}" for name, value in each.items())
    # A value that is no number is the lowest: it is what should be seen.
    order = sorted(each, key=lambda name: (each[name] == each[name], each[name]))
    low, high = order[0], order[-1]
    return f"{low} {number_text(each[low])} to {high} {number_text(each[high])}"
