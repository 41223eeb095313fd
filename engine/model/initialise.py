"""What weights start as.

An initializer sets the weights of Linear, convolution, recurrent and embedding layers, and their biases to zero, as
the papers behind the initializers do (He et al., 2015; Glorot and Bengio, 2010). Norms keep torch's ones and zeros.
Without an initializer every layer keeps torch's own.
"""

from __future__ import annotations

import torch
from torch import nn

from engine.catalog import find
from engine.catalog.bind import torch_arguments
from engine.experiment.document import Choice, Layer

_INITIALIZED = frozenset({"Linear", "Conv1d", "Conv2d", "Embedding", "RNN", "LSTM", "GRU"})


def has_weights(type: str) -> bool:
    """Whether an initializer has something to set in a layer of that type."""
    return type in _INITIALIZED


@torch.no_grad()
def initialise(module: nn.Module, layer: Layer, of_the_model: Choice | None) -> None:
    """Set the weights of one layer by its own initializer, or else by the model's. Draws from torch's generator."""
    choice = layer.init or of_the_model
    if choice is None or not has_weights(layer.type):
        return
    set_ = find("initializers", choice.type).torch_class()
    given = torch_arguments(choice.parameters)
    for name, parameter in module.named_parameters():
        if name.startswith("weight"):
            set_(parameter, **given)
        else:
            parameter.zero_()
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        module.weight[module.padding_idx].zero_()
