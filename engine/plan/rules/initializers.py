"""Initializers against the layers and the shapes of their weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from engine.catalog import catalog
from engine.catalog.bind import torch_arguments
from engine.catalog.choices import TORCH_REFUSES, blame, check_parameters, check_type
from engine.catalog.initializers import DIMENSIONS
from engine.catalog.layers import layer_specs
from engine.catalog.layers.pretrained import BACKBONE
from engine.catalog.layers.published_models import NONE
from engine.experiment.document import Choice, Layer
from engine.experiment.mistakes import Mistake, drop, unknown_name
from engine.model.initialization import NO_MODEL, has_weights, initializers_of, is_initialized
from engine.plan.context import CheckContext
from engine.plan.rules.registry import rule_after


@rule_after("model")
def initializers_of_the_model(context: CheckContext) -> Iterator[Mistake]:
    """Initializers of the model that are wrong, or for layers that it does not have."""
    model = context.experiment.model
    layers = context.by_path.values()
    for name in ("init", "recurrent_init", "bias_init"):
        yield from _choice_mistakes(getattr(model, name), f"model.{name}")
    types = list(dict.fromkeys(layer.type for layer in layers))
    for type, choice in (model.init_by_type or {}).items():
        path = f"model.init_by_type.{type}"
        if type not in catalog("layers"):
            yield unknown_name(path, type, [t for t in catalog("layers") if has_weights(t)], "a layer")
        elif not has_weights(type):
            yield Mistake(path, f"{type} has no weights to initialize", "", "Remove it.", remedy=drop())
        elif type not in types:
            yield Mistake(path, f"the model has no {type}", "", "Remove it.", severity="warning", remedy=drop())
        yield from _choice_mistakes(choice, path)
    if model.recurrent_init is not None and not any("recurrent_init" in _settable(type) for type in types):
        yield Mistake(
            "model.recurrent_init",
            "the model has no recurrent layer",
            "",
            "Remove it.",
            severity="warning",
            remedy=drop(),
        )
    if model.forget_bias is not None and not any("forget_bias" in _settable(type) for type in types):
        yield Mistake("model.forget_bias", "the model has no LSTM", "", "Remove it.", severity="warning", remedy=drop())


@rule_after("model")
def initializers_of_layers(context: CheckContext) -> Iterator[Mistake]:
    """Initializers of layers that are wrong, or for weights that the layer does not have."""
    for path, layer in context.by_path.items():
        yield from _layer_mistakes(layer, path)


def _settable(type: str) -> frozenset[str]:
    """The fields of a document that can set how the weights of a layer start."""
    spec = layer_specs().get(type)
    return spec.initializers if spec is not None else frozenset()


def _layer_mistakes(layer: Layer, path: str) -> Iterator[Mistake]:
    if layer.type not in catalog("layers"):
        return
    if layer.type == BACKBONE:
        yield from _of_backbone(layer, path)
        return
    if layer.init is not None:
        waves = layer.type == "PositionalEncoding" and layer.parameters.get("encoding") != "learned"
        yield from _own(layer, path, "init", has_weights(layer.type) and not waves, "weights to initialize")
    if layer.recurrent_init is not None:
        recurrent = "recurrent_init" in _settable(layer.type)
        yield from _own(layer, path, "recurrent_init", recurrent, "recurrent weights")
    biased = "bias_init" in _settable(layer.type) and layer.parameters.get("bias", True) is not False
    if layer.bias_init is not None:
        yield from _own(layer, path, "bias_init", biased, "biases to initialize")
    if layer.forget_bias is not None and not (biased and "forget_bias" in _settable(layer.type)):
        yield Mistake(
            f"{path}.forget_bias",
            f"this {layer.type} has no bias of a forget gate",
            "",
            _remove("forget_bias"),
            remedy=drop(),
        )


def _of_backbone(layer: Layer, path: str) -> Iterator[Mistake]:
    """A network of torchvision starts from its initializer or from published weights, not from both."""
    for name in ("init", "bias_init"):
        choice = getattr(layer, name)
        if choice is not None and layer.parameters.get("weights", NONE) != NONE:
            fix = f'Remove {name}, or set weights = "none".'
            yield Mistake(
                f"{path}.{name}", f"found {choice.type}", "the layer starts from published weights", fix, layer.type
            )
        else:
            yield from _choice_mistakes(choice, f"{path}.{name}")
    for name, what in (("recurrent_init", "recurrent weights"), ("forget_bias", "forget gate")):
        if getattr(layer, name) is not None:
            yield Mistake(
                f"{path}.{name}", f"this {layer.type} has no {what}", "", _remove(name), layer.type, remedy=drop()
            )


def _own(layer: Layer, path: str, name: str, has_it: bool, what: str) -> list[Mistake]:
    if not has_it:
        return [
            Mistake(f"{path}.{name}", f"this {layer.type} has no {what}", "", _remove(name), layer.type, remedy=drop())
        ]
    return _choice_mistakes(getattr(layer, name), f"{path}.{name}")


def _remove(name: str) -> str:
    return f"Remove {name}."


def _choice_mistakes(init: Choice | None, path: str) -> list[Mistake]:
    """Mistakes of an initializer: its name, its parameters, and errors of torch."""
    if init is None:
        return []
    entry, mistakes = check_type("initializers", init, path)
    if entry is None:
        return mistakes
    checked = check_parameters(entry, init.parameters, path)
    if checked.mistakes:
        return list(checked.mistakes)
    least, _ = DIMENSIONS[entry.name]
    scratch = torch.zeros((4 * int(checked.parameters.get("groups", 1)),) + (4,) * max(1, least - 1))
    initialize = entry.torch_class()

    def attempt(**parameters: Any) -> None:
        with torch.random.fork_rng(devices=[]):  # a check must not change the generator of the weights
            initialize(scratch, **parameters)

    try:
        attempt(**torch_arguments(checked.parameters))
    except TORCH_REFUSES as error:
        return [blame(entry, checked.parameters, error, attempt, path)]
    return []


@rule_after("model")
def initializers_against_shapes(context: CheckContext) -> Iterator[Mistake]:
    """Initializers that cannot set weights of the shape that a layer has; for many layers the first is named."""
    model = context.experiment.model
    layers, shapes = context.by_path, {layer.path: dict(layer.shapes) for layer in context.layers}
    reported: set[str] = set()
    for path, layer in layers.items():
        if not has_weights(layer.type) and layer.type != BACKBONE:
            continue
        start = initializers_of(layer, model if layer.type != BACKBONE else NO_MODEL)
        for name, shape in shapes.get(path, {}).items():
            choice = start.of(name)
            if layer.type == BACKBONE and len(shape) == 1 and "bias" not in name:
                continue  # weight of a norm
            wrong = _shape_problem(choice, shape) if choice is not None and is_initialized(name) else ""
            if choice is None or not wrong:
                continue
            kind = "bias_init" if "bias" in name else "init"
            if start.recurrent is not None and name.startswith("weight_hh"):
                kind = "recurrent_init"
            if getattr(layer, kind) is not None:
                where, fix = f"{path}.{kind}", "Use another initializer."
            elif kind == "init" and layer.type in (model.init_by_type or {}):
                where, fix = f"model.init_by_type.{layer.type}", "Use another initializer."
            else:
                where, fix = f"model.{kind}", f"Use another initializer, or set {path}.{kind}."
            if where not in reported:
                reported.add(where)
                yield Mistake(where, f"{choice.type} {wrong}", f"the {name} of {path} is {_by(shape)}", fix)


def _shape_problem(choice: Choice, shape: tuple[int, ...]) -> str:
    """Why an initializer cannot set a parameter of that shape; empty if it can."""
    if choice.type not in DIMENSIONS:
        return ""
    least, most = DIMENSIONS[choice.type]
    if not least <= len(shape) <= most:
        many = "or more" if most > 9 else f"to {most}"
        return f"sets tensors of {least} dimensions" if least == most else f"sets tensors of {least} {many} dimensions"
    groups = choice.parameters.get("groups", 1)
    if choice.type == "dirac_" and isinstance(groups, int) and groups > 0 and shape[0] % groups:
        return f"of {groups} groups needs a multiple of {groups} kernels"
    return ""


def _by(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) + (" (1 dimension)" if len(shape) == 1 else "")
