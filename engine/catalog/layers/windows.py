"""Windows that slide over a sample: convolutions, pooling, Unfold and Fold."""

from __future__ import annotations

from typing import Any

from engine.catalog.layers.signal import Shape, Signal, per_dimension, shape_text
from engine.catalog.layers.spec import Arguments, Module, number_words
from engine.experiment.mistakes import Mistake, put


def windows(module: Module, sizes: Shape) -> Shape:
    """How many windows fit, in each dimension.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html, and MaxPool2d.html for ceil_mode.
    """
    n = len(sizes)
    kernel = per_dimension(module.kernel_size, n)
    stride = per_dimension(module.stride or module.kernel_size, n)
    dilation = per_dimension(getattr(module, "dilation", 1), n)
    given = getattr(module, "padding", 0)
    if given == "same":
        return sizes
    padding = (0,) * n if given == "valid" else per_dimension(given, n)
    found = []
    for size, k, s, d, p in zip(sizes, kernel, stride, dilation, padding, strict=True):
        room = size + 2 * p - d * (k - 1) - 1
        if getattr(module, "ceil_mode", False):
            count = -(-room // s) + 1
            count -= (count - 1) * s >= size + p  # a window must start inside the input
        else:
            count = room // s + 1
        found.append(count)
    return tuple(found)


def window_too_large(module: Module, before: Signal, fix: str) -> Mistake:
    """The mistake of a window that does not fit into the input once."""
    kernel = per_dimension(module.kernel_size, len(before.shape) - 1)
    expected = f"{before.origin} gives {shape_text(before.shape[1:])}, which is too small"
    smaller = put(min(*kernel, *before.shape[1:]), ".kernel_size") if min(kernel) > 1 else None
    return Mistake("", f"kernel_size is {shape_text(kernel)}", expected, fix, remedy=smaller)


def window_words(parameters: Arguments, *, stride: Any = None, square: bool = False) -> list[str]:
    """Label words of a window: `3×3 same stride 2`.

    Args:
        stride: The usual stride, which is not shown; the kernel's size where it is None.
        square: Whether a single number is shown as `3×3`.
    """
    if "kernel_size" not in parameters:
        return []
    kernel = parameters["kernel_size"]
    words = [f"{kernel}×{kernel}" if square and isinstance(kernel, int) else number_words(kernel)]
    padding = parameters.get("padding", 0)
    if isinstance(padding, str):
        words += [padding] if padding != "valid" else []
    elif padding not in (0, [0], [0, 0]):
        words.append(f"pad {number_words(padding)}")
    usual = kernel if stride is None else stride
    if "stride" in parameters and parameters["stride"] != usual:
        words.append(f"stride {number_words(parameters['stride'])}")
    words += [
        f"{n} {number_words(parameters[n])}" for n in ("dilation", "groups") if parameters.get(n, 1) not in (1, [1, 1])
    ]
    return [" ".join(words)]
