"""Follow one sample through one layer without training: shapes, parameters, FLOPs, bytes, and every mistake.

Layers are constructed on the `meta` device, where weights have a shape but no memory, so a network of any size is
traced in milliseconds. A layer's result is remembered, so that an edited network costs what was edited.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from inspect import signature
from typing import Any

import torch
from torch import nn

from engine.catalog import SINGULAR, catalog
from engine.catalog.choices import blame, check_parameters
from engine.catalog.value_types import as_tuples
from engine.experiment.document import Layer
from engine.experiment.mistakes import Mistake, drop, put, unknown_name
from engine.experiment.tree import HELD
from engine.model import backbone_mistakes, sizes
from engine.model.arguments import SIZE_PARAMETER, Facts, arguments, layer_class, size_before
from engine.model.backbone import TYPE as BACKBONE
from engine.model.fit import RECURRENT, assumed, keeps_shape, misfit
from engine.model.label import label
from engine.model.misfits import wrong_arguments, wrong_module
from engine.model.signal import LAID_OUT, Signal, size_text

_TORCH_REFUSES = (ValueError, TypeError, RuntimeError, ArithmeticError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """One layer of the trace."""

    label: str
    signal: Signal | None = None
    """What it hands on; None where a mistake leaves that open."""
    parameters: int = 0
    frozen: int = 0
    """Those of the parameters that are not trained."""
    flops: int = 0
    """Of the forward pass of one sample, two for each multiply-and-add."""
    activation_bytes: int = 0
    """What the backward pass of one sample needs kept, in float32."""
    needs_two: bool = False
    """Whether training fails on a batch of one sample, because of a BatchNorm inside."""
    notes: tuple[str, ...] = ()
    """Sentences on what it does to its input or its weights without being asked."""
    mistakes: tuple[Mistake, ...] = ()
    shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """Its parameters by their names in the layer."""
    path: str = ""
    """Where it stands in the document."""
    inside: tuple[Traced, ...] = ()
    """The layers that it holds, of all its branches; its own figures count theirs."""


def trace_leaf(layer: Layer, signal: Signal | None, facts: Facts, path: str = "") -> Traced:
    """A layer that holds no others, at its path."""
    found = _trace(layer.type, json.dumps(layer.parameters, default=repr), signal, facts)
    mistakes = [replace(m, path=_under(path, m.path)) for m in found.mistakes]
    for name in HELD:
        if getattr(layer, name) is not None:
            wrong = Mistake(
                f"{path}.{name}", f"{layer.type} holds no layers", "", "Remove it.", layer.type, remedy=drop()
            )
            mistakes.append(wrong)
    signal = found.signal
    if signal is not None and layer.type in RECURRENT and signal.kind == "vector":
        signal = replace(signal, summed_up_by=path)
    return replace(found, path=path, signal=signal, mistakes=tuple(mistakes))


def _under(path: str, relative: str) -> str:
    return path + relative if relative.startswith((".", "[")) or not relative else f"{path}.{relative}"


@lru_cache(maxsize=4096)
def _trace(type: str, given_json: str, signal: Signal | None, facts: Facts) -> Traced:
    """One layer by itself; the paths of its mistakes are relative to it."""
    given: dict[str, Any] = json.loads(given_json)
    entries = catalog("layers")
    if type not in entries:
        return Traced(label=type, mistakes=(unknown_name(".type", type, tuple(entries), SINGULAR["layers"]),))
    checked = check_parameters(entries[type], given, "")
    mistakes = list(checked.mistakes)
    if type == BACKBONE and (unknown := backbone_mistakes.unknown_names(checked.parameters)):
        mistakes += unknown
        checked = replace(checked, whole=False)
    shown = label(type, given | checked.parameters)
    if signal is None:
        return Traced(label=shown, mistakes=tuple(mistakes))

    wrong = misfit(type, signal, rows_parameter=facts.rows_parameter)
    if wrong is not None:
        mistakes.append(wrong)
        taken = assumed(type, signal)
        if taken is None:
            after = signal.of(signal.shape) if keeps_shape(type) else None
            return Traced(label=shown, signal=after, mistakes=tuple(mistakes))
        signal = taken
    if not checked.whole:
        after = signal.of(signal.shape) if keeps_shape(type) else None
        return Traced(label=shown, signal=after, mistakes=tuple(mistakes))

    contradictions, parameters = _contradictions(type, checked.parameters, signal, facts)
    mistakes += contradictions
    if type in ("Embedding", "EmbeddingBag") and "num_embeddings" not in parameters and facts.vocabulary_size is None:
        fix = "Set num_embeddings to the largest token plus one."
        mistakes.append(Mistake("", "num_embeddings is missing", "the data does not tell its vocabulary", fix, type))
        return Traced(label=shown, mistakes=tuple(mistakes))
    constructed = arguments(type, parameters, signal, facts)
    shown = label(type, given | {n: v for n, v in constructed.items() if n in given or n in checked.parameters})
    wrong = wrong_arguments(type, constructed, signal)
    if wrong is not None:
        after = signal.of(signal.shape) if keeps_shape(type) else None
        return Traced(label=shown, signal=after, mistakes=(*mistakes, wrong))
    module = construct_on_meta(type, parameters, constructed)
    if isinstance(module, Mistake):
        return Traced(label=shown, mistakes=(*mistakes, module))
    if type == BACKBONE:
        return _of_backbone(shown, module, constructed, signal, mistakes)
    wrong = wrong_module(type, module, signal)
    if wrong is not None:
        after = signal.of(signal.shape) if keeps_shape(type) else None
        return Traced(label=shown, signal=after, parameters=sizes.parameter_count(module), mistakes=(*mistakes, wrong))
    try:
        shape = sizes.output_shape(module, signal.shape)
    except _TORCH_REFUSES as error:
        said = str(error).splitlines()[0].rstrip(".")
        wrong = Mistake("", f"torch refuses {signal}: {said}", "", "Correct its parameters.", type)
        return Traced(label=shown, mistakes=(*mistakes, wrong))
    return Traced(
        label=shown,
        signal=signal.of(shape, _kind_after(type, signal, shape, parameters)),
        parameters=sizes.parameter_count(module),
        frozen=sizes.frozen_count(module),
        flops=sizes.flops(module, signal.shape, shape),
        activation_bytes=sizes.kept_bytes(module, signal.shape, shape),
        mistakes=(*mistakes, *_warnings(type, parameters, signal, facts)),
        shapes=tuple((name, tuple(parameter.shape)) for name, parameter in module.named_parameters()),
    )


def _of_backbone(
    shown: str, module: nn.Module, constructed: dict[str, Any], signal: Signal, mistakes: list[Mistake]
) -> Traced:
    """A whole network of torchvision: nothing is told of the layers in it, so it is tried."""
    parameters, frozen = sizes.parameter_count(module), sizes.frozen_count(module)
    found = backbone_mistakes.trial_of(constructed, signal)
    if isinstance(found, Mistake):
        return Traced(label=shown, parameters=parameters, frozen=frozen, mistakes=(*mistakes, found))
    return Traced(
        label=shown,
        signal=signal.of(found.shape, "vector"),
        parameters=parameters,
        frozen=frozen,
        flops=found.flops,
        activation_bytes=found.kept_bytes,
        needs_two=found.needs_two,
        notes=tuple(backbone_mistakes.notes(constructed, signal, frozen)),
        mistakes=(*mistakes, *backbone_mistakes.warnings(constructed)),
        shapes=tuple((name, tuple(parameter.shape)) for name, parameter in module.named_parameters()),
    )


def construct_on_meta(type: str, given: Mapping[str, Any], constructed: dict[str, Any]) -> nn.Module | Mistake:
    """The module without memory, or what torch says against its parameters."""
    entry = catalog("layers")[type]
    cls = layer_class(type)

    def attempt(**parameters: Any) -> nn.Module:
        if type in ("Embedding", "EmbeddingBag"):
            # Its own initialization would draw from a normal distribution, which takes seconds to import on `meta`.
            size = (parameters["num_embeddings"], parameters["embedding_dim"])
            return cls(**parameters, _weight=torch.empty(size, device="meta"))
        return (
            cls(**parameters, device="meta")
            if type in SIZE_PARAMETER or "device" in signature(cls).parameters
            else cls(**parameters)
        )

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return attempt(**constructed)
    except _TORCH_REFUSES as error:
        inferred = {name: value for name, value in constructed.items() if name not in given}

        def with_inferred(**parameters: Any) -> nn.Module:
            return attempt(**(inferred | parameters))

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return blame(entry, given, error, with_inferred, "")


def _contradictions(
    type: str, parameters: dict[str, Any], signal: Signal, facts: Facts
) -> tuple[list[Mistake], dict[str, Any]]:
    """Sizes that were given and are not what comes in; and the parameters with them set right."""
    right = dict(parameters)
    mistakes = []
    name = SIZE_PARAMETER.get(type, "")
    if name in right and right[name] != (size := size_before(type, signal)):
        mistakes.append(
            Mistake(
                "",
                f"{name} is {right.pop(name)}",
                f"{signal.origin} gives {size}",
                f"Remove {name} (it is inferred), or set it to {size}.",
                type,
                remedy=drop(f".{name}"),
            )
        )
    channels = signal.shape[0]
    if type == "PReLU" and right.get("num_parameters", 1) not in (1, channels):
        found = f"num_parameters is {right.pop('num_parameters')}"
        fix = f"Remove num_parameters for one slope in all, or set it to {channels} for one a channel."
        expected = f"{signal.origin} gives {channels}"
        mistakes.append(Mistake("", found, expected, fix, type, remedy=drop(".num_parameters")))
    if "normalized_shape" in right:
        shape = sizes.per_dimension(as_tuples(right["normalized_shape"]), 1)
        if signal.shape[-len(shape) :] != shape:
            found = f"normalized_shape is {size_text(shape)}"
            fix = "Remove normalized_shape (it is inferred), or set it to the last dimensions of that."
            expected = f"{signal.origin} gives {size_text(signal.shape)}"
            mistakes.append(Mistake("", found, expected, fix, type, remedy=drop(".normalized_shape")))
            del right["normalized_shape"]
    vocabulary = facts.vocabulary_size
    if "num_embeddings" in right and vocabulary is not None and right["num_embeddings"] < vocabulary:
        found = f"num_embeddings is {right.pop('num_embeddings')}"
        fix = f"Remove num_embeddings (it is inferred), or set it to {vocabulary} or more."
        mistakes.append(Mistake("", found, f"the data has {vocabulary} tokens", fix, type))
    return mistakes, right


def _kind_after(type: str, signal: Signal, shape: tuple[int, ...], parameters: Mapping[str, Any]) -> Any:
    if type in ("Embedding", "EmbeddingBag"):
        return "sequence" if type == "Embedding" else "vector"
    if type in RECURRENT:
        return "sequence" if len(shape) == 2 else "vector"
    if type in ("AttentionPooling", "MeanPooling"):
        return "vector"
    if len(shape) != len(signal.shape):
        return LAID_OUT[len(shape)]
    if type == "Permute" and signal.kind in ("sequence", "signal") and as_tuples(parameters["dims"]) == (0, 2, 1):
        return "signal" if signal.kind == "sequence" else "sequence"
    return signal.kind


def _warnings(type: str, parameters: Mapping[str, Any], signal: Signal, facts: Facts) -> list[Mistake]:
    """What runs, but not as a person may think."""
    found = []
    if type in RECURRENT and parameters.get("dropout") and parameters.get("num_layers", 1) == 1:
        fix = "Set num_layers = 2, or put a Dropout layer after it instead."
        found.append(
            Mistake(
                ".dropout",
                "it does nothing",
                "it stands between stacked layers only",
                fix,
                type,
                "warning",
                remedy=put(2, "^.num_layers"),
            )
        )
    # Where a padded sequence is turned or laid out flat, what follows cannot tell padding from words.
    if facts.padded and signal.kind == "sequence" and type in ("Permute", "Flatten"):
        fix = 'Use an LSTM, GRU or RNN with output = "mean" instead, which never reads padding.'
        found.append(
            Mistake("", "what follows reads the padding too", "samples differ in length", fix, type, "warning")
        )
    return found
