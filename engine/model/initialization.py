"""The first weights of a network.

An initializer sets every weight matrix and kernel, those inside a TransformerEncoder or an AttentionPooling too, and
sets the biases to zero, as the papers of the initializers do (He et al., 2015; Glorot and Bengio, 2010). Norms keep
torch's ones and zeros. Without an initializer, weights keep torch's defaults. The initializer of a layer has priority
over that of its type, and that over the model's.

A torchvision network keeps torchvision's first weights, or its published ones: only the layer's own initializer sets
the Linear and convolution layers in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.catalog import find
from engine.catalog.bind import torch_arguments
from engine.catalog.layers import layer_specs
from engine.catalog.layers.pretrained import BACKBONE
from engine.experiment.document import Choice, Layer, Model

EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)
_GATES = {nn.LSTM: 4, nn.GRU: 3}
NO_MODEL = Model(layers=(Layer(type="Identity"),))
"""A model without initializers."""


def has_weights(type: str) -> bool:
    """Whether a layer of that type has weights that initializers set."""
    return type in layer_specs() and "init" in layer_specs()[type].initializers


def is_initialized(parameter: str) -> bool:
    """Whether initializers set a parameter, by its name in the layer: they do not set those of norms inside it.

    >>> is_initialized("layers.0.linear1.weight"), is_initialized("layers.0.norm1.weight")
    (True, False)
    """
    return not any(part.startswith("norm") for part in parameter.split("."))


@dataclass(frozen=True, slots=True)
class Initializers:
    """The initializers of one layer; None where torch's default is kept."""

    weights: Choice | None
    recurrent: Choice | None
    """Of the weights from state to state, each gate's matrix separately; None where `weights` sets them."""
    biases: Choice | None
    forget_bias: float | None

    def of(self, parameter: str) -> Choice | None:
        """The initializer of a parameter, by its name in the layer; None where torch's default is kept."""
        if "bias" in parameter:
            return self.biases
        return (self.recurrent if parameter.startswith("weight_hh") else None) or self.weights


def initializers_of(layer: Layer, model: Model) -> Initializers:
    """The initializers of a layer, from its own fields, those of its type and those of the model."""
    weights = layer.init or (model.init_by_type or {}).get(layer.type) or model.init
    return Initializers(
        weights=weights,
        recurrent=layer.recurrent_init or model.recurrent_init,
        biases=layer.bias_init or model.bias_init or (Choice(type="zeros_") if weights is not None else None),
        forget_bias=layer.forget_bias if layer.forget_bias is not None else model.forget_bias,
    )


@torch.no_grad()
def initialize(module: nn.Module, layer: Layer, model: Model) -> None:
    """Set the weights and biases of one layer. Draws from torch's generator."""
    if layer.type == BACKBONE:
        _initialize_backbone(module, layer)
        return
    if not has_weights(layer.type):
        return
    start = initializers_of(layer, model)
    for name, parameter in module.named_parameters():
        choice = start.of(name)
        if choice is None or not is_initialized(name):
            continue
        initializer = find("initializers", choice.type).torch_class()
        for part in parts_of(module, start, name, parameter):
            initializer(part, **torch_arguments(choice.parameters))
    if isinstance(module, EMBEDDINGS) and module.padding_idx is not None and start.weights is not None:
        module.weight[module.padding_idx].zero_()
    if isinstance(module, nn.LSTM) and start.forget_bias is not None:
        _set_forget_bias(module, start.forget_bias)


def _initialize_backbone(backbone: nn.Module, layer: Layer) -> None:
    """Set the layers in a torchvision network, where its own fields have an initializer."""
    start = initializers_of(layer, NO_MODEL)
    for module in backbone.modules():
        if isinstance(module, (nn.Linear, nn.modules.conv._ConvNd)):
            for name, parameter in module.named_parameters():
                choice = start.of(name)
                if choice is not None:
                    find("initializers", choice.type).torch_class()(parameter, **torch_arguments(choice.parameters))


def parts_of(module: nn.Module, start: Initializers, name: str, parameter: Tensor) -> tuple[Tensor, ...]:
    """The matrices of a parameter that are initialized separately: one, except in attention and with `recurrent_init`.

    torch stacks the gates of an LSTM or GRU, and the matrices of queries, keys and values. An orthogonal stack would
    leave none of these matrices orthogonal.
    """
    if name.endswith("in_proj_weight"):
        return parameter.chunk(3)
    if not name.startswith("weight_hh") or start.recurrent is None:
        return (parameter,)
    gates = next((count for cls, count in _GATES.items() if isinstance(module, cls)), 1)
    return parameter.chunk(gates)


def _set_forget_bias(lstm: nn.LSTM, value: float) -> None:
    """Set the bias of the forget gate to `value`, so that the cell remembers at the start.

    torch adds two biases: one gets the value and the other 0. Its gates are in the order input, forget, cell, output.
    Source: Jozefowicz et al., 2015, https://proceedings.mlr.press/v37/jozefowicz15.html
    """
    for name, parameter in lstm.named_parameters():
        if name.startswith("bias_"):
            parameter[lstm.hidden_size : 2 * lstm.hidden_size] = value if name.startswith("bias_ih") else 0.0
