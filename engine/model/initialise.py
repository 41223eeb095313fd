"""What weights start as.

An initializer sets every weight matrix and kernel, those inside of a TransformerEncoder or an AttentionPooling too, and
the biases to zero, as the papers behind the initializers do (He et al., 2015; Glorot and Bengio, 2010). Norms keep
torch's ones and zeros. What is left out keeps torch's own. A layer's own initializer comes before its type's, and that
before the model's.

A network of torchvision keeps torchvision's own start, or its published weights: only an initializer of its own sets
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
"""One that says nothing of how weights start."""


def has_weights(type: str) -> bool:
    """Whether an initializer has something to set in a layer of that type."""
    return type in layer_specs() and "init" in layer_specs()[type].initializers


def is_initialised(parameter: str) -> bool:
    """Whether initializers set the parameter of that name in its layer: not what a norm inside of it learns.

    >>> is_initialised("layers.0.linear1.weight"), is_initialised("layers.0.norm1.weight")
    (True, False)
    """
    return not any(part.startswith("norm") for part in parameter.split("."))


@dataclass(frozen=True, slots=True)
class Start:
    """What one layer starts as; None where torch's own is kept."""

    weights: Choice | None
    recurrent: Choice | None
    """Of the weights from state to state, each gate's matrix by itself; None: they start as `weights` does."""
    biases: Choice | None
    forget_bias: float | None

    def of(self, parameter: str) -> Choice | None:
        """The initializer of a parameter, by its name in the layer; None where torch's own is kept."""
        if "bias" in parameter:
            return self.biases
        return (self.recurrent if parameter.startswith("weight_hh") else None) or self.weights


def start_of(layer: Layer, model: Model) -> Start:
    """What a layer of a model starts as, all that is said about it taken together."""
    weights = layer.init or (model.init_by_type or {}).get(layer.type) or model.init
    return Start(
        weights=weights,
        recurrent=layer.recurrent_init or model.recurrent_init,
        biases=layer.bias_init or model.bias_init or (Choice(type="zeros_") if weights is not None else None),
        forget_bias=layer.forget_bias if layer.forget_bias is not None else model.forget_bias,
    )


@torch.no_grad()
def initialise(module: nn.Module, layer: Layer, model: Model) -> None:
    """Set the weights and biases of one layer. Draws from torch's generator."""
    if layer.type == BACKBONE:
        _initialise_inside(module, layer)
        return
    if not has_weights(layer.type):
        return
    start = start_of(layer, model)
    for name, parameter in module.named_parameters():
        choice = start.of(name)
        if choice is None or not is_initialised(name):
            continue
        set_ = find("initializers", choice.type).torch_class()
        for part in parts_of(module, start, name, parameter):
            set_(part, **torch_arguments(choice.parameters))
    if isinstance(module, EMBEDDINGS) and module.padding_idx is not None and start.weights is not None:
        module.weight[module.padding_idx].zero_()
    if isinstance(module, nn.LSTM) and start.forget_bias is not None:
        _set_forget_bias(module, start.forget_bias)


def _initialise_inside(backbone: nn.Module, layer: Layer) -> None:
    """Set what a network of torchvision is made of, where the layer says how."""
    start = start_of(layer, NO_MODEL)
    for module in backbone.modules():
        if isinstance(module, (nn.Linear, nn.modules.conv._ConvNd)):
            for name, parameter in module.named_parameters():
                choice = start.of(name)
                if choice is not None:
                    find("initializers", choice.type).torch_class()(parameter, **torch_arguments(choice.parameters))


def parts_of(module: nn.Module, start: Start, name: str, parameter: Tensor) -> tuple[Tensor, ...]:
    """The matrices of a parameter that are initialised each by itself: one, but for attention and a `recurrent_init`.

    torch stacks the gates of an LSTM or GRU, and what makes queries, keys and values of a step; orthogonal as a whole
    would leave none of these matrices orthogonal.
    """
    if name.endswith("in_proj_weight"):
        return parameter.chunk(3)
    if not name.startswith("weight_hh") or start.recurrent is None:
        return (parameter,)
    gates = next((count for cls, count in _GATES.items() if isinstance(module, cls)), 1)
    return parameter.chunk(gates)


def _set_forget_bias(lstm: nn.LSTM, value: float) -> None:
    """Let the bias of the forget gate begin at `value`, so that the cell begins by remembering.

    torch adds two biases, of which one gets the value and the other 0. Its gates are in the order input, forget, cell,
    output. Source: Jozefowicz et al., 2015, https://proceedings.mlr.press/v37/jozefowicz15.html
    """
    for name, parameter in lstm.named_parameters():
        if name.startswith("bias_"):
            parameter[lstm.hidden_size : 2 * lstm.hidden_size] = value if name.startswith("bias_ih") else 0.0
