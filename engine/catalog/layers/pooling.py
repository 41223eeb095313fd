"""Pooling over windows of a fixed size, or to an output of a fixed size.

C channels, D depth, H height, W width, T time.
https://docs.pytorch.org/docs/stable/nn.html#pooling-layers
"""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any

from engine.catalog.layers.signal import Kind, Shape, Signal, per_dimension, shape_text
from engine.catalog.layers.spec import SIZES, LayerSpec, Module, output_bytes, shows
from engine.catalog.layers.windows import window_too_large, window_words, windows
from engine.experiment.mistakes import Mistake

_INDEX_BYTES = 8
_KINDS: dict[int, Kind] = {1: "signal", 2: "image", 3: "volume"}
_WHAT = {1: "a signal", 2: "an image", 3: "a volume"}
_HELPS = {
    "stride": "The stride of the window; the kernel_size where it is left out.",
    "norm_type": "The power p: 1 adds up, 2 is the root of the sum of squares, a large one comes close to the maximum.",
    "kernel_size": "The size of the window.",
    "ceil_mode": "Whether a window that is only partly filled counts too.",
}


def _pooling(
    stem: str, n: int, summary: str, when: str, when_not: str, formula: str, *, whole: bool = False, **fields: Any
) -> LayerSpec:
    """`whole`: whether torch needs the kernel to fit without padding, and counts no partly filled window."""
    size = int if (stem, n) == ("LPPool", 1) else SIZES[n]  # torch multiplies by LPPool1d's kernel_size as it is
    return _family(
        stem,
        n,
        summary=summary,
        when=when,
        when_not=when_not,
        formula=formula,
        types=dict.fromkeys(("kernel_size", "stride", "padding", "dilation"), size),
        helps=_HELPS,
        starts_with={"kernel_size": 2},
        output_shape=_shape,
        check_module=partial(_wrong_window, whole=whole),
        label_words=window_words,
        **fields,
    )


def _adaptive(stem: str, n: int, summary: str, when: str, when_not: str, formula: str, **fields: Any) -> LayerSpec:
    return _family(
        stem,
        n,
        summary=summary,
        when=when,
        when_not=when_not,
        formula=formula,
        types={"output_size": SIZES[n]},
        output_shape=_adaptive_shape,
        label_words=shows("output_size"),
        **fields,
    )


def _family(stem: str, n: int, **fields: Any) -> LayerSpec:
    instead = {kind: f"{stem}{m}d" for m, kind in _KINDS.items() if m != n}
    names: dict[str, Any] = {"name": f"{stem}{n}d", "torch_name": f"torch.nn.{stem}{n}d", "group": "pooling"}
    return LayerSpec(**names, accepts=(_KINDS[n],), instead=instead, **fields)


def _shape(module: Module, shape: Shape) -> Shape:
    return (shape[0], *windows(module, shape[1:]))


def _adaptive_shape(module: Module, shape: Shape) -> Shape:
    return (shape[0], *per_dimension(module.output_size, len(shape) - 1))


def _with_indices(module: Module, before: Shape, after: Shape) -> int:
    """Max pooling saves where each maximum was."""
    return output_bytes(module, before, after) + prod(after) * _INDEX_BYTES


def _wrong_window(module: Module, before: Signal, *, whole: bool) -> Mistake | None:
    kernel = per_dimension(module.kernel_size, len(before.shape) - 1)
    padding = per_dimension(getattr(module, "padding", 0), len(kernel))
    if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        found = f"padding is {shape_text(padding)}"
        return Mistake(".padding", found, "expected at most half of kernel_size", "Make it smaller.")
    larger = whole and any(size < k for size, k in zip(before.shape[1:], kernel, strict=True))
    if larger or min(_shape(module, before.shape)) < 1:
        return window_too_large(module, before, "Make it smaller, or remove the layer.")
    return None


_MAXIMA: dict[str, Any] = {"saved_bytes": _with_indices}
_CHOSEN = "over windows chosen so that the output has output_size."
_OUTPUT_1 = "Before the last Linear: output_size = 1 makes one number per channel, for any {size}."
_ROWS = "y[c, i, j] = {of} of x[c] over rows ⌊i·H / n⌋ … ⌈(i + 1)·H / n⌉ - 1\nand columns alike, n = output_size"
_STEPS = "y[c, t] = {of} of x[c, ⌊t·L / n⌋ … ⌈(t + 1)·L / n⌉ - 1]\nL the length, n = output_size"
_RATHER_MAX = "As AdaptiveAvgPool{n}d, where it matters that a pattern is present rather than how much of it."

ENTRIES = (
    _pooling(
        "MaxPool",
        1,
        "Keeps the largest value of each window of a signal.",
        "To shorten a signal after Conv1d and keep the strongest responses.",
        "Where the mean level matters more than the peaks: AvgPool1d.",
        "y[c, t] = max of x[c, t·stride … t·stride + kernel_size - 1]",
        **_MAXIMA,
    ),
    _pooling(
        "MaxPool",
        2,
        "Keeps the largest value of each window of an image.",
        "To halve an image after convolutions and keep the strongest responses.",
        "Where the values that it drops are needed: Conv2d with stride 2 learns what to keep.",
        "y[c, i, j] = max of x[c] over the window at (i·stride, j·stride)",
        **_MAXIMA,
    ),
    _pooling(
        "MaxPool",
        3,
        "Keeps the largest value of each window of a volume.",
        "To halve a volume after Conv3d and keep the strongest responses.",
        "Where the position matters: a Conv3d with stride 2 learns what to keep.",
        "y = max of x over each window",
        **_MAXIMA,
    ),
    _pooling(
        "AvgPool",
        1,
        "Takes the mean of each window of a signal.",
        "To shorten a signal and smooth it.",
        "Where the peaks matter: MaxPool1d.",
        "y[c, t] = mean of x[c, t·stride … t·stride + kernel_size - 1]",
    ),
    _pooling(
        "AvgPool",
        2,
        "Takes the mean of each window of an image.",
        "To halve an image smoothly, as LeNet does.",
        "Where it matters that a pattern is present at all: MaxPool2d.",
        "y[c, i, j] = mean of x[c] over the window at (i·stride, j·stride)",
    ),
    _pooling(
        "AvgPool",
        3,
        "Takes the mean of each window of a volume.",
        "To halve a volume smoothly.",
        "Where single large values matter: MaxPool3d keeps them.",
        "y = mean of x over each window",
        whole=True,
    ),
    _adaptive(
        "AdaptiveAvgPool",
        1,
        f"Takes means {_CHOSEN}",
        "Before the last Linear after Conv1d: output_size = 1 makes one number per channel, for any length.",
        "Where the position of a pattern matters: Flatten keeps it.",
        _STEPS.format(of="mean"),
    ),
    _adaptive(
        "AdaptiveAvgPool",
        2,
        f"Takes means {_CHOSEN}",
        _OUTPUT_1.format(size="image size"),
        "Where the position of a pattern matters: Flatten keeps it.",
        _ROWS.format(of="mean"),
    ),
    _adaptive(
        "AdaptiveAvgPool",
        3,
        f"Takes means {_CHOSEN}",
        _OUTPUT_1.format(size="volume size"),
        "Where it matters that a pattern is present: AdaptiveMaxPool3d.",
        "y = mean of x over each of output_size windows",
    ),
    _adaptive(
        "AdaptiveMaxPool",
        1,
        f"Takes maxima {_CHOSEN}",
        _RATHER_MAX.format(n=1),
        "Where single peaks are noise: AdaptiveAvgPool1d.",
        _STEPS.format(of="max"),
        **_MAXIMA,
    ),
    _adaptive(
        "AdaptiveMaxPool",
        2,
        f"Takes maxima {_CHOSEN}",
        _RATHER_MAX.format(n=2),
        "Where single peaks are noise: AdaptiveAvgPool2d.",
        _ROWS.format(of="max"),
        **_MAXIMA,
    ),
    _adaptive(
        "AdaptiveMaxPool",
        3,
        f"Takes maxima {_CHOSEN}",
        _RATHER_MAX.format(n=3),
        "Where single large values are noise: AdaptiveAvgPool3d.",
        "y = max of x over each of output_size windows",
        **_MAXIMA,
    ),
    *(
        _pooling(
            "LPPool",
            n,
            f"Takes the power mean, without dividing by the count, of each window of {_WHAT[n]}.",
            f"Between AvgPool{n}d and MaxPool{n}d: norm_type sets how much large values count.",
            "Where values are negative and norm_type is odd: the root is then not a number.",
            "y = (Σ xᵖ)^(1/p) over each window, p = norm_type",
            whole=n == 3,
        )
        for n in (1, 2, 3)
    ),
)
