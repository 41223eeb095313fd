"""Layers that lay out anew, enlarge or pad, without weights."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Gt

from engine.catalog.entry import Entry
from engine.catalog.layer_entry import layer

_PADS = {
    "Zero": (
        "zeros",
        "The usual edge, where a convolution's own padding is not enough, or is not the same on all sides.",
    ),
    "Constant": ("a constant", "Where zero means something, and another value means nothing."),
    "Reflection": ("its mirror image", "For images, where an edge of zeros would be seen as an edge."),
    "Replication": ("its outermost values", "For images and signals that go on about as they end."),
    "Circular": ("its other end", "For what goes round: angles, hours, the earth's longitudes."),
}
_WHAT = {"1d": "a signal", "2d": "an image", "3d": "a volume"}
_FACTOR = Annotated[float, Gt(0)]
_PAIR = int | tuple[int, int]


def _padding(kind: str, dimensions: str) -> Entry:
    with_, when = _PADS[kind]
    sides: dict[str, Any] = {"1d": tuple[int, int], "2d": tuple[int, int, int, int]}
    sides["3d"] = tuple[int, int, int, int, int, int]
    return layer(
        f"{kind}Pad{dimensions}",
        f"Surrounds {_WHAT[dimensions]} with {with_}.",
        when,
        types={"padding": int | sides[dimensions]},
        helps={
            "padding": "How much on each side: a number, or before and after, the last dimension first.",
            "value": "What stands in the padding.",
        },
        formula="each size grows by the padding before it and after it",
        when_not="Where a convolution's own padding and padding_mode do.",
    )


ENTRIES = (
    layer(
        "Unflatten",
        "Makes several dimensions of one.",
        "After a Linear that begins a decoder: dim = 1 with unflattened_size = [8, 4, 4] makes 8 maps of 4×4.",
        types={"dim": int, "unflattened_size": tuple[int, ...]},
        helps={
            "dim": "The dimension to be taken apart; 0 is the batch, 1 the first after it.",
            "unflattened_size": "The new sizes; their product is the old one.",
        },
        formula="(…, a·b, …) → (…, a, b, …)",
        when_not="To change the order of dimensions: Permute.",
    ),
    layer(
        "Upsample",
        "Enlarges by repeating values, or by drawing between them.",
        "In decoders, before a convolution: scale_factor = 2 doubles the size.",
        types={
            "mode": Literal["nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear"],
            "scale_factor": _FACTOR | tuple[_FACTOR, ...],
        },
        hidden=frozenset({"recompute_scale_factor"}),
        helps={
            "size": "The new size; give it or scale_factor.",
            "scale_factor": "How many times larger; give it or size.",
            "mode": "Nearest repeats; linear is for signals, bilinear and bicubic for images, trilinear for volumes.",
            "align_corners": "Whether the corners keep their values, where values are drawn between.",
        },
        formula="size' = ⌊size · scale_factor⌋",
        when_not="Where the way to enlarge shall be learned: ConvTranspose2d or PixelShuffle.",
    ),
    layer(
        "PixelShuffle",
        "Makes r² channels one that is r times as high and wide (Shi et al., 2016).",
        "To enlarge after a Conv2d of r² times as many filters, without a checkerboard.",
        formula="(C·r², H, W) → (C, H·r, W·r), r = upscale_factor",
        when_not="Where channels are few: Upsample.",
        helps={"upscale_factor": "How many times higher and wider; the channels must divide by its square."},
    ),
    layer(
        "PixelUnshuffle",
        "Makes each r×r square of pixels r² channels: PixelShuffle the other way round.",
        "To make an image smaller without losing anything, as in the first layer of a CNN.",
        formula="(C, H·r, W·r) → (C·r², H, W), r = downscale_factor",
        when_not="Where something may be lost: MaxPool2d.",
        helps={"downscale_factor": "How many times lower and narrower; height and width must divide by it."},
    ),
    layer(
        "ChannelShuffle",
        "Mixes the groups of channels (Zhang et al., 2018).",
        "Between convolutions with groups, so that what one group sees reaches the others.",
        formula="(g·n, …) → the channels read as (n, g)",
        when_not="Without grouped convolutions: it changes nothing then.",
        helps={"groups": "Number of groups; the channels must divide by it."},
    ),
    layer(
        "Unfold",
        "Cuts an image into windows and lays each out as one step of a signal (C·k·k, windows).",
        "To make patches of an image: Permute after it gives the sequence that a transformer reads.",
        types=dict.fromkeys(("kernel_size", "dilation", "padding", "stride"), _PAIR),
        helps={"kernel_size": "The size of the window.", "stride": "From one window to the next."},
        formula="(C, H, W) → (C·k·k, L), L windows",
        when_not="Before a Linear that is the same for all windows: Conv2d is that, and faster.",
    ),
    layer(
        "Fold",
        "Puts windows together to an image and adds where they overlap: Unfold the other way round.",
        "After work on the patches of an image.",
        types=dict.fromkeys(("output_size", "kernel_size", "dilation", "padding", "stride"), _PAIR),
        helps={
            "output_size": "Height and width of the image.",
            "kernel_size": "The size of the window.",
            "stride": "From one window to the next.",
        },
        formula="(C·k·k, L) → (C, H, W), L windows",
        when_not="To enlarge: ConvTranspose2d.",
    ),
    *(_padding(kind, dimensions) for kind in _PADS for dimensions in _WHAT),
)
