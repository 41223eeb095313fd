"""torchvision's classification models: their names, their weights, and the images that these were trained on.

torchvision is imported by these functions, not by this file: its import takes a second, which only a document with one
of its models should cost. https://docs.pytorch.org/vision/stable/models.html
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

NONE = "none"
"""The value of `weights` for a model without published weights."""

CLASSES = 1000
"""The number of classes of a model by default: those of ImageNet."""

_WITHOUT_AUX = ("googlenet", "inception_v3")
"""Models with auxiliary classifiers, which output more while training; they are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """One set of weights of one model, as torchvision publishes it."""

    name: str
    """`IMAGENET1K_V1`"""
    url: str
    megabytes: float
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    """Of each channel; images between 0 and 1 were normalized with these."""
    crop_size: int
    """Side of the square images that the model was trained on."""
    min_size: int
    """Side of the smallest images that the model accepts."""


@cache
def model_names() -> tuple[str, ...]:
    """The names of all classification models that are not quantized."""
    from torchvision import models

    return tuple(models.list_models(module=models))


@cache
def weight_names(model: str) -> tuple[str, ...]:
    """The values of `weights` for a model, without "none"."""
    from torchvision import models

    members = models.get_model_weights(model).__members__
    return tuple(sorted(members, key=lambda name: name != "DEFAULT"))


def weights_member(model: str, name: str) -> Any:
    """torchvision's own object for weights, by `IMAGENET1K_V1` or `ResNet18_Weights.IMAGENET1K_V1`."""
    from torchvision import models

    return models.get_model_weights(model)[name.rpartition(".")[2]]


def published(model: str, name: str) -> Weights | None:
    """The weights of a model by their name; None for "none"."""
    return None if name == NONE else weights_named(model, name)


def weights_named(model: str, name: str = "DEFAULT") -> Weights:
    """The weights of a model by their name; torchvision's best by default."""
    member = weights_member(model, name)
    preset = member.transforms()
    return Weights(
        name=member.name,
        url=member.url,
        megabytes=member.meta["_file_size"],
        classes=len(member.meta["categories"]),
        mean=tuple(preset.mean),
        std=tuple(preset.std),
        crop_size=preset.crop_size[0],
        min_size=member.meta["min_size"][0],
    )


def construct(model: str, weights: Weights | None, num_classes: int) -> nn.Module:
    """Build torchvision's model for these weights, without loading them.

    torchvision's own functions build and load together, and load with pickle. The arguments that they set for weights
    are set here.
    """
    from torchvision import models

    more: dict[str, Any] = {}
    if model in _WITHOUT_AUX:
        # Their weights were trained on images with another normalization, which transform_input applies.
        more = {"aux_logits": False, "init_weights": weights is None, "transform_input": weights is not None}
    elif model.startswith("vit_") and weights is not None:
        more = {"image_size": weights.min_size}
    elif model.startswith("maxvit_") and weights is not None:
        more = {"input_size": (weights.min_size, weights.min_size)}
    made: nn.Module = models.get_model(model, num_classes=num_classes, **more)
    return made


def classes_of(weights: Weights | None, num_classes: int | None) -> int:
    """The number of classes of the whole model."""
    return num_classes or (weights.classes if weights is not None else CLASSES)


def side_of(resize: str | int, weights: Weights | None) -> int | None:
    """The side that images are resized to; None where they keep their size."""
    if isinstance(resize, int):
        return resize
    return weights.crop_size if resize == "auto" and weights is not None else None
