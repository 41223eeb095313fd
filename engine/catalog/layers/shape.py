"""Layers that change the shape of a sample, without weights. C channels, H height, W width, T time, F features.

https://docs.pytorch.org/docs/stable/nn.html#vision-layers
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Annotated, Any, Literal

from annotated_types import Gt

from engine.catalog.layers.checks import divides_channels, wrong_dimension
from engine.catalog.layers.signal import (
    BY_DIMENSIONS,
    OVER_CHANNELS,
    DataFacts,
    Kind,
    Shape,
    Signal,
    per_dimension,
    shape_text,
)
from engine.catalog.layers.spec import Arguments, LayerSpec, Module, no_bytes, number_words, same_shape, usual_kind
from engine.catalog.layers.windows import window_words
from engine.experiment.mistakes import Mistake, drop, put

_FACTOR = Annotated[float, Gt(0)]
_PAIR = int | tuple[int, int]
_MODES: dict[Kind, tuple[str, ...]] = {
    "signal": ("linear",),
    "image": ("bilinear", "bicubic"),
    "volume": ("trilinear",),
}
"""The ways to interpolate samples of each kind."""


def _shape_layer(name: str, **fields: Any) -> LayerSpec:
    names = {"name": name, "torch_name": f"torch.nn.{name}", "group": "shape"}
    return LayerSpec(**(names | fields))


def _flattened(module: Module, shape: Shape) -> Shape:
    n = len(shape) + 1  # torch counts the batch
    start, end = module.start_dim % n - 1, module.end_dim % n - 1
    return (*shape[:start], prod(shape[start : end + 1]), *shape[end + 1 :])


def _wrong_range(module: Module, before: Signal) -> Mistake | None:
    if wrong := wrong_dimension(module, before):
        return wrong
    n = len(before.shape) + 1
    if module.start_dim % n <= module.end_dim % n:
        return None
    found = f"start_dim {module.start_dim} is after end_dim {module.end_dim}"
    return Mistake("", found, f"{before.origin} gives {before}", "Remove both to flatten everything.")


def _mixes_padding(parameters: Arguments, before: Signal, facts: DataFacts) -> Iterator[Mistake]:
    """After a padded sequence is flattened or reordered, no layer can distinguish padding from words."""
    if facts.padded and before.kind == "sequence":
        fix = 'Use an LSTM, GRU or RNN with output = "mean" instead, which never reads padding.'
        found, expected = "the layers after it read padding too", "samples differ in length"
        yield Mistake("", found, expected, fix, severity="warning")


def _unflattened(module: Module, shape: Shape) -> Shape:
    place = module.dim % (len(shape) + 1) - 1
    return (*shape[:place], *module.unflattened_size, *shape[place + 1 :])


def _wrong_unflattening(module: Module, before: Signal) -> Mistake | None:
    if wrong := wrong_dimension(module, before, can_be_dropped=False):
        return wrong
    path, new = ".unflattened_size", tuple(module.unflattened_size)
    size = before.shape[module.dim % (len(before.shape) + 1) - 1]
    if min(new, default=0) < 1 or prod(new) != size:
        found = f"unflattened_size {shape_text(new) or 'is empty'}" + (f" makes {prod(new)}" if new else "")
        return Mistake(path, found, f"dimension {module.dim} has {size}", f"Choose sizes with a product of {size}.")
    dimensions, most = len(before.shape) - 1 + len(new), max(BY_DIMENSIONS)
    if dimensions <= most:
        return None
    return Mistake(path, f"it makes {dimensions} dimensions", f"expected at most {most}", "Use fewer sizes.")


def _permuted(module: Module, shape: Shape) -> Shape:
    return tuple(shape[d - 1] for d in module.dims[1:])


def _permuted_kind(module: Module, before: Signal, shape: Shape) -> Kind:
    """A sequence (T, F) becomes a signal (C, T), and the reverse."""
    other: dict[Kind, Kind] = {"sequence": "signal", "signal": "sequence"}
    return other.get(before.kind, before.kind) if module.dims == (0, 2, 1) else usual_kind(module, before, shape)


def _wrong_count(module: Module, before: Signal) -> Mistake | None:
    if len(module.dims) == len(before.shape) + 1:
        return None
    found, expected = f"it names {len(module.dims)} dimensions", f"{before.origin} gives {len(before.shape) + 1}"
    return Mistake(".dims", found, f"{expected} with the batch", "Name each dimension once, 0 first.")


def _enlarged(module: Module, shape: Shape) -> Shape:
    sizes = shape[1:]
    if module.size is not None:
        return (shape[0], *per_dimension(module.size, len(sizes)))
    factors = module.scale_factor if isinstance(module.scale_factor, tuple) else (module.scale_factor,) * len(sizes)
    return (shape[0], *(int(size * factor) for size, factor in zip(sizes, factors, strict=True)))


def _wrong_upsampling(given: Arguments, before: Signal) -> Mistake | None:
    if ("size" in given) == ("scale_factor" in given):
        found = "size and scale_factor are both given" if "size" in given else "neither size nor scale_factor is given"
        once = drop(".size") if "size" in given else put(2.0, ".scale_factor")
        return Mistake("", found, "expected one of them", "Set scale_factor = 2, for example.", remedy=once)
    gives, dimensions = f"{before.origin} gives {before}", len(before.shape) - 1
    mode, smooth = given.get("mode", "nearest"), _MODES[before.kind]
    if not mode.startswith("nearest") and mode not in smooth:
        fix = f"Use {' or '.join(smooth)}, or nearest."
        return Mistake(".mode", f"found {mode}", gives, fix, remedy=put(smooth[0]))
    if "align_corners" in given and mode not in smooth:
        expected, fix = f"mode is {mode}, which repeats values", "Remove it, or set mode."
        return Mistake(".align_corners", "it has no effect", expected, fix, remedy=drop())
    name = "size" if "size" in given else "scale_factor"
    value = given[name]
    if isinstance(value, tuple) and len(value) != dimensions:
        return Mistake(f".{name}", f"it has {len(value)} numbers", gives, f"Use one number, or {dimensions}.")
    if name == "scale_factor":
        factors = value if isinstance(value, tuple) else (value,) * dimensions
        if any(int(size * factor) < 1 for size, factor in zip(before.shape[1:], factors, strict=True)):
            return Mistake(".scale_factor", f"found {value}", "the output would be empty", "Make it larger.")
    return None


def _shuffled(module: Module, shape: Shape) -> Shape:
    r = module.upscale_factor
    return (shape[0] // r**2, shape[1] * r, shape[2] * r)


def _unshuffled(module: Module, shape: Shape) -> Shape:
    r = module.downscale_factor
    return (shape[0] * r**2, shape[1] // r, shape[2] // r)


def _not_divisible(given: Arguments, before: Signal) -> Mistake | None:
    factor = given["downscale_factor"]
    if not any(size % factor for size in before.shape[1:]):
        return None
    found = f"downscale_factor is {factor}"
    expected = f"{before.origin} gives {shape_text(before.shape[1:])}, which is not divisible by it"
    return Mistake(".downscale_factor", found, expected, "Set it to a divisor of height and width.")


def _fold_words(parameters: Arguments) -> list[str]:
    size = [number_words(parameters["output_size"])] if "output_size" in parameters else []
    return [*size, *window_words(parameters)]


ENTRIES = (
    _shape_layer(
        "Flatten",
        summary="Puts all values of a sample into one row.",
        when="Between convolutions and the first Linear.",
        when_not="Before convolutions, which need the positions: put it after them.",
        types={"start_dim": int, "end_dim": int},
        output_shape=_flattened,
        saved_bytes=no_bytes,
        check_module=_wrong_range,
        warnings=_mixes_padding,
    ),
    _shape_layer(
        "Unflatten",
        summary="Splits one dimension into several.",
        when="After a Linear that starts a decoder: dim = 1, unflattened_size = [8, 4, 4] makes 8 channels of 4×4.",
        when_not="To change the order of dimensions: Permute.",
        formula="(…, a·b, …) → (…, a, b, …)",
        types={"dim": int, "unflattened_size": tuple[int, ...]},
        helps={
            "dim": "The dimension to split; 0 is the batch, 1 the first after it.",
            "unflattened_size": "The new sizes; their product is the old one.",
        },
        starts_with={"dim": 1, "unflattened_size": [1, -1]},
        output_shape=_unflattened,
        saved_bytes=no_bytes,
        check_module=_wrong_unflattening,
    ),
    _shape_layer(
        "Permute",
        torch_name="engine.model.sequence_layers.Permute",
        summary="Reorders the dimensions; dimension 0 is the batch and stays.",
        when="Between sequences (T, F) and signals (C, T): dims = [0, 2, 1] turns one into the other.",
        when_not="Before Flatten, where the order does not matter: leave it out.",
        formula="y[n, i, j] = x[n, j, i] for dims = [0, 2, 1]",
        types={"dims": tuple[int, ...]},
        starts_with={"dims": [1, 0]},
        output_shape=_permuted,
        output_kind=_permuted_kind,
        saved_bytes=no_bytes,
        check_module=_wrong_count,
        warnings=_mixes_padding,
    ),
    _shape_layer(
        "Upsample",
        summary="Enlarges by repeating values or interpolating between them.",
        when="In decoders, before a convolution: scale_factor = 2 doubles the size.",
        when_not="Where the network should learn how to enlarge: ConvTranspose2d or PixelShuffle.",
        formula="size' = ⌊size · scale_factor⌋",
        types={
            "mode": Literal["nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear"],
            "scale_factor": _FACTOR | tuple[_FACTOR, ...],
        },
        hidden=frozenset({"recompute_scale_factor"}),
        helps={
            "size": "The new size; set either it or scale_factor.",
            "scale_factor": "How many times larger; set either it or size.",
            "mode": "Nearest repeats; linear is for signals, bilinear and bicubic for images, trilinear for volumes.",
            "align_corners": "Whether the corners keep their values when values are interpolated.",
        },
        accepts=OVER_CHANNELS,
        output_shape=_enlarged,
        check_arguments=_wrong_upsampling,
    ),
    _shape_layer(
        "PixelShuffle",
        summary="Turns r² channels into one that is r times higher and wider (Shi et al., 2016).",
        when="To enlarge after a Conv2d with r² times as many filters, without a checkerboard pattern.",
        when_not="Where channels are few: Upsample.",
        formula="(C·r², H, W) → (C, H·r, W·r), r = upscale_factor",
        helps={"upscale_factor": "How many times higher and wider; the channels must divide by its square."},
        accepts=("image",),
        output_shape=_shuffled,
        check_arguments=divides_channels("upscale_factor", power=2),
    ),
    _shape_layer(
        "PixelUnshuffle",
        summary="Turns each r×r square of pixels into r² channels: the reverse of PixelShuffle.",
        when="To make an image smaller without losing values, as in the first layer of a CNN.",
        when_not="Where values may be lost: MaxPool2d.",
        formula="(C, H·r, W·r) → (C·r², H, W), r = downscale_factor",
        helps={"downscale_factor": "How many times lower and narrower; height and width must divide by it."},
        accepts=("image",),
        output_shape=_unshuffled,
        check_arguments=_not_divisible,
    ),
    _shape_layer(
        "ChannelShuffle",
        summary="Mixes the groups of channels (Zhang et al., 2018).",
        when="Between convolutions with groups, so that each group reads channels of the others.",
        when_not="Without grouped convolutions, where it has no effect.",
        formula="(g·n, …) → the channels read as (n, g)",
        helps={"groups": "Number of groups; the channels must divide by it."},
        accepts=OVER_CHANNELS,
        output_shape=same_shape,
        check_arguments=divides_channels("groups"),
    ),
    _shape_layer(
        "Unfold",
        summary="Cuts an image into windows, each one step of a signal (C·k·k, windows).",
        when="To make patches of an image: Permute after it gives the sequence that a transformer reads.",
        when_not="Before a Linear that is the same for all windows: Conv2d does that, and faster.",
        formula="(C, H, W) → (C·k·k, L), L windows",
        types=dict.fromkeys(("kernel_size", "dilation", "padding", "stride"), _PAIR),
        helps={"kernel_size": "The size of the window.", "stride": "The step from one window to the next."},
        accepts=("image",),
        label_words=window_words,
    ),
    _shape_layer(
        "Fold",
        summary="Joins windows to an image and adds where they overlap: the reverse of Unfold.",
        when="After work on the patches of an image.",
        when_not="To enlarge: ConvTranspose2d.",
        formula="(C·k·k, L) → (C, H, W), L windows",
        types=dict.fromkeys(("output_size", "kernel_size", "dilation", "padding", "stride"), _PAIR),
        helps={
            "output_size": "Height and width of the image.",
            "kernel_size": "The size of the window.",
            "stride": "The step from one window to the next.",
        },
        starts_with={"output_size": [8, 8]},
        accepts=("signal",),
        label_words=_fold_words,
    ),
)
