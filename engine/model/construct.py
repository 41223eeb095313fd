"""From a layer of the document to its module: the arguments, given or inferred, and the class."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cache
from inspect import signature
from typing import Any

from torch import nn

from engine.catalog.choices import TORCH_REFUSES, blame
from engine.catalog.layers import layer_specs
from engine.catalog.layers.signal import DataFacts, Signal
from engine.catalog.layers.spec import LayerSpec, size_before
from engine.catalog.losses import ONE_OUTPUT
from engine.catalog.value_types import as_tuples
from engine.data.description import Description
from engine.experiment.mistakes import Mistake


def facts_of(description: Description, loss: str) -> DataFacts:
    """What layers need to know of the data and the loss. One output is enough for two classes with some losses."""
    outputs = description.outputs
    if description.task == "classification":
        wants = f"the data has {outputs} classes"
        if loss in ONE_OUTPUT and outputs == 2:
            outputs, wants = 1, f"{loss} distinguishes two classes with one output"
    elif description.task == "language modelling":
        wants = f"each of the {description.input_shape[0]} steps needs scores of {outputs} {description.token}s"
    else:
        wants = f"the data has {outputs} {'target' if outputs == 1 else 'targets'}"
    return DataFacts(
        outputs=outputs,
        steps=description.input_shape[0] if description.task == "language modelling" else None,
        wants=wants,
        vocabulary_size=description.vocabulary_size,
        padded=description.has_lengths,
        rows_parameter=_reads_rows(description.source),
        one_of_two="BCEWithLogitsLoss" if description.task == "classification" and outputs == 2 else "",
    )


def _reads_rows(source: str) -> bool:
    from engine.data.sources import SOURCES

    declaration = SOURCES.get(source)
    return declaration is not None and "as_rows" in declaration.model_fields


def signal_of(description: Description) -> Signal:
    """The input of the first layer."""
    return Signal(shape=description.input_shape, kind=description.input_kind, origin="the data")


def arguments(spec: LayerSpec, given: Mapping[str, Any], before: Signal, facts: DataFacts) -> dict[str, Any]:
    """The arguments of a layer for its input, inferred ones included."""
    found = {name: as_tuples(value) for name, value in given.items()}
    if found.get(spec.auto_parameter) == "auto":
        found[spec.auto_parameter] = facts.outputs
    if spec.size_parameter:
        found.setdefault(spec.size_parameter, size_before(before))
    return spec.constructor(spec.infer(before, facts) | found)


def construct(type: str, given: Mapping[str, Any], before: Signal, facts: DataFacts) -> nn.Module:
    """The module of a layer that fits its input, with its first weights."""
    spec = layer_specs()[type]
    module: nn.Module = spec.module_class()(**arguments(spec, given, before, facts))
    return module


def construct_on_meta(spec: LayerSpec, given: Mapping[str, Any], complete: dict[str, Any]) -> nn.Module | Mistake:
    """The module on the `meta` device, without memory, or the mistake that torch reports.

    Args:
        given: the arguments in the document.
        complete: the same with inferred ones.
    """
    cls = spec.module_class()
    device = {"device": "meta"} if _takes_device(cls) else {}

    def attempt(**parameters: Any) -> nn.Module:
        module: nn.Module = cls(**parameters, **device, **spec.meta_arguments(parameters))
        return module

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return attempt(**complete)
        except TORCH_REFUSES as error:
            inferred = {name: value for name, value in complete.items() if name not in given}

            def with_inferred(**parameters: Any) -> nn.Module:
                return attempt(**(inferred | parameters))

            return blame(spec, given, error, with_inferred, "")


@cache
def _takes_device(cls: type[nn.Module]) -> bool:
    return "device" in signature(cls).parameters
