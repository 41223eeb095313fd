"""Layers that a document names, as modules of its network: by index, by range, by path, or by type."""

from __future__ import annotations

import re
from collections.abc import Iterable

from torch import nn

from engine.experiment.layer_names import layer_range

_PATH = re.compile(r"(?:model\.)?layers\[\d+\](?:\.\w+(?:\[\d+\])+)*")


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
    """Every module that one of the names means: an index or a path means one, a range several, a type all of its class.

    Raises:
        AttributeError: there is no layer at a path.
    """
    found: dict[int, nn.Module] = {}
    for name in names:
        if (span := layer_range(name)) is not None:
            modules = [network.get_submodule(module_name(path)) for path in span.paths]
        elif isinstance(name, int) or is_path(name):
            modules = [network.get_submodule(str(name) if isinstance(name, int) else module_name(name))]
        else:
            modules = [module for module in network.modules() if type(module).__name__ == name]
        found |= {id(module): module for module in modules}
    return list(found.values())
