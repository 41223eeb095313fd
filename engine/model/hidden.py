"""The hidden weight matrices of a network: those between what reads the data and what gives the answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import nn

from engine.model.containers import Chain, Concat, Repeat, Residual, Sequential
from engine.model.initialise import EMBEDDINGS
from engine.model.transformer import PositionalEncoding


def hidden_matrices(network: nn.Module) -> list[nn.Parameter]:
    """Every weight of two dimensions that is no vector, in no embedding, and neither the first nor the last of them.

    Of a recurrent layer that reads the data, what leads from state to state is hidden; what reads the data is not.

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
    """The weights that read what the module gets; several where it has branches."""
    if isinstance(module, nn.RNNBase):
        return [weight for name, weight in module.named_parameters() if name.startswith("weight_ih_l0")]
    inside = _inside(module)
    if inside is None:
        return _matrices(module)[:1]
    return [weight for chain in inside for weight in next(filter(None, map(_at_the_input, chain)), ())]


def _at_the_output(module: nn.Module) -> Sequence[nn.Parameter]:
    """The weights that make what the module gives."""
    inside = _inside(module)
    if inside is None:
        return _matrices(module)[-1:]
    return [weight for chain in inside for weight in next(filter(None, map(_at_the_output, reversed(list(chain)))), ())]


def _inside(module: nn.Module) -> list[Iterable[nn.Module]] | None:
    """The chains of layers, side by side, that a container holds; None for a layer that holds none."""
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
