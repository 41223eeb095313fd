"""Statistics of the first weights of a network, measured and by the formula of each initializer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.data.description import Description
from engine.experiment.document import Experiment, Layer, Model
from engine.experiment.tree import by_path
from engine.model.init_formulas import Expected, expected, uniform, with_zeros
from engine.model.initialization import EMBEDDINGS, has_weights, initializers_of, is_initialized, parts_of
from engine.model.network import build
from engine.model.selection import module_name
from engine.model.sequence_layers import POSITIONS_STD, PositionalEncoding

TORCHS_OWN = "torch's own"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightStatistics:
    """One tensor of weights at the start."""

    path: str
    """The path of the layer in the document."""
    type: str
    parameter: str
    """Its name in the layer: `weight`, `weight_hh_l0`."""
    shape: tuple[int, ...]
    initializer: str
    """Name in the catalog, or TORCHS_OWN."""
    mean: float
    std: float
    expected_mean: float | None
    """By the formula; None where there is none."""
    expected_std: float | None
    formula: str
    """Of the standard deviation."""


def init_statistics(experiment: Experiment, description: Description) -> tuple[WeightStatistics, ...]:
    """Build the network on the CPU with the experiment's seed, as a run does, and measure its weights.

    torch's generator keeps its state.

    Raises:
        Refused: the layers do not fit each other or the data.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(experiment.seed)
        network = build(experiment, description)
    found = []
    for path, layer in by_path(experiment.model.layers).items():
        if has_weights(layer.type):
            module = network.get_submodule(module_name(path))
            if isinstance(module, nn.ModuleList):
                module = module[0]  # the first of a Repeat's copies
            found += [
                _measured(path, layer, experiment.model, module, name, parameter)
                for name, parameter in module.named_parameters()
                if "weight" in name and is_initialized(name)
            ]
    return tuple(found)


@torch.no_grad()
def _measured(
    path: str, layer: Layer, model: Model, module: nn.Module, name: str, parameter: Tensor
) -> WeightStatistics:
    start = initializers_of(layer, model)
    choice = start.of(name)
    formula: Expected | None
    if choice is None:
        formula = _torchs_own(module, name, parameter)
    else:
        part = parts_of(module, start, name, parameter)[0]
        formula = expected(choice.type, choice.parameters, tuple(part.shape))
    if formula is not None and isinstance(module, EMBEDDINGS) and module.padding_idx is not None:
        formula = with_zeros(formula, 1 / module.num_embeddings)
    values = parameter.double()
    return WeightStatistics(
        path=path,
        type=layer.type,
        parameter=name,
        shape=tuple(parameter.shape),
        initializer=choice.type if choice is not None else TORCHS_OWN,
        mean=float(values.mean()),
        std=float(values.std(correction=0)),
        expected_mean=formula.mean if formula is not None else None,
        expected_std=formula.std if formula is not None else None,
        formula=formula.formula if formula is not None else "",
    )


def _torchs_own(module: nn.Module, name: str, weight: Tensor) -> Expected | None:
    """torch's defaults: a uniform distribution, except for embeddings and attention."""
    if isinstance(module, EMBEDDINGS):
        return Expected(0.0, 1.0, "1")
    if isinstance(module, PositionalEncoding):
        return Expected(0.0, POSITIONS_STD, f"{POSITIONS_STD:g}")
    if name.endswith("in_proj_weight"):
        return expected("xavier_uniform_", {}, tuple(weight.shape))
    if isinstance(module, nn.RNNBase):
        return uniform(module.hidden_size**-0.5, "√(1 / (3 · hidden_size))")
    if isinstance(module, nn.Bilinear):
        return uniform(module.in1_features**-0.5, "√(1 / (3 · in1_features))")
    fan_in = weight[0].numel()
    return uniform(fan_in**-0.5, "√(1 / (3 · fan_in))")
