"""How a layer is declared: the parts that layers of one family have in common."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Le

from engine.catalog.entry import Entry
from engine.catalog.layer_groups import group_of

BEFORE = "the layer before"
CHANNELS = {"in_channels": BEFORE}
DIM = {"dim": "the channels, or the last dimension of a vector or a sequence"}

COPIES = Annotated[int, Ge(1), Le(1000)]
"""Layers that are all built one after the other: beyond that a number is a slip, and building them would hang."""

_SIZES: dict[str, Any] = {"1d": int | tuple[int], "2d": int | tuple[int, int], "3d": int | tuple[int, int, int]}


def layer(name: str, summary: str, when: str, **more: Any) -> Entry:
    """A layer of torch.nn under its own name."""
    fields: dict[str, Any] = {"kind": "layers", "name": name, "torch_name": f"torch.nn.{name}"}
    return Entry(**(fields | {"group": group_of(name), "summary": summary, "when": when} | more))


def size_type(name: str) -> Any:
    """A number, or one for each dimension that the layer's name tells."""
    return _SIZES[name[-2:]]


def convolution(name: str, summary: str, when: str, **more: Any) -> Entry:
    """A layer of filters: its channels come from the layer before, "auto" filters from the data."""
    size = size_type(name)
    types = {"out_channels": int | Literal["auto"]}
    types |= dict.fromkeys(("kernel_size", "stride", "dilation", "output_padding", "padding"), size)
    hidden = frozenset({"padding_mode"} if "Transpose" in name else ())  # zeros are all that torch has there
    if "Transpose" not in name:
        types["padding"] = Literal["same", "valid"] | size
    helps = {
        "out_channels": 'Number of filters; "auto" takes as many as the data has classes or targets.',
        "output_padding": "How much is added to one side of the result, where several sizes were possible.",
    }
    return layer(name, summary, when, inferred=CHANNELS, hidden=hidden, types=types, helps=helps, **more)


def pooling(name: str, summary: str, when: str, **more: Any) -> Entry:
    """A layer that sums windows up."""
    helps = {
        "stride": "The stride of the window; the kernel_size, if left out.",
        "norm_type": "The power: 1 adds up, 2 is the root of the sum of squares, a great one comes near the maximum.",
        "kernel_size": "The size of the window.",
        "ceil_mode": "Whether a window that is not filled counts too.",
    }
    size = int if name == "LPPool1d" else size_type(name)  # torch multiplies by LPPool1d's kernel_size as it is
    types = dict.fromkeys(("kernel_size", "stride", "padding", "dilation"), size)
    return layer(name, summary, when, types=types, helps=helps, **more)


def adaptive_pooling(name: str, summary: str, when: str, **more: Any) -> Entry:
    """A layer that sums windows up to a size."""
    return layer(name, summary, when, types={"output_size": size_type(name)}, **more)
