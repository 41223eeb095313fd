"""The modules of a network that a layer of the plan became."""

from __future__ import annotations

from torch import nn

from engine.model.selection import module_name


def modules_at(network: nn.Module, path: str) -> list[nn.Module]:
    """The modules of the layer at a path of the document: one, or all its copies where a Repeat holds it.

    Raises:
        AttributeError: there is no layer at that path.
    """
    found = [network]
    for name in module_name(path).split("."):
        inner = [module.get_submodule(name) for module in found]
        # A number that leads to a list leads to the copies of one layer.
        copies = [isinstance(module, nn.ModuleList) and name.isdigit() for module in inner]
        found = [
            m for module, many in zip(inner, copies, strict=True) for m in (module.children() if many else [module])
        ]
    return found
