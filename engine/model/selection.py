"""The modules and weights of a network that a document selects: by index, range, path or type; hidden matrices."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from torch import nn

from engine.experiment.paths import layer_range
from engine.model.containers import Chain, Concat, Repeat, Residual, Sequential
from engine.model.initialization import EMBEDDINGS
from engine.model.sequence_layers import PositionalEncoding

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
    """Every module that one of the names selects: an index or a path selects one, a range several, a type its class.

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


def modules_at(network: nn.Module, path: str) -> list[nn.Module]:
    """The modules of the layer at a path of the document: one, or all its copies inside a Repeat.

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


def hidden_matrices(network: nn.Module) -> list[nn.Parameter]:
    """Every weight matrix between the one that reads the data and the one that outputs the result.

    Embeddings and matrices with a single row or column are not among them. Of a recurrent layer that reads the data,
    the weights from state to state are hidden; those that read the data are not.

    Source: Jordan et al., 2024, https://kellerjordan.github.io/posts/muon/
    """
    ends = {id(parameter) for parameter in (*_at_the_input(network), *_at_the_output(network))}
    return [
        parameter
        for module in network.modules()
        if not isinstance(module, (*EMBEDDINGS, PositionalEncoding))
        for parameter in module.parameters(recurse=False)
        if parameter.ndim == 2 and min(parameter.shape) > 1 and id(parameter) not in ends
    ]


def _at_the_input(module: nn.Module) -> Sequence[nn.Parameter]:
    """The weights that read the input of the module; several where it has branches."""
    if isinstance(module, nn.RNNBase):
        return [weight for name, weight in module.named_parameters() if name.startswith("weight_ih_l0")]
    inside = _inside(module)
    if inside is None:
        return _matrices(module)[:1]
    return [weight for chain in inside for weight in next(filter(None, map(_at_the_input, chain)), ())]


def _at_the_output(module: nn.Module) -> Sequence[nn.Parameter]:
    """The weights that compute the output of the module."""
    inside = _inside(module)
    if inside is None:
        return _matrices(module)[-1:]
    return [weight for chain in inside for weight in next(filter(None, map(_at_the_output, reversed(list(chain)))), ())]


def _inside(module: nn.Module) -> list[Iterable[nn.Module]] | None:
    """The parallel chains of layers in a container; None for a layer that contains none."""
    if isinstance(module, Chain):
        return [module]
    if isinstance(module, Sequential):
        return [module.layers]
    if isinstance(module, Repeat):
        return [module.__dict__["chain"]]
    if isinstance(module, Residual):
        return [module.layers, module.shortcut]
    return list(module.branches) if isinstance(module, Concat) else None  # type: ignore[arg-type]


def _matrices(module: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.ndim >= 2]
