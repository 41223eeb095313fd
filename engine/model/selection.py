"""Layers that a document names, as modules of its network: by index, by path, or by type."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import nn

from engine.experiment.document import Layer

_PATH = re.compile(r"(?:model\.)?layers\[\d+\](?:\.\w+\[\d+\])*")


def is_path(name: str) -> bool:
    """Whether a name is a path of the document, as `model.layers[4]` or `model.layers[4].layers[0]`."""
    return _PATH.fullmatch(name) is not None


def module_name(path: str) -> str:
    """The name in the network of the layer at a path of the document.

    >>> module_name("model.layers[4]"), module_name("model.layers[4].layers[0]")
    ('4', '4.layers.0')
    """
    return re.sub(r"\[(\d+)\]", r".\1", path).removeprefix("model.").removeprefix("layers.")


def modules_named(network: nn.Module, names: Iterable[str | int]) -> list[nn.Module]:
    """Every module that one of the names means: an index or a path means one, a type all of that class.

    Raises:
        AttributeError: there is no layer at a path.
    """
    found: dict[int, nn.Module] = {}
    for name in names:
        if isinstance(name, int) or is_path(name):
            modules = [network.get_submodule(str(name) if isinstance(name, int) else module_name(name))]
        else:
            modules = [module for module in network.modules() if type(module).__name__ == name]
        found |= {id(module): module for module in modules}
    return list(found.values())


def layers_by_path(layers: Sequence[Any], above: str = "model.layers") -> dict[str, Layer]:
    """Every layer of a document by its path, those too that lie in other layers."""
    found: dict[str, Layer] = {}
    for index, layer in enumerate(layers):
        if isinstance(layer, str) or (isinstance(layer, Mapping) and "type" in layer):
            layer = Layer.model_validate(layer)
        if not isinstance(layer, Layer):
            continue
        path = f"{above}[{index}]"
        found[path] = layer
        for name, inner in layer:
            if isinstance(inner, (list, tuple)):
                found |= layers_by_path(inner, f"{path}.{name}")
    return found
