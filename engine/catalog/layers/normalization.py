"""Normalization. N batch, C channels, H height, W width, T time, F features.

https://docs.pytorch.org/docs/stable/nn.html#normalization-layers
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from engine.catalog.layers.checks import divides_channels
from engine.catalog.layers.signal import OVER_CHANNELS, DataFacts, Kind, Signal, per_dimension, shape_text
from engine.catalog.layers.spec import BEFORE, Arguments, LayerSpec, Module, same_shape, shows
from engine.catalog.value_types import as_tuples
from engine.experiment.mistakes import Mistake, drop

_KINDS: dict[int, Kind] = {1: "signal", 2: "image", 3: "volume"}
_USUAL: dict[Kind, str] = {"vector": "BatchNorm1d", "sequence": "LayerNorm"}
_SHAPE = "the last dimension of the layer before"
_SHAPE_HELP = "The last dimensions that are normalized together."


def _norm(name: str, **fields: Any) -> LayerSpec:
    names = {"name": name, "torch_name": f"torch.nn.{name}", "group": "normalization"}
    usual: dict[str, Any] = {"instead": _USUAL, "keeps_shape": True, "output_shape": same_shape}
    return LayerSpec(**(names | usual | fields))


def _of_channels(stem: str, n: int, **fields: Any) -> LayerSpec:
    """A norm whose name tells the number of dimensions in addition to the channels."""
    return _norm(
        f"{stem}{n}d",
        inferred={"num_features": BEFORE},
        size_parameter="num_features",
        instead={kind: f"{stem}{m}d" for m, kind in _KINDS.items() if m != n} | _USUAL,
        **fields,
    )


def _wrong_eps(given: Arguments, before: Signal) -> Mistake | None:
    if given.get("eps", 1) > 0:
        return None
    found = f"found {given['eps']}"
    return Mistake(".eps", found, "expected more than 0", "Remove it for the default.", remedy=drop())


def _single_value(module: Module, before: Signal) -> Mistake | None:
    if prod(before.shape[1:]) > 1:
        return None
    found = "one value per channel cannot be normalized"
    return Mistake("", found, f"{before.origin} gives {before}", "Use GroupNorm or LayerNorm.")


def _last_dimensions(before: Signal, facts: DataFacts) -> dict[str, Any]:
    whole = before.kind in ("image", "volume")
    return {"normalized_shape": before.shape if whole else before.shape[-1:]}


def _other_shape(parameters: Arguments, before: Signal, facts: DataFacts) -> Iterator[tuple[str, Mistake]]:
    if "normalized_shape" not in parameters:
        return
    shape = per_dimension(as_tuples(parameters["normalized_shape"]), 1)
    if before.shape[-len(shape) :] != shape:
        found, expected = (
            f"normalized_shape is {shape_text(shape)}",
            f"{before.origin} gives {shape_text(before.shape)}",
        )
        fix = "Remove normalized_shape (it is inferred), or set it to the last dimensions of the input."
        yield "normalized_shape", Mistake("", found, expected, fix, remedy=drop(".normalized_shape"))


def _of_features(name: str, **fields: Any) -> LayerSpec:
    """A norm over the last dimensions of each sample."""
    shape = {"inferred": {"normalized_shape": _SHAPE}, "helps": {"normalized_shape": _SHAPE_HELP}}
    return _norm(name, infer=_last_dimensions, contradictions=_other_shape, **shape, **fields)


ENTRIES = (
    _of_channels(
        "BatchNorm",
        1,
        summary="Normalizes each feature or channel to mean 0 and variance 1 over the batch, then scales it.",
        when="Between Linear or Conv1d and the activation. Needs batches of 16 or more.",
        when_not="With batches below 16, and in sequences: LayerNorm.",
        formula="y = γ·(x - mean) / √(var + eps) + β\nmean and var of each feature over the batch",
        accepts=("vector", "signal"),
        check_arguments=_wrong_eps,
    ),
    _of_channels(
        "BatchNorm",
        2,
        summary="Normalizes each channel to mean 0 and variance 1 over the batch, then scales it "
        "(Ioffe and Szegedy, 2015).",
        when="Between Conv2d and the activation: allows higher learning rates. Needs batches of 16 or more.",
        when_not="With batches below 16: GroupNorm.",
        formula="y = γ·(x - mean) / √(var + eps) + β\nmean and var of each channel over the batch and all positions",
        accepts=("image",),
        check_arguments=_wrong_eps,
    ),
    _of_channels(
        "BatchNorm",
        3,
        summary="Normalizes each channel of a volume to mean 0 and variance 1 over the batch, then scales it.",
        when="Between Conv3d and the activation. Needs batches of 16 or more.",
        when_not="With small batches, which volumes often require: GroupNorm.",
        formula="y = γ·(x − mean) / √(var + eps) + β\nmean and var of each channel over the batch",
        accepts=("volume",),
        check_arguments=_wrong_eps,
    ),
    *(
        _of_channels(
            "InstanceNorm",
            n,
            summary=f"Normalizes each channel of each {_KINDS[n]} to mean 0 and variance 1 (Ulyanov et al., 2016).",
            when="Where contrast and style of the single sample should not matter.",
            when_not="Where brightness or contrast distinguish the classes: it removes them.",
            formula="y = γ·(x − mean) / √(var + eps) + β\nmean and var of each channel of each sample",
            accepts=(_KINDS[n],),
            check_module=_single_value,
        )
        for n in (1, 2, 3)
    ),
    _norm(
        "GroupNorm",
        summary="Normalizes groups of channels of each sample to mean 0 and variance 1, then scales them "
        "(Wu and He, 2018).",
        when="Instead of BatchNorm2d when batches are small.",
        when_not="With large batches: BatchNorm2d often reaches better results.",
        formula="y = γ·(x - mean) / √(var + eps) + β\nmean and var of each group of channels of each sample",
        inferred={"num_channels": BEFORE},
        accepts=(*OVER_CHANNELS, "vector"),
        size_parameter="num_channels",
        check_arguments=divides_channels("num_groups"),
        label_words=shows("num_groups"),
    ),
    _of_features(
        "LayerNorm",
        summary="Normalizes the features of each sample to mean 0 and variance 1, then scales them (Ba et al., 2016).",
        when="For sequences and small batches: it does not depend on the other samples.",
        when_not="Between convolutions: BatchNorm2d or GroupNorm.",
        formula="y = γ·(x - mean) / √(var + eps) + β\nmean and var over the features of a sample",
    ),
    _of_features(
        "RMSNorm",
        summary="Divides the features of each sample by their root mean square, then scales them "
        "(Zhang and Sennrich, 2019).",
        when="As LayerNorm, a little faster: usual in language models.",
        when_not="Between convolutions: BatchNorm2d or GroupNorm.",
        formula="y = γ·x / √(mean(x²) + eps)",
    ),
    _norm(
        "LocalResponseNorm",
        summary="Divides each value by the activity of neighbouring channels at its position "
        "(Krizhevsky et al., 2012).",
        when="To rebuild AlexNet.",
        when_not="In new networks: BatchNorm2d trains faster.",
        formula="y = x / (k + alpha/size · Σ x²)^beta over size neighbouring channels",
        helps={"size": "Number of neighbouring channels."},
        accepts=OVER_CHANNELS,
    ),
)
