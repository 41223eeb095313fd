"""The network that a document describes: torch's own layers, in its order."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from engine.catalog.losses import BY_TASK
from engine.data.description import Description
from engine.experiment.document import Experiment
from engine.experiment.mistakes import Refused
from engine.model.arguments import arguments, facts_of, layer_class, signal_of
from engine.model.init_mistakes import init_mistakes
from engine.model.initialise import initialise
from engine.model.permute import Permute
from engine.model.trace import trace


class Network(nn.Sequential):
    """Layers one after the other; those that read sequences are told how long each one is.

    Its weights are named by the layer's index, as in any nn.Sequential: `0.weight`, `3.weight_ih_l0`.
    """

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        super().__init__(*layers)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """From samples x (N, …), of which the first `lengths` (N,) steps count, to outputs (N, outputs)."""
        for layer in self._modules.values():
            if isinstance(layer, nn.RNNBase):
                x = layer(x, lengths)
            else:
                x = layer(x)
                if isinstance(layer, Permute):
                    lengths = None  # convolutions and pooling may follow, after which no step is where it was
        return x


def build(experiment: Experiment, description: Description) -> Network:
    """The network with its first weights, on the CPU.

    They follow from torch's generator as the caller left it: without an initializer they are, bit for bit, those of
    the same layers written by hand.

    Raises:
        Refused: the layers do not fit each other or the data.
    """
    loss = experiment.loss.type if experiment.loss.type != "auto" else BY_TASK[description.task]
    facts = facts_of(description, loss)
    signal = signal_of(description)
    layers = experiment.model.layers
    traced = trace(layers, signal, facts)
    shapes = {f"model.layers[{i}]": dict(result.shapes) for i, result in enumerate(traced)}
    found = [*(m for layer in traced for m in layer.mistakes), *init_mistakes(experiment.model, shapes)]
    mistakes = [m for m in found if m.severity == "error"]
    if mistakes:
        raise Refused(mistakes)
    modules = []
    for layer, result in zip(layers, traced, strict=True):
        modules.append(layer_class(layer.type)(**arguments(layer.type, layer.parameters, signal, facts)))
        assert result.signal is not None  # only a mistake leaves it open
        signal = result.signal
    for module, layer in zip(modules, layers, strict=True):
        initialise(module, layer, experiment.model)
    return Network(modules)
