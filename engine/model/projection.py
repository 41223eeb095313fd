"""The shortcut that a Residual is given where its body changes the shape."""

from __future__ import annotations

from typing import Any

from engine.experiment.document import Layer
from engine.model.signal import Signal


def projection(before: Signal, after: Signal) -> Layer | None:
    """The 1×1 convolution, or the Linear, that brings what comes in to the shape of what the body gives.

    The stride is the one by which the body made it smaller. Option B of He et al., 2016,
    https://arxiv.org/abs/1512.03385. None where no such layer does it.
    """
    if before.kind != after.kind or len(before.shape) != len(after.shape):
        return None
    if before.kind in ("vector", "sequence"):
        fits = before.shape[:-1] == after.shape[:-1]
        return _layer("Linear", out_features=after.shape[-1]) if fits else None
    if before.kind not in ("image", "signal"):
        return None
    strides = [-(-b // a) for b, a in zip(before.shape[1:], after.shape[1:], strict=True)]
    if any((b - 1) // s + 1 != a for b, a, s in zip(before.shape[1:], after.shape[1:], strides, strict=True)):
        return None
    stride = strides[0] if len(set(strides)) == 1 else strides
    return _layer(f"Conv{len(strides)}d", out_channels=after.shape[0], kernel_size=1, stride=stride)


def _layer(type: str, **parameters: Any) -> Layer:
    return Layer.model_validate({"type": type, **parameters})
