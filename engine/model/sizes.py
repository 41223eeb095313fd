"""Sizes of layers by formula: output shapes, FLOPs, and the bytes that the backward pass needs kept.

torch's `meta` device would answer most of this, but its first convolution imports half a second of decompositions, and
its first BatchNorm two seconds; the tests hold the formulas against torch itself, for every layer of the catalog.

N batch, C channels, H height, W width, T time, F features; shapes are of one sample, without N.
"""

from __future__ import annotations

from math import prod

import torch
from torch import nn

from engine.model.permute import Permute

Shape = tuple[int, ...]
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)
POOLINGS = (nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d)
ADAPTIVE = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d)
_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout)
_VIEWS = (nn.Flatten, nn.Identity, Permute)
_INDEX_BYTES = 8
_KEPT_BY_A_STATE = {"LSTM": 16, "GRU": 8, "RNN_TANH": 2, "RNN_RELU": 2}
"""Numbers that torch keeps for each state of each step on a CPU: gates and what its kernels set aside. Measured."""


def output_shape(module: nn.Module, shape: Shape) -> Shape:
    """The shape that `module` gives for `shape`; a dimension below 1 says that there is nothing left."""
    if isinstance(module, CONVOLUTIONS):
        return (module.out_channels, *_windows(module, shape[1:]))
    if isinstance(module, POOLINGS):
        return (shape[0], *_windows(module, shape[1:]))
    if isinstance(module, ADAPTIVE):
        return (shape[0], *per_dimension(module.output_size, len(shape) - 1))  # type: ignore[arg-type]
    if isinstance(module, nn.Linear):
        return (*shape[:-1], module.out_features)
    if isinstance(module, nn.Embedding):
        return (*shape, module.embedding_dim)
    if isinstance(module, nn.RNNBase):
        features = (module.proj_size or module.hidden_size) * (1 + module.bidirectional)
        return (shape[0], features) if module.output == "sequence" else (features,)
    if isinstance(module, nn.Flatten):
        return _flattened(shape, module.start_dim, module.end_dim)
    if isinstance(module, Permute):
        return tuple(shape[d - 1] for d in module.dims[1:])
    return shape  # norms, dropout, activations


def _windows(module: nn.Module, sizes: Shape) -> Shape:
    """How often a sliding window fits, in each dimension.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html, and MaxPool2d.html for ceil_mode.
    """
    n = len(sizes)
    kernel = per_dimension(module.kernel_size, n)  # type: ignore[arg-type]
    stride = per_dimension(module.stride, n)  # type: ignore[arg-type]
    dilation = per_dimension(getattr(module, "dilation", 1), n)
    if module.padding == "same":
        return sizes
    padding = (0,) * n if module.padding == "valid" else per_dimension(module.padding, n)  # type: ignore[arg-type]
    found = []
    for size, k, s, d, p in zip(sizes, kernel, stride, dilation, padding, strict=True):
        room = size + 2 * p - d * (k - 1) - 1
        if getattr(module, "ceil_mode", False):
            count = -(-room // s) + 1
            count -= (count - 1) * s >= size + p  # a window must begin inside of the input
        else:
            count = room // s + 1
        found.append(count)
    return tuple(found)


def per_dimension(value: int | tuple[int, ...], dimensions: int) -> tuple[int, ...]:
    """One number for each dimension, from a number or a tuple."""
    return (value,) * dimensions if isinstance(value, int) else tuple(value)


def _flattened(shape: Shape, start: int, end: int) -> Shape:
    n = len(shape) + 1  # torch counts the batch
    start, end = start % n - 1, end % n - 1
    return (*shape[:start], prod(shape[start : end + 1]), *shape[end + 1 :])


def parameter_count(module: nn.Module) -> int:
    """Trainable numbers in a module."""
    return sum(parameter.numel() for parameter in module.parameters())


def flops(module: nn.Module, before: Shape, after: Shape) -> int:
    """Floating-point operations of the forward pass of one sample, counted as papers do.

    Two for each multiply-and-add of convolutions, Linear and recurrent layers; nothing for biases, activations, norms
    and pooling. So does torch.utils.flop_counter.FlopCounterMode.
    """
    if isinstance(module, CONVOLUTIONS):
        return 2 * prod(after) * (module.in_channels // module.groups) * prod(module.kernel_size)
    if isinstance(module, nn.Linear):
        return 2 * prod(before) * module.out_features
    if isinstance(module, nn.RNNBase):
        # Every weight matrix is applied once a step.
        return 2 * before[0] * sum(p.numel() for name, p in module.named_parameters() if name.startswith("weight"))
    return 0


def kept_bytes(module: nn.Module, before: Shape, after: Shape) -> int:
    """Bytes that one sample's forward pass leaves in memory for the backward pass, in float32: an estimate."""
    if isinstance(module, _VIEWS):
        return 0
    itemsize = torch.get_default_dtype().itemsize
    kept = prod(after) * itemsize
    if isinstance(module, (nn.MaxPool1d, nn.MaxPool2d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d)):
        kept += prod(after) * _INDEX_BYTES
    elif isinstance(module, nn.RNNBase):
        states = before[0] * module.num_layers * (1 + module.bidirectional) * module.hidden_size
        kept += states * _KEPT_BY_A_STATE[module.mode] * itemsize
    elif isinstance(module, _DROPOUTS):
        kept += prod(after)  # the mask
    return kept
