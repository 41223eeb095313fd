"""torchvision's classification models as layers. C channels, H height, W width, F features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le

from engine.catalog.entry import attribute
from engine.catalog.layers.published_models import (
    NONE,
    Weights,
    classes_of,
    model_names,
    published,
    side_of,
    weight_names,
    weights_named,
)
from engine.catalog.layers.signal import DataFacts, Shape, Signal, shape_text
from engine.catalog.layers.spec import Arguments, Figures, InputFix, LayerSpec, Module
from engine.experiment.mistakes import Mistake, unknown_name

BACKBONE = "torchvision"
"""The type of the layer in a document."""

_CLASS = "engine.model.backbone.Backbone"
_CHANNELS = 3
_SIDE = Annotated[int, Ge(1), Le(4096)]
_REFUSES = (RuntimeError, ValueError, AssertionError, IndexError)


def _other_data(before: Signal, facts: DataFacts) -> InputFix:
    return InputFix("Use data that is images, or another layer.")


def _unknown_names(given: Arguments) -> list[Mistake]:
    """A model that torchvision does not have, or weights that this model does not have."""
    name, weights = given.get("name"), given.get("weights", NONE)
    if name is None:
        return []
    if name not in model_names():
        return [unknown_name(".name", name, model_names(), "a classification model of torchvision")]
    known = weight_names(name)
    if weights == NONE or weights.rpartition(".")[2] in known:
        return []
    return [unknown_name(".weights", weights, (*known, NONE), f"weights of {name}")]


def _wrong_channels(given: Arguments, before: Signal) -> Mistake | None:
    if before.shape[0] in (1, _CHANNELS):
        return None
    found = "it needs images with 3 channels, or 1, which is repeated"
    fix = f'Put {{type = "Conv2d", out_channels = {_CHANNELS}, kernel_size = 1}} before it.'
    return Mistake("", found, f"{before.origin} gives {before}", fix)


def _measure(module: Module, given: Arguments, before: Signal) -> Figures | Mistake:
    """Run the model, which is a whole network; or the mistake of images that are too small for it."""
    found = _run(tuple(sorted(given.items())), before.shape, before.origin != "the data")
    if found is None:
        return _wrong_size(given, before)
    frozen = sum(parameter.numel() for parameter in module.parameters() if not parameter.requires_grad)
    return replace(found, notes=tuple(_notes(given, before, frozen)))


@lru_cache(maxsize=256)
def _run(given: tuple[tuple[str, Any], ...], shape: Shape, gradient: bool) -> Figures | None:
    """Cached, since a large model takes a second; None where the model refuses the images."""
    from engine.catalog.layers.trial import tried

    try:
        return tried(attribute(_CLASS)(**dict(given), device="meta"), shape, gradient=gradient)
    except _REFUSES:
        return None


def _wrong_size(given: Arguments, before: Signal) -> Mistake:
    name, weights = given["name"], published(given["name"], given.get("weights", NONE))
    made_for = weights or weights_named(name)
    least, usual = made_for.min_size, made_for.crop_size
    expected = f"it accepts {least}×{least} {'only' if least == usual else 'and larger'}"
    fix, side = f"Set resize = {usual}.", side_of(given.get("resize", NONE), weights)
    if side is not None:
        return Mistake(".resize", f"{name} does not accept images of {side}×{side}", expected, fix)
    return Mistake("", f"{name} does not accept images of {shape_text(before.shape[1:])}", expected, fix)


def _warnings(given: Arguments, before: Signal, facts: DataFacts) -> Iterator[Mistake]:
    name, weights = given["name"], published(given["name"], given.get("weights", NONE))
    if given.get("features", True) and "num_classes" in given:
        expected, fix = "features = true removes the last layer", "Remove it, or set features = false."
        yield Mistake(".num_classes", "it has no effect", expected, fix, severity="warning")
    if given.get("freeze") and weights is None:
        expected = f"{name} starts with random weights, which would not be trained"
        fix = 'Set weights = "DEFAULT", or freeze = false.'
        yield Mistake(".freeze", "found true", expected, fix, severity="warning")
    if given.get("resize") == "auto" and weights is None:
        expected = "without weights no size is known, so images keep their size"
        yield Mistake(
            ".resize", "it has no effect", expected, "Set it to 224, for example, or remove it.", severity="warning"
        )


def _notes(given: Arguments, before: Signal, frozen: int) -> Iterator[str]:
    """What is done to images and weights, in sentences. `frozen`: how many of its weights are."""
    weights = published(given["name"], given.get("weights", NONE))
    side = side_of(given.get("resize", NONE), weights)
    height_width = shape_text(before.shape[1:])
    if before.shape[0] == 1:
        yield f"The single channel is repeated to {_CHANNELS}."
    if side is not None and before.shape[1:] != (side, side):
        yield f"Images are resized from {height_width} to {side}×{side}."
    elif weights is not None and before.shape[1:] != (weights.crop_size,) * 2 and side is None:
        crop = f"{weights.crop_size}×{weights.crop_size}"
        yield f'Images stay {height_width}. The weights were trained on {crop}; resize = "auto" resizes images to that.'
    if weights is not None:
        of = f"mean {_numbers(weights.mean)}, std {_numbers(weights.std)}"
        yield f"Images are normalized as for its weights: {of}."
    if frozen:
        yield f"{frozen:,} of its weights are frozen; its norms and dropout stay in evaluation mode."
    if weights is not None and not given.get("features", True):
        classes = classes_of(weights, given.get("num_classes"))
        if classes != weights.classes:
            yield f"Its last layer is new: the weights are for {weights.classes:,} classes, not {classes:,}."


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:g}" for value in values)


def _wrong_outputs(parameters: Arguments, after: Signal, facts: DataFacts) -> Mistake | None:
    if parameters.get("features") is not False:
        return None
    return Mistake("", f"it gives {after.shape[0]} numbers", facts.wants, 'Write num_classes = "auto".')


def _words(given: Arguments) -> list[str]:
    """`resnet18, DEFAULT, frozen`"""
    words = [str(given.get("name", ""))]
    words += [str(given["weights"])] if given.get("weights", NONE) != NONE else []
    words += ["frozen"] if given.get("freeze") is True else []
    words += ["whole"] if given.get("features") is False else []
    words += [f"resize {given['resize']}"] if given.get("resize", NONE) != NONE else []
    return [word for word in words if word]


def weights_of(given: Arguments) -> Weights | None:
    """The published weights that a layer's parameters name; None for no weights and for unknown names."""
    name, weights = given.get("name"), given.get("weights", NONE)
    if not isinstance(name, str) or not isinstance(weights, str) or _unknown_names(given):
        return None
    return published(name, weights)


ENTRIES = (
    LayerSpec(
        name=BACKBONE,
        torch_name=_CLASS,
        group="pretrained",
        summary="A classification model of torchvision, with published weights or without, as features or complete.",
        when="To classify images with few samples: frozen ImageNet weights with your own Linear after them.",
        when_not="With many images that are unlike photographs: a small CNN is faster, and as good.",
        inferred={"num_classes": "the number of classes of the weights, or 1000"},
        hidden=frozenset({"progress", "pretrained", "transforms"}),
        types={"num_classes": Literal["auto"] | Annotated[int, Ge(1)], "resize": Literal["none", "auto"] | _SIDE},
        listed={"name": "engine.catalog.layers.published_models.model_names"},
        starts_with={"name": "resnet18"},
        accepts=("image",),
        input_fix=_other_data,
        auto_parameter="num_classes",
        measure=_measure,
        check_values=_unknown_names,
        check_arguments=_wrong_channels,
        warnings=_warnings,
        outputs_mistake=_wrong_outputs,
        label_words=_words,
    ),
)
