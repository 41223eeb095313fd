"""Whole networks of torchvision as layers."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Le

from engine.catalog.layer_entry import layer

_SIDE = Annotated[int, Ge(1), Le(4096)]

ENTRIES = (
    layer(
        "torchvision",
        "One of torchvision's classification models, with published weights or without, as features or whole.",
        "To classify images with few samples: weights learned on ImageNet, frozen, under a Linear of your own.",
        torch_name="engine.model.backbone.Backbone",
        inferred={"num_classes": "as many as the weights tell apart, or 1000"},
        hidden=frozenset({"progress", "pretrained", "transforms"}),
        types={"num_classes": Literal["auto"] | Annotated[int, Ge(1)], "resize": Literal["none", "auto"] | _SIDE},
        listed={"name": "engine.model.published_models.model_names"},
        when_not="With samples enough of images unlike photographs: a small CNN is quicker, and as good.",
    ),
)
