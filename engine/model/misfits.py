"""What torch would say late, in words about tensors, or not at all: arguments that do not fit each other or what comes.

Each function returns the first mistake that it finds, its path relative to the layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from torch import nn

from engine.experiment.mistakes import Mistake, drop, put
from engine.model import sizes
from engine.model.backbone_mistakes import wrong_images
from engine.model.signal import LAID_OUT, Signal, size_text

_MODES = {"signal": ("linear",), "image": ("bilinear", "bicubic"), "volume": ("trilinear",)}
_DIVIDED = {
    "PixelShuffle": ("upscale_factor", 2, "channels"),
    "ChannelShuffle": ("groups", 1, "channels"),
    "GroupNorm": ("num_groups", 1, "channels"),
}
"""Layers whose channels must divide by a power of a parameter."""


def wrong_arguments(type: str, given: Mapping[str, Any], signal: Signal) -> Mistake | None:
    """What is wrong with a layer's arguments, the inferred ones included, before it is constructed."""
    if type.startswith("Conv"):
        return _wrong_groups(type, given)
    if type == "torchvision":
        return wrong_images(given, signal)
    if type in _DIVIDED:
        name, power, what = _DIVIDED[type]
        if signal.shape[0] % given[name] ** power:
            found = f"{name} is {given[name]}" + (
                f", so {what} must divide by {given[name] ** power}" if power > 1 else ""
            )
            least = max(n for n in range(1, given[name] + 1) if signal.shape[0] % n**power == 0)
            expected = f"{signal.origin} gives {signal.shape[0]} {what}"
            return Mistake(f".{name}", found, expected, _to_divide(signal), type, remedy=put(least))
    if type == "PixelUnshuffle" and any(size % given["downscale_factor"] for size in signal.shape[1:]):
        expected = f"{signal.origin} gives {size_text(signal.shape[1:])}, which does not divide by it"
        fix = "Set it to a divisor of height and width."
        return Mistake(".downscale_factor", f"downscale_factor is {given['downscale_factor']}", expected, fix, type)
    if type.startswith("BatchNorm") and given.get("eps", 1) <= 0:
        return Mistake(
            ".eps", f"found {given['eps']}", "expected more than 0", "Remove it for the default.", type, remedy=drop()
        )
    if type == "EmbeddingBag" and given.get("mode") == "max" and given.get("scale_grad_by_freq"):
        fix = "Remove it, or use mode mean or sum."
        return Mistake(".scale_grad_by_freq", "found true", "mode is max, which cannot do it", fix, type, remedy=drop())
    if type == "TransformerEncoder" and given["d_model"] % given["nhead"]:
        found, expected = f"nhead is {given['nhead']}", f"d_model is {given['d_model']}, not divisible by it"
        heads = [n for n in (1, 2, 3, 4, 5, 6, 8, 12, 16) if given["d_model"] % n == 0]
        most = max(n for n in heads if n <= given["nhead"])
        return Mistake(".nhead", found, expected, f"Set nhead to {_or(heads)}.", type, remedy=put(most))
    if type == "PositionalEncoding" and given["max_length"] < signal.shape[0]:
        expected = f"{signal.origin} gives sequences of {signal.shape[0]} steps"
        return Mistake(
            ".max_length", f"found {given['max_length']}", expected, "Remove it (it is inferred).", type, remedy=drop()
        )
    if type == "Upsample":
        return _wrong_upsampling(type, given, signal)
    for lower, upper in (("min_val", "max_val"), ("lower", "upper")):
        if type in ("Hardtanh", "RReLU") and (lower in given or upper in given):
            least, most = given.get(lower, _LOWER[type][0]), given.get(upper, _LOWER[type][1])
            if least > most or (type == "Hardtanh" and least == most):
                return Mistake(
                    f".{lower if lower in given else upper}",
                    f"{lower} is {least}",
                    f"{upper} is {most}",
                    "Swap them.",
                    type,
                )
    return None


_LOWER = {"Hardtanh": (-1.0, 1.0), "RReLU": (1 / 8, 1 / 3)}


def _to_divide(signal: Signal) -> str:
    divisors = [n for n in range(1, signal.shape[0] + 1) if signal.shape[0] % n == 0]
    some = divisors if len(divisors) < 6 else [*divisors[:4], divisors[-1]]
    return f"Set it to {_or(some)}, or change the channels before it."


def _or(numbers: list[int]) -> str:
    *most, last = map(str, numbers)
    return f"{', '.join(most)} or {last}" if most else last


def _wrong_groups(type: str, given: Mapping[str, Any]) -> Mistake | None:
    groups = given.get("groups", 1)
    for name in ("in_channels", "out_channels"):
        if given[name] % groups:
            shared = [n for n in range(1, given["in_channels"] + 1) if given["in_channels"] % n == 0]
            if name == "out_channels":
                fix = f"Set out_channels to a multiple of {groups}; depthwise, to {given['in_channels']} or more."
            else:
                some = shared[:4] + shared[4:][-1:]
                fix = f"Set groups to {_or(some)}." if len(some) > 1 else "Remove groups."
            return Mistake(
                ".groups", f"groups is {groups}", f"{name} is {given[name]}, not divisible by groups", fix, type
            )
    return None


def _wrong_upsampling(type: str, given: Mapping[str, Any], signal: Signal) -> Mistake | None:
    if ("size" in given) == ("scale_factor" in given):
        found = "size and scale_factor are both given" if "size" in given else "neither size nor scale_factor is given"
        once = drop(".size") if "size" in given else put(2.0, ".scale_factor")
        return Mistake("", found, "one of them says how large", "Write scale_factor = 2, say.", type, remedy=once)
    mode = given.get("mode", "nearest")
    smooth = _MODES[signal.kind]
    if not mode.startswith("nearest") and mode not in smooth:
        fix = f"Use {' or '.join(smooth)}, or nearest."
        return Mistake(".mode", f"found {mode}", f"{signal.origin} gives {signal}", fix, type, remedy=put(smooth[0]))
    if "align_corners" in given and mode not in smooth:
        expected = f"mode is {mode}, which repeats values"
        return Mistake(
            ".align_corners", "it has nothing to do", expected, "Remove it, or set mode.", type, remedy=drop()
        )
    name = "size" if "size" in given else "scale_factor"
    value = given[name]
    if isinstance(value, tuple) and len(value) != len(signal.shape) - 1:
        fix = f"Write one number, or {len(signal.shape) - 1}."
        return Mistake(f".{name}", f"it has {len(value)} numbers", f"{signal.origin} gives {signal}", fix, type)
    if name == "scale_factor":
        factors = value if isinstance(value, tuple) else (value,) * (len(signal.shape) - 1)
        if any(int(size * factor) < 1 for size, factor in zip(signal.shape[1:], factors, strict=True)):
            return Mistake(".scale_factor", f"found {value}", "nothing would be left", "Make it larger.", type)
    return None


def wrong_module(type: str, module: nn.Module, signal: Signal) -> Mistake | None:
    """What torch would only say at the first forward pass: windows that do not fit, dimensions that are not there."""
    if isinstance(module, sizes.POOLINGS):
        kernel = sizes.per_dimension(module.kernel_size, len(signal.shape) - 1)
        padding = sizes.per_dimension(getattr(module, "padding", 0), len(kernel))
        if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
            found = f"padding is {size_text(padding)}"
            return Mistake(".padding", found, "expected at most half of kernel_size", "Make it smaller.", type)
    if isinstance(module, sizes.TRANSPOSED):
        return _wrong_spread(type, module, signal)
    if isinstance(module, sizes.PADDINGS):
        return _wrong_padding(type, module, signal)
    if isinstance(module, (*sizes.CONVOLUTIONS, *sizes.POOLINGS)) and _too_small(module, signal):
        kernel = sizes.per_dimension(module.kernel_size, len(signal.shape) - 1)
        found = f"kernel_size is {size_text(kernel)}"
        if isinstance(module, sizes.POOLINGS):
            fix = "Make it smaller, or remove the layer."
        else:
            fix = 'Make it smaller, or keep the size with padding = "same".'
        expected = f"{signal.origin} gives {size_text(signal.shape[1:])}, which is too small"
        smaller = put(min(*kernel, *signal.shape[1:]), ".kernel_size") if min(kernel) > 1 else None
        return Mistake("", found, expected, fix, type, remedy=smaller)
    if isinstance(module, sizes.CONVOLUTIONS) and module.padding_mode in ("reflect", "circular"):
        sides = module._reversed_padding_repeated_twice[::2]
        least = min(size - pad for size, pad in zip(signal.shape[1:], reversed(sides), strict=True))
        if least < (module.padding_mode == "reflect"):
            found = f"padding_mode {module.padding_mode} needs more than the padding in each dimension"
            return Mistake(".padding", found, f"{signal.origin} gives {signal}", "Make the padding smaller.", type)
    if isinstance(module, (nn.Flatten, nn.Softmax, nn.Softmin, nn.LogSoftmax, nn.GLU, nn.Unflatten)):
        dimensions = len(signal.shape) + 1
        for name in ("start_dim", "end_dim", "dim"):
            value = getattr(module, name, 1)
            if not value % dimensions >= 1 or not -dimensions < value < dimensions:
                fix = f"Write 1 to {dimensions - 1}, or -1 for the last; 0 is the batch."
                remedy = None if name == "dim" and type == "Unflatten" else drop()
                return Mistake(
                    f".{name}", f"found {value}", f"{signal.origin} gives {signal}", fix, type, remedy=remedy
                )
        if isinstance(module, nn.Flatten) and module.start_dim % dimensions > module.end_dim % dimensions:
            found = f"start_dim {module.start_dim} lies after end_dim {module.end_dim}"
            return Mistake("", found, f"{signal.origin} gives {signal}", "Remove both to flatten everything.", type)
    if isinstance(module, nn.GLU) and signal.shape[(size := module.dim % (len(signal.shape) + 1)) - 1] % 2:
        found = f"it halves {signal.shape[size - 1]} values of dimension {size}"
        return Mistake("", found, f"{signal.origin} gives {signal}", "Give the layer before an even number.", type)
    if isinstance(module, nn.Unflatten):
        return _wrong_unflattening(type, module, signal)
    if isinstance(module, nn.modules.instancenorm._InstanceNorm) and prod(signal.shape[1:]) == 1:
        found = "a single value a channel has no spread"
        return Mistake("", found, f"{signal.origin} gives {signal}", "Use GroupNorm or LayerNorm.", type)
    if type == "Permute" and len(module.dims) != len(signal.shape) + 1:  # type: ignore[arg-type]
        expected = f"{signal.origin} gives {len(signal.shape) + 1} with the batch"
        fix = "Name each dimension once, 0 first."
        return Mistake(".dims", f"it names {len(module.dims)} dimensions", expected, fix, type)  # type: ignore[arg-type]
    return None


def _too_small(module: Any, signal: Signal) -> bool:
    """Whether no window fits. torch's means over volumes count no padding and no partial window there."""
    if isinstance(module, (nn.AvgPool3d, nn.LPPool3d)):
        kernel = sizes.per_dimension(module.kernel_size, 3)
        if any(size < k for size, k in zip(signal.shape[1:], kernel, strict=True)):
            return True
    return min(sizes.output_shape(module, signal.shape)) < 1


def _wrong_spread(type: str, module: Any, signal: Signal) -> Mistake | None:
    """torch's transposed convolutions: output_padding below stride or dilation, and something left of the result."""
    each = zip(module.output_padding, module.stride, module.dilation, strict=True)
    if any(more >= max(stride, dilation) for more, stride, dilation in each):
        expected = "expected less than stride or dilation"
        found = f"output_padding is {size_text(module.output_padding)}"
        return Mistake(".output_padding", found, expected, "Make it smaller, or remove it.", type, remedy=drop())
    if min(sizes.output_shape(module, signal.shape)) < 1:
        found = f"padding is {size_text(module.padding)}"
        return Mistake(".padding", found, f"nothing is left of {signal}", "Make it smaller.", type)
    return None


def _wrong_padding(type: str, module: Any, signal: Signal) -> Mistake | None:
    """Mirrors and circles need as many values as they repeat; a mirror does not repeat the edge itself."""
    spare = {"Reflection": 1, "Circular": 0}.get(type[:-5])
    if spare is None:
        return None
    most = [max(sides) for sides in zip(module.padding[::2], module.padding[1::2], strict=True)][::-1]
    if any(pad > size - spare for pad, size in zip(most, signal.shape[1:], strict=True)):
        found = f"padding is {size_text(tuple(most))}"
        expected = f"{signal.origin} gives {size_text(signal.shape[1:])}, of which it repeats less"
        return Mistake(".padding", found, expected, "Make it smaller, or use ReplicationPad.", type)
    return None


def _wrong_unflattening(type: str, module: nn.Unflatten, signal: Signal) -> Mistake | None:
    new = tuple(module.unflattened_size)
    size = signal.shape[module.dim % (len(signal.shape) + 1) - 1]
    if min(new, default=0) < 1 or prod(new) != size:
        found = f"unflattened_size {size_text(new) or 'is empty'}" + (f" makes {prod(new)}" if new else "")
        return Mistake(
            ".unflattened_size", found, f"dimension {module.dim} has {size}", f"Make its product {size}.", type
        )
    if len(signal.shape) - 1 + len(new) > max(LAID_OUT):
        found = f"it makes {len(signal.shape) - 1 + len(new)} dimensions"
        return Mistake(".unflattened_size", found, f"at most {max(LAID_OUT)}", "Name fewer sizes.", type)
    return None
