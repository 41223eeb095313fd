"""What can be wrong with a backbone, and what it does to images unasked. Paths are relative to the layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from engine.experiment.mistakes import Mistake, unknown_name
from engine.model.backbone import TYPE, Backbone, classes_of, side_of
from engine.model.published_models import NONE, Weights, model_names, published, weight_names
from engine.model.signal import Signal, size_text
from engine.model.trial import Trial, tried

_REFUSES = (RuntimeError, ValueError, AssertionError, IndexError)
_CHANNELS = 3


def unknown_names(given: Mapping[str, Any]) -> list[Mistake]:
    """A model that torchvision does not have, or weights that it does not have of that model."""
    name, weights = given.get("name"), given.get("weights", NONE)
    if name is None:
        return []
    if name not in model_names():
        return [unknown_name(".name", name, model_names(), "a classification model of torchvision")]
    known = weight_names(name)
    if weights == NONE or weights.rpartition(".")[2] in known:
        return []
    return [unknown_name(".weights", weights, (*known, NONE), f"weights of {name}")]


def wrong_images(given: Mapping[str, Any], signal: Signal) -> Mistake | None:
    """Images of too many channels."""
    if signal.shape[0] in (1, _CHANNELS):
        return None
    found = "it needs images of 3 channels, or of 1, which is repeated"
    fix = f'Put {{type = "Conv2d", out_channels = {_CHANNELS}, kernel_size = 1}} before it.'
    return Mistake("", found, f"{signal.origin} gives {signal}", fix, TYPE)


def trial_of(given: Mapping[str, Any], signal: Signal) -> Trial | Mistake:
    """What comes of images that go through; or the mistake that they do not."""
    found = _trial(tuple(sorted(given.items())), signal.shape, signal.origin != "the data")
    if isinstance(found, Trial):
        return found
    weights = published(given["name"], given.get("weights", NONE))
    made_for = weights or published(given["name"], "DEFAULT")
    assert made_for is not None
    side = side_of(given.get("resize", NONE), weights)
    least, usual = made_for.min_size, made_for.crop_size
    expected = f"it takes {least}×{least} {'alone' if least == usual else 'and larger'}"
    if side is not None:
        return Mistake(".resize", f"{given['name']} does not take images of {side}×{side}", expected, _set(usual), TYPE)
    found_size = f"{given['name']} does not take images of {size_text(signal.shape[1:])}"
    return Mistake("", found_size, expected, _set(usual), TYPE)


def _set(side: int) -> str:
    return f"Set resize = {side}."


@lru_cache(maxsize=256)
def _trial(given: tuple[tuple[str, Any], ...], shape: tuple[int, ...], gradient: bool) -> Trial | str:
    """Remembered, since a large model takes a second; as text, why nothing came of it."""
    try:
        return tried(Backbone(**dict(given), device="meta"), shape, gradient=gradient)
    except _REFUSES as error:
        return str(error)


def warnings(given: Mapping[str, Any]) -> Iterator[Mistake]:
    """What runs, but not as a person may think."""
    name, weights = given["name"], published(given["name"], given.get("weights", NONE))
    features = given.get("features", True)
    if features and "num_classes" in given:
        expected = "features = true leaves the last layer out"
        yield Mistake(
            ".num_classes", "it does nothing", expected, "Remove it, or set features = false.", TYPE, "warning"
        )
    if given.get("freeze") and weights is None:
        expected = f"{name} begins with random weights, which then stay so"
        fix = 'Set weights = "DEFAULT", or freeze = false.'
        yield Mistake(".freeze", "found true", expected, fix, TYPE, "warning")
    if given.get("resize") == "auto" and weights is None:
        expected = "without weights no size is known, so images stay as they come"
        yield Mistake(".resize", "it does nothing", expected, "Set it to 224, say, or remove it.", TYPE, "warning")


def notes(given: Mapping[str, Any], signal: Signal, frozen: int) -> Iterator[str]:
    """What is done to images and weights, in sentences.

    Args:
        frozen: how many of its weights are.
    """
    weights = published(given["name"], given.get("weights", NONE))
    side = side_of(given.get("resize", NONE), weights)
    height_width = size_text(signal.shape[1:])
    if signal.shape[0] == 1:
        yield f"The one channel is repeated to {_CHANNELS}."
    if side is not None and signal.shape[1:] != (side, side):
        yield f"Images are resized from {height_width} to {side}×{side}."
    elif weights is not None and signal.shape[1:] != (weights.crop_size,) * 2 and side is None:
        crop = f"{weights.crop_size}×{weights.crop_size}"
        yield f'Images stay {height_width}; the weights are of {crop}, to which resize = "auto" brings them.'
    if weights is not None:
        of = f"mean {_numbers(weights.mean)}, std {_numbers(weights.std)}"
        yield f"Images are normalised as those of its weights were: {of}."
    if frozen:
        yield f"{frozen:,} of its weights are frozen, and its norms and dropout stay as in evaluation."
    if weights is not None and not given.get("features", True):
        classes = classes_of(weights, given.get("num_classes"))
        if classes != weights.classes:
            yield f"Its last layer is new: the weights tell {weights.classes:,} classes apart, not {classes:,}."


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:g}" for value in values)


def label_words(given: Mapping[str, Any]) -> list[str]:
    """A backbone in a few words, for tables: resnet18, DEFAULT, frozen."""
    words = [str(given.get("name", ""))]
    words += [str(given["weights"])] if given.get("weights", NONE) != NONE else []
    words += ["frozen"] if given.get("freeze") is True else []
    words += ["whole"] if given.get("features") is False else []
    words += [f"resize {given['resize']}"] if given.get("resize", NONE) != NONE else []
    return [word for word in words if word]


def weights_of(given: Mapping[str, Any]) -> Weights | None:
    """The published weights that a layer's parameters ask for; None for none, and for names that are unknown."""
    name, weights = given.get("name"), given.get("weights", NONE)
    if not isinstance(name, str) or not isinstance(weights, str) or unknown_names(given):
        return None
    return published(name, weights)
