"""Follow one sample through one layer without training: shapes, parameters, FLOPs, bytes, and every mistake.

The layer's spec in the catalog knows all of that. Layers are constructed on the `meta` device, where weights have a
shape but no memory, so a network of any size is traced in milliseconds. Results are cached, so that after an edit only
the changed layers are traced.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from torch import nn

from engine.catalog import SINGULAR
from engine.catalog.choices import TORCH_REFUSES, check_parameters
from engine.catalog.layers import layer_specs
from engine.catalog.layers.checks import wrong_input
from engine.catalog.layers.signal import DataFacts, Signal
from engine.catalog.layers.spec import Arguments, Figures, LayerSpec, size_before
from engine.experiment.document import Layer
from engine.experiment.mistakes import Mistake, drop, unknown_name
from engine.experiment.tree import CONTAINER_FIELDS
from engine.model.construct import arguments, construct_on_meta


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """One layer of the trace."""

    label: str
    signal: Signal | None = None
    """Its output; None where a mistake leaves it open."""
    parameters: int = 0
    frozen: int = 0
    """Those of the parameters that are not trained."""
    flops: int = 0
    """Of the forward pass of one sample, two for each multiply-and-add."""
    activation_bytes: int = 0
    """What autograd saves for the backward pass of one sample, in float32."""
    needs_two: bool = False
    """Whether training fails on a batch of one sample, because of a BatchNorm inside."""
    notes: tuple[str, ...] = ()
    """Sentences on what it does to its input or its weights by default."""
    mistakes: tuple[Mistake, ...] = ()
    shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """The shape of each of its parameters, by the parameter's name in the layer."""
    path: str = ""
    """The path of the layer in the document."""
    inside: tuple[Traced, ...] = ()
    """The layers in it, of all its branches; its own figures include theirs."""


def trace_leaf(layer: Layer, before: Signal | None, facts: DataFacts, path: str = "") -> Traced:
    """Trace a layer that contains no others."""
    found = _trace(layer.type, json.dumps(layer.parameters, default=repr), before, facts)
    mistakes = [replace(m, path=_under(path, m.path)) for m in found.mistakes]
    for name in CONTAINER_FIELDS:
        if getattr(layer, name) is not None:
            no_layers = f"{layer.type} cannot contain layers"
            mistakes.append(Mistake(f"{path}.{name}", no_layers, "", "Remove it.", layer.type, remedy=drop()))
    after = found.signal
    if after is not None and after.kind == "vector" and layer_specs()[layer.type].summarizes:
        after = replace(after, summarized_by=path)
    return replace(found, path=path, signal=after, mistakes=tuple(mistakes))


def _under(path: str, relative: str) -> str:
    return path + relative if relative.startswith((".", "[")) or not relative else f"{path}.{relative}"


@lru_cache(maxsize=4096)
def _trace(type: str, given_json: str, before: Signal | None, facts: DataFacts) -> Traced:
    """One layer; the paths of its mistakes are relative to it."""
    specs = layer_specs()
    if type not in specs:
        return Traced(label=type, mistakes=(unknown_name(".type", type, tuple(specs), SINGULAR["layers"]),))
    spec, given = specs[type], json.loads(given_json)
    checked = check_parameters(spec, given, "")
    unknown = spec.check_values(checked.parameters)
    label, mistakes = spec.label(given | checked.parameters), [*checked.mistakes, *unknown]
    if before is None:
        return _stopped(spec, label, before, mistakes)
    if (wrong := wrong_input(spec, before, facts)) is not None:
        mistake, fixed = wrong
        mistakes.append(mistake)
        if fixed is None:
            return _stopped(spec, label, before, mistakes)
        before = fixed
    if unknown or not checked.whole:
        return _stopped(spec, label, before, mistakes)
    contradictions, parameters = _contradictions(spec, checked.parameters, before, facts)
    mistakes += contradictions
    complete = arguments(spec, parameters, before, facts)
    label = spec.label(given | {n: v for n, v in complete.items() if n in given or n in checked.parameters})
    if (wrong_arguments := spec.check_arguments(complete, before)) is not None:
        return _stopped(spec, label, before, [*mistakes, replace(wrong_arguments, subject=type)])
    module = construct_on_meta(spec, parameters, complete)
    if isinstance(module, Mistake):
        return Traced(label=label, mistakes=(*mistakes, module))
    try:
        figures = _measure(spec, module, complete, before)
    except TORCH_REFUSES as error:
        reason = str(error).splitlines()[0].rstrip(".")
        refused = Mistake("", f"torch refuses {before}: {reason}", "", "Correct its parameters.", type)
        return Traced(label=label, mistakes=(*mistakes, refused))
    if isinstance(figures, Mistake):
        stopped = _stopped(spec, label, before, [*mistakes, replace(figures, subject=type)])
        return replace(stopped, parameters=_count(module), frozen=_count(module, frozen=True))
    warnings = [replace(warning, subject=type) for warning in spec.warnings(parameters, before, facts)]
    return Traced(
        label=label,
        signal=before.of(figures.shape, figures.kind),
        parameters=_count(module),
        frozen=_count(module, frozen=True),
        flops=figures.flops,
        activation_bytes=figures.saved_bytes,
        needs_two=figures.needs_two,
        notes=figures.notes,
        mistakes=(*mistakes, *warnings),
        shapes=tuple((name, tuple(parameter.shape)) for name, parameter in module.named_parameters()),
    )


def _stopped(spec: LayerSpec, label: str, before: Signal | None, mistakes: Sequence[Mistake]) -> Traced:
    """A layer with a mistake; its output is known where it has the shape of the input."""
    after = before.of(before.shape) if before is not None and spec.keeps_shape else None
    return Traced(label=label, signal=after, mistakes=tuple(mistakes))


def _contradictions(
    spec: LayerSpec, parameters: dict[str, Any], before: Signal, facts: DataFacts
) -> tuple[list[Mistake], dict[str, Any]]:
    """Parameters that contradict the input or the data; and the other parameters."""
    right, mistakes = dict(parameters), []
    name, size = spec.size_parameter, size_before(before)
    if name in right and right[name] != size:
        found, expected = f"{name} is {right.pop(name)}", f"{before.origin} gives {size}"
        fix = f"Remove {name} (it is inferred), or set it to {size}."
        mistakes.append(Mistake("", found, expected, fix, spec.name, remedy=drop(f".{name}")))
    for name, mistake in spec.contradictions(parameters, before, facts):
        del right[name]
        mistakes.append(replace(mistake, subject=spec.name))
    return mistakes, right


def _measure(spec: LayerSpec, module: nn.Module, complete: Arguments, before: Signal) -> Figures | Mistake:
    if spec.measure is not None:
        return spec.measure(module, complete, before)
    if (wrong := spec.check_module(module, before)) is not None:
        return wrong
    shape = spec.output_shape(module, before.shape)
    return Figures(
        shape=shape,
        kind=spec.output_kind(module, before, shape),
        flops=spec.flops(module, before.shape, shape),
        saved_bytes=spec.saved_bytes(module, before.shape, shape),
    )


def _count(module: nn.Module, *, frozen: bool = False) -> int:
    """The parameters of a module, or those that are not trained."""
    return sum(p.numel() for p in module.parameters() if not (frozen and p.requires_grad))
