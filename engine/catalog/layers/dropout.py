"""Dropout: values or channels set to zero while training. C channels.

https://docs.pytorch.org/docs/stable/nn.html#dropout-layers
"""

from __future__ import annotations

from math import prod
from typing import Any

from engine.catalog.layers.signal import OVER_CHANNELS, Kind, Shape
from engine.catalog.layers.spec import LayerSpec, Module, output_bytes, same_shape, shows

_KINDS: dict[int, Kind] = {1: "signal", 2: "image", 3: "volume"}


def _with_mask(module: Module, before: Shape, after: Shape) -> int:
    """Dropout saves which values it kept, a byte each."""
    return output_bytes(module, before, after) + prod(after)


def _dropout(name: str, **fields: Any) -> LayerSpec:
    names = {"name": name, "torch_name": f"torch.nn.{name}", "group": "dropout"}
    usual: dict[str, Any] = {"instead": {"vector": "Dropout"}, "label_words": shows("p")}
    usual |= {"keeps_shape": True, "output_shape": same_shape, "saved_bytes": _with_mask}
    return LayerSpec(**(names | usual | fields))


def _of_channels(n: int, **fields: Any) -> LayerSpec:
    instead: dict[Kind, str] = {kind: f"Dropout{m}d" for m, kind in _KINDS.items() if m != n}
    return _dropout(f"Dropout{n}d", accepts=(_KINDS[n],), instead=instead | {"vector": "Dropout"}, **fields)


ENTRIES = (
    _dropout(
        "Dropout",
        summary="Sets a share p of the values to zero while training (Srivastava et al., 2014).",
        when="Against overfitting, before Linear layers: p of 0.2 to 0.5.",
        when_not="Where the training loss is still high: the model underfits. Between convolutions: Dropout2d.",
        formula="y = x·m / (1 - p), m = 0 with probability p, else 1; y = x in evaluation",
    ),
    _of_channels(
        1,
        summary="Sets a share p of the channels of a signal to zero while training.",
        when="Against overfitting between Conv1d layers.",
        when_not="After Flatten or Linear: Dropout.",
        formula="y[c] = x[c]·m / (1 - p), one m a channel; y = x in evaluation",
    ),
    _of_channels(
        2,
        summary="Sets a share p of the channels to zero while training.",
        when="Against overfitting between Conv2d layers, where neighbouring pixels are alike: p of 0.1 to 0.2.",
        when_not="After Flatten or Linear: Dropout.",
        formula="y[c] = x[c]·m / (1 - p), one m a channel; y = x in evaluation",
    ),
    _of_channels(
        3,
        summary="Sets a share p of the channels of a volume to zero while training.",
        when="Against overfitting between Conv3d layers.",
        when_not="Before a Linear: Dropout.",
        formula="y = x·m / (1 − p), m drawn from {0, 1} for each channel",
    ),
    _dropout(
        "AlphaDropout",
        summary="Dropout that keeps mean and standard deviation.",
        when="Together with SELU only.",
        when_not="With any activation but SELU: Dropout.",
        formula="y = a·(m·x - 1.7581·(1 - m)) + b, a and b such that mean and deviation stay",
    ),
    _dropout(
        "FeatureAlphaDropout",
        summary="AlphaDropout of whole channels.",
        when="Between convolutions that are followed by SELU.",
        when_not="With any other activation: Dropout2d.",
        formula="y = a·(x·m + α'·(1 − m)) + b, m drawn for each channel",
        accepts=OVER_CHANNELS,
    ),
)
