"""Sizes of layers by formula: output shapes, FLOPs, and the bytes that the backward pass needs kept.

torch's `meta` device would answer most of this, but its first convolution imports half a second of decompositions, and
its first BatchNorm two seconds; the tests hold the formulas against torch itself, for every layer of the catalog.

N batch, C channels, H height, W width, T time, F features; shapes are of one sample, without N.
"""

from __future__ import annotations

from math import prod

import torch
from torch import nn

from engine.catalog import catalog
from engine.model.fit import keeps_shape
from engine.model.permute import Permute
from engine.model.pooling import AttentionPooling, MeanPooling
from engine.model.transformer import PositionalEncoding, TransformerEncoder

Shape = tuple[int, ...]
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_MAX_POOLINGS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
_LP_POOLINGS = (nn.LPPool1d, nn.LPPool2d, nn.LPPool3d)
POOLINGS = (*_MAX_POOLINGS, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, *_LP_POOLINGS)
_ADAPTIVE_MAX = (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d)
ADAPTIVE = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d, *_ADAPTIVE_MAX)
PADDINGS = tuple(
    getattr(nn, f"{kind}Pad{n}d")
    for kind in ("Zero", "Constant", "Reflection", "Replication", "Circular")
    for n in (1, 2, 3)
)
_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
_VIEWS = (nn.Flatten, nn.Unflatten, nn.Identity, Permute)
_INDEX_BYTES = 8
_KEPT_BY_A_STATE = {"LSTM": 16, "GRU": 8, "RNN_TANH": 2, "RNN_RELU": 2}
"""Numbers that torch keeps for each state of each step on a CPU: gates and what its kernels set aside. Measured."""


def output_shape(module: nn.Module, shape: Shape) -> Shape:
    """The shape that `module` gives for `shape`; a dimension below 1 says that there is nothing left."""
    if isinstance(module, CONVOLUTIONS):
        return (module.out_channels, *_windows(module, shape[1:]))
    if isinstance(module, POOLINGS):
        return (shape[0], *_windows(module, shape[1:]))
    if isinstance(module, TRANSPOSED):
        return (module.out_channels, *_spread(module, shape[1:]))
    if isinstance(module, PADDINGS):
        sides = list(zip(module.padding[::2], module.padding[1::2], strict=True))[::-1]  # torch begins with the last
        return (shape[0], *(before + size + after for size, (before, after) in zip(shape[1:], sides, strict=True)))
    if isinstance(module, ADAPTIVE):
        return (shape[0], *per_dimension(module.output_size, len(shape) - 1))  # type: ignore[arg-type]
    if isinstance(module, nn.Linear):
        return (*shape[:-1], module.out_features)
    if isinstance(module, nn.Embedding):
        return (*shape, module.embedding_dim)
    if isinstance(module, nn.EmbeddingBag):
        return (module.embedding_dim,)
    if isinstance(module, (AttentionPooling, MeanPooling)):
        return shape[1:]
    if isinstance(module, (TransformerEncoder, PositionalEncoding)):
        return shape
    if isinstance(module, nn.GLU):
        halved = module.dim % (len(shape) + 1) - 1
        return tuple(size // 2 if place == halved else size for place, size in enumerate(shape))
    if isinstance(module, nn.Unflatten):
        place = module.dim % (len(shape) + 1) - 1
        return (*shape[:place], *module.unflattened_size, *shape[place + 1 :])
    if isinstance(module, nn.PixelShuffle):
        r = module.upscale_factor
        return (shape[0] // r**2, shape[1] * r, shape[2] * r)
    if isinstance(module, nn.PixelUnshuffle):
        r = module.downscale_factor
        return (shape[0] * r**2, shape[1] // r, shape[2] // r)
    if isinstance(module, nn.ChannelShuffle):
        return shape
    if isinstance(module, nn.Upsample):
        return (shape[0], *_enlarged(module, shape[1:]))
    if isinstance(module, nn.RNNBase):
        features = (module.proj_size or module.hidden_size) * (1 + module.bidirectional)
        return (shape[0], features) if module.output == "sequence" else (features,)
    if isinstance(module, nn.Flatten):
        return _flattened(shape, module.start_dim, module.end_dim)
    if isinstance(module, Permute):
        return tuple(shape[d - 1] for d in module.dims[1:])
    if keeps_shape(type(module).__name__):
        if _is_activation(module):
            module(torch.zeros(1, *(1,) * len(shape)))  # one that cannot be computed says so at any size
        return shape
    return _tried(module, shape)


def _is_activation(module: nn.Module) -> bool:
    of_its_own = catalog("layers")[type(module).__name__].group == "activation" and not isinstance(module, nn.RReLU)
    return of_its_own and next(module.parameters(), None) is None


def _tried(module: nn.Module, shape: Shape) -> Shape:
    """What torch itself makes of a sample without memory."""
    return tuple(module(torch.empty(1, *shape, device="meta")).shape[1:])


def _enlarged(module: nn.Upsample, sizes: Shape) -> Shape:
    if module.size is not None:
        return per_dimension(module.size, len(sizes))
    factors = module.scale_factor if isinstance(module.scale_factor, tuple) else (module.scale_factor,) * len(sizes)
    return tuple(int(size * factor) for size, factor in zip(sizes, factors, strict=True))  # type: ignore[operator]


def _spread(module: nn.Module, sizes: Shape) -> Shape:
    """The size of a transposed convolution's result, in each dimension.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html
    """
    given = (module.stride, module.padding, module.dilation, module.kernel_size, module.output_padding)
    each = (per_dimension(value, len(sizes)) for value in given)  # type: ignore[arg-type]
    return tuple(
        (size - 1) * s - 2 * p + d * (k - 1) + more + 1 for size, s, p, d, k, more in zip(sizes, *each, strict=True)
    )


def _windows(module: nn.Module, sizes: Shape) -> Shape:
    """How often a sliding window fits, in each dimension.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html, and MaxPool2d.html for ceil_mode.
    """
    n = len(sizes)
    kernel = per_dimension(module.kernel_size, n)  # type: ignore[arg-type]
    stride = per_dimension(module.stride or module.kernel_size, n)  # type: ignore[arg-type]
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
    """Weights of a module, frozen ones too."""
    return sum(parameter.numel() for parameter in module.parameters())


def frozen_count(module: nn.Module) -> int:
    """Weights of a module that are not trained."""
    return sum(parameter.numel() for parameter in module.parameters() if not parameter.requires_grad)


def flops(module: nn.Module, before: Shape, after: Shape) -> int:
    """Floating-point operations of the forward pass of one sample, counted as papers do.

    Two for each multiply-and-add of convolutions, Linear and recurrent layers; nothing for biases, activations, norms
    and pooling. So does torch.utils.flop_counter.FlopCounterMode.
    """
    if isinstance(module, CONVOLUTIONS):
        return 2 * prod(after[1:]) * module.weight.numel()
    if isinstance(module, TRANSPOSED):
        return 2 * prod(before[1:]) * module.weight.numel()
    if isinstance(module, nn.Linear):
        return 2 * prod(before) * module.out_features
    if isinstance(module, nn.RNNBase):
        # Every weight matrix is applied once a step.
        return 2 * before[0] * sum(p.numel() for name, p in module.named_parameters() if name.startswith("weight"))
    if isinstance(module, TransformerEncoder):
        # Every matrix is applied once a step; each pair of steps is compared, and weighed.
        matrices = sum(p.numel() for p in module.parameters() if p.dim() == 2)
        return 2 * before[0] * matrices + 4 * before[0] ** 2 * module.d_model * module.num_layers
    if isinstance(module, AttentionPooling):
        return 2 * before[0] * (sum(p.numel() for p in module.parameters() if p.dim() == 2) + module.in_features)
    return 0


def kept_bytes(module: nn.Module, before: Shape, after: Shape) -> int:
    """Bytes that one sample's forward pass leaves in memory for the backward pass, in float32: an estimate."""
    if isinstance(module, _VIEWS):
        return 0
    itemsize = torch.get_default_dtype().itemsize
    kept = prod(after) * itemsize
    if isinstance(module, (*_MAX_POOLINGS, *_ADAPTIVE_MAX)):
        kept += prod(after) * _INDEX_BYTES
    elif isinstance(module, nn.RNNBase):
        states = before[0] * module.num_layers * (1 + module.bidirectional) * module.hidden_size
        kept += states * _KEPT_BY_A_STATE[module.mode] * itemsize
    elif isinstance(module, TransformerEncoder):
        at_each_step = 10 * module.d_model + 2 * module.dim_feedforward + 2 * module.nhead * before[0]
        kept = before[0] * at_each_step * module.num_layers * itemsize
    elif isinstance(module, AttentionPooling):
        kept = before[0] * (module.hidden_size + 2) * itemsize
    elif isinstance(module, _DROPOUTS):
        kept += prod(after)  # the mask
    return kept
