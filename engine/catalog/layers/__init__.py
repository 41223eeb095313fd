"""Layers: what a network is built from. One file a family, one entry a layer: see spec.py.

https://docs.pytorch.org/docs/stable/nn.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from engine.catalog import catalog
from engine.catalog.layers import (
    activation,
    attention,
    containers,
    convolution,
    dropout,
    embedding,
    linear,
    normalization,
    padding,
    pooling,
    pretrained,
    recurrent,
    shape,
)
from engine.catalog.layers.spec import LayerSpec

ENTRIES: tuple[LayerSpec, ...] = (
    *linear.ENTRIES,
    *convolution.ENTRIES,
    *pooling.ENTRIES,
    *normalization.ENTRIES,
    *activation.ENTRIES,
    *recurrent.ENTRIES,
    *embedding.ENTRIES,
    *attention.ENTRIES,
    *dropout.ENTRIES,
    *shape.ENTRIES,
    *padding.ENTRIES,
    *pretrained.ENTRIES,
    *containers.ENTRIES,
)


def layer_specs() -> Mapping[str, LayerSpec]:
    """Every layer of the catalog by its name."""
    return cast("Mapping[str, LayerSpec]", catalog("layers"))
