"""The network that a document describes: torch's own layers, in its order."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from engine.catalog.losses import BY_TASK
from engine.data.description import Description
from engine.experiment.document import Experiment, Layer
from engine.experiment.mistakes import Refused
from engine.model.arguments import Facts, arguments, facts_of, layer_class, signal_of
from engine.model.containers import CONTAINERS, Chain, Concat, Repeat, Residual, Sequential
from engine.model.initialise import initialise
from engine.model.projection import projection
from engine.model.signal import Signal
from engine.model.trace import construct_on_meta, trace_leaf
from engine.model.trace_tree import everything, join_dim, joined, trace


class Network(Chain):
    """The whole network: its layers one after the other."""


def build(experiment: Experiment, description: Description) -> Network:
    """The network with its first weights, on the CPU.

    They follow from torch's generator as the caller left it: without an initializer they are, bit for bit, those of
    the same layers written by hand.

    Raises:
        Refused: the layers do not fit each other or the data.
    """
    facts, signal = _facts(experiment, description), signal_of(description)
    layers = experiment.model.layers
    traced = everything(trace(layers, signal, facts))
    mistakes = [m for t in traced for m in t.mistakes if m.severity == "error"]
    if mistakes:
        raise Refused(mistakes)
    builder = _Builder(facts)
    modules, _ = builder.chain(layers, signal)
    for module, layer in builder.leaves:
        initialise(module, layer, experiment.model)
    return Network(modules)


def skeleton(experiment: Experiment, description: Description) -> Network:
    """The same network on the `meta` device, for its modules and shapes; its layers fit each other and the data."""
    builder = _Builder(_facts(experiment, description), on_meta=True)
    modules, _ = builder.chain(experiment.model.layers, signal_of(description))
    return Network(modules)


def _facts(experiment: Experiment, description: Description) -> Facts:
    loss = experiment.loss.type if experiment.loss.type != "auto" else BY_TASK[description.task]
    return facts_of(description, loss)


class _Builder:
    """Makes the modules of layers that have been found to fit; and lists those that hold no others, as made."""

    def __init__(self, facts: Facts, *, on_meta: bool = False) -> None:
        self.facts = facts
        self.on_meta = on_meta
        self.leaves: list[tuple[nn.Module, Layer]] = []

    def chain(self, layers: Sequence[Layer], signal: Signal) -> tuple[list[nn.Module], Signal]:
        """The modules of one list of layers, and what the last one hands on."""
        modules = []
        for layer in layers:
            module, signal = self.container(layer, signal) if layer.type in CONTAINERS else self.leaf(layer, signal)
            modules.append(module)
        return modules, signal

    def leaf(self, layer: Layer, signal: Signal) -> tuple[nn.Module, Signal]:
        given = arguments(layer.type, layer.parameters, signal, self.facts)
        module = construct_on_meta(layer.type, given, given) if self.on_meta else layer_class(layer.type)(**given)
        assert isinstance(module, nn.Module)  # only a mistake is none
        self.leaves.append((module, layer))
        after = trace_leaf(layer, signal, self.facts).signal
        assert after is not None  # only a mistake leaves it open
        return module, after

    def container(self, layer: Layer, signal: Signal) -> tuple[nn.Module, Signal]:
        if layer.type == "Concat":
            branches = [self.chain(branch, signal) for branch in layer.branches or ()]
            together = joined([after for _, after in branches])
            assert together is not None
            return Concat([modules for modules, _ in branches], dim=1 + join_dim(together)), together
        if layer.type == "Repeat":
            copies = []
            for _ in range(layer.parameters.get("times", 1)):
                modules, signal = self.chain(layer.layers or (), signal)
                copies.append(modules)
            return Repeat(copies), signal
        body, after = self.chain(layer.layers or (), signal)
        if layer.type == "Sequential":
            return Sequential(body, name=layer.parameters.get("name", "")), after
        shortcut = layer.shortcut or ()
        if layer.shortcut is None and signal.shape != after.shape:
            made = projection(signal, after)
            assert made is not None
            shortcut = (made,)
        return Residual(body, self.chain(shortcut, signal)[0], layer.parameters.get("drop_path", 0.0)), after
