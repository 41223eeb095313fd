"""Convolutions and transposed convolutions. C channels, D depth, H height, W width, T time.

https://docs.pytorch.org/docs/stable/nn.html#convolution-layers
"""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any, Literal

from engine.catalog.layers.checks import either
from engine.catalog.layers.signal import Kind, Shape, Signal, per_dimension, shape_text
from engine.catalog.layers.spec import BEFORE, SIZES, Arguments, LayerSpec, Module, number_words
from engine.catalog.layers.windows import window_too_large, window_words, windows
from engine.experiment.mistakes import Mistake, drop

_KINDS: dict[int, Kind] = {1: "signal", 2: "image", 3: "volume"}
_HELPS = {
    "out_channels": 'Number of filters; "auto" takes as many as the data has classes or targets.',
    "output_padding": "Size added to one side of the output, where several output sizes are possible.",
}


def _convolution(stem: str, n: int, summary: str, when: str, when_not: str, formula: str, **fields: Any) -> LayerSpec:
    size = SIZES[n]
    types: dict[str, Any] = {"out_channels": int | Literal["auto"]}
    types |= dict.fromkeys(("kernel_size", "stride", "dilation", "output_padding", "padding"), size)
    return LayerSpec(
        name=f"{stem}{n}d",
        torch_name=f"torch.nn.{stem}{n}d",
        group="convolution",
        summary=summary,
        when=when,
        when_not=when_not,
        formula=formula,
        types=types | fields.pop("types", {}),
        inferred={"in_channels": BEFORE},
        helps=_HELPS,
        accepts=(_KINDS[n],),
        instead={kind: f"{stem}{m}d" for m, kind in _KINDS.items() if m != n},
        size_parameter="in_channels",
        auto_parameter="out_channels",
        initializers=frozenset({"init", "bias_init"}),
        check_arguments=_wrong_groups,
        label_words=partial(_words, square=stem == "Conv" and n == 2),
        **fields,
    )


def _words(parameters: Arguments, *, square: bool) -> list[str]:
    filters = [number_words(parameters["out_channels"])] if "out_channels" in parameters else []
    return [*filters, *window_words(parameters, stride=1, square=square)]


def _wrong_groups(given: Arguments, before: Signal) -> Mistake | None:
    groups, inputs = given.get("groups", 1), given["in_channels"]
    for name in ("in_channels", "out_channels"):
        if given[name] % groups:
            if name == "out_channels":
                fix = f"Set out_channels to a multiple of {groups}; for a depthwise convolution, to {inputs} or more."
            else:
                divisors = [n for n in range(1, inputs + 1) if inputs % n == 0]
                some = divisors[:4] + divisors[4:][-1:]
                fix = f"Set groups to {either(some)}." if len(some) > 1 else "Remove groups."
            return Mistake(
                ".groups", f"groups is {groups}", f"{name} is {given[name]}, which is not divisible by groups", fix
            )
    return None


def _shape(module: Module, shape: Shape) -> Shape:
    return (module.out_channels, *windows(module, shape[1:]))


def _flops(module: Module, before: Shape, after: Shape) -> int:
    return 2 * prod(after[1:]) * int(module.weight.numel())


def _wrong_window(module: Module, before: Signal) -> Mistake | None:
    if min(_shape(module, before.shape)) < 1:
        return window_too_large(module, before, 'Make it smaller, or keep the size with padding = "same".')
    if module.padding_mode in ("reflect", "circular"):
        sides = module._reversed_padding_repeated_twice[::2]
        least = min(size - pad for size, pad in zip(before.shape[1:], reversed(sides), strict=True))
        if least < (module.padding_mode == "reflect"):
            found = f"padding_mode {module.padding_mode} needs an input larger than the padding in each dimension"
            return Mistake(".padding", found, f"{before.origin} gives {before}", "Make the padding smaller.")
    return None


def _transposed_shape(module: Module, shape: Shape) -> Shape:
    """https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html"""
    sizes = shape[1:]
    given = (module.stride, module.padding, module.dilation, module.kernel_size, module.output_padding)
    each = (per_dimension(value, len(sizes)) for value in given)
    grown = (
        (size - 1) * s - 2 * p + d * (k - 1) + more + 1 for size, s, p, d, k, more in zip(sizes, *each, strict=True)
    )
    return (module.out_channels, *grown)


def _transposed_flops(module: Module, before: Shape, after: Shape) -> int:
    return 2 * prod(before[1:]) * int(module.weight.numel())


def _wrong_transposed(module: Module, before: Signal) -> Mistake | None:
    """torch requires output_padding below stride or dilation, and an output."""
    each = zip(module.output_padding, module.stride, module.dilation, strict=True)
    if any(more >= max(stride, dilation) for more, stride, dilation in each):
        found, fix = f"output_padding is {shape_text(module.output_padding)}", "Make it smaller, or remove it."
        return Mistake(".output_padding", found, "expected less than stride or dilation", fix, remedy=drop())
    if min(_transposed_shape(module, before.shape)) < 1:
        found = f"padding is {shape_text(module.padding)}"
        return Mistake(".padding", found, f"nothing is left of {before}", "Make it smaller.")
    return None


def _forward(n: int, summary: str, when: str, when_not: str, formula: str) -> LayerSpec:
    types = {"padding": Literal["same", "valid"] | SIZES[n]}
    checks: dict[str, Any] = {"output_shape": _shape, "flops": _flops, "check_module": _wrong_window}
    starts_with = {"padding": "same"}
    return _convolution("Conv", n, summary, when, when_not, formula, types=types, starts_with=starts_with, **checks)


def _transposed(n: int, what: str, size: str) -> LayerSpec:
    return _convolution(
        "ConvTranspose",
        n,
        f"Spreads each {what} with learned filters: the reverse of Conv{n}d.",
        "In decoders, to enlarge: kernel_size 4 with stride 2 and padding 1 doubles the size.",
        "Where its checkerboard pattern shows: Upsample and a convolution give smoother results.",
        f"{size}' = ({size} − 1)·stride − 2·padding\n     + dilation·(kernel_size − 1) + output_padding + 1",
        hidden=frozenset({"padding_mode"}),  # zeros are the only mode that torch has
        output_shape=_transposed_shape,
        flops=_transposed_flops,
        check_module=_wrong_transposed,
    )


ENTRIES = (
    _forward(
        1,
        "Slides learned filters along a signal (C, T) and outputs one channel per filter.",
        "For local patterns in time; a sequence (T, F) needs Permute first.",
        "For patterns that span the whole signal: LSTM, GRU or TransformerEncoder.",
        "y[o, t] = b[o] + Σ_c Σ_i w[o, c, i]·x[c, t·stride + i·dilation - padding]",
    ),
    _forward(
        2,
        "Slides learned filters over an image (C, H, W) and outputs one channel per filter.",
        'The building block for images: kernel 3 with padding = "same" keeps the size; use more filters deeper down.',
        "For tables, whose columns have no neighbours: Linear.",
        "y[o, i, j] = b[o] + Σ_c Σ_u Σ_v w[o, c, u, v]·x[c, i·s + u·d, j·s + v·d]\n"
        "s the stride, d the dilation, x surrounded by padding zeros",
    ),
    _forward(
        3,
        "Slides learned filters through a volume (C, D, H, W) and outputs one channel per filter.",
        "For scans and video clips: local patterns in depth or time as well as in height and width.",
        "For single images: Conv2d needs a fraction of the work.",
        "yₒ = bₒ + Σᵢ wₒᵢ ⋆ xᵢ over a window of D×H×W",
    ),
    _transposed(1, "step of a signal (C, T)", "T"),
    _transposed(2, "pixel of an image (C, H, W)", "H"),
    _transposed(3, "voxel of a volume (C, D, H, W)", "D"),
)
