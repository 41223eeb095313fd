"""The network that a document describes: torch's own layers, in its order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from torch import nn

from engine.catalog.layers import layer_specs
from engine.catalog.layers.signal import DataFacts, Signal
from engine.catalog.losses import BY_TASK
from engine.data.description import Description
from engine.experiment.document import Experiment, Layer
from engine.experiment.mistakes import Refused
from engine.model.construct import arguments, construct, construct_on_meta, facts_of, signal_of
from engine.model.containers import CONTAINERS, Chain, Concat, Repeat, Residual, Sequential
from engine.model.initialization import initialize
from engine.model.trace import trace_leaf
from engine.model.trace_tree import everything, join_dim, joined, projection, trace

T = TypeVar("T")


class Network(Chain):
    """The whole network: its layers one after the other."""


def build(experiment: Experiment, description: Description) -> Network:
    """Build the network with its first weights, on the CPU.

    Weights are drawn from torch's generator as the caller left it: without an initializer they are, bit for bit, those
    of the same layers written by hand.

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
        initialize(module, layer, experiment.model)
    return Network(modules)


def skeleton(experiment: Experiment, description: Description) -> Network:
    """Build the network on the `meta` device, for its modules and shapes; its layers must have no mistakes."""
    builder = _Builder(_facts(experiment, description), on_meta=True)
    modules, _ = builder.chain(experiment.model.layers, signal_of(description))
    return Network(modules)


def _facts(experiment: Experiment, description: Description) -> DataFacts:
    loss = experiment.loss.type if experiment.loss.type != "auto" else BY_TASK[description.task]
    return facts_of(description, loss)


class _Builder:
    """Builds the modules of layers without mistakes, and lists those that contain no others in the order built."""

    def __init__(self, facts: DataFacts, *, on_meta: bool = False) -> None:
        self.facts = facts
        self.on_meta = on_meta
        self.leaves: list[tuple[nn.Module, Layer]] = []

    def chain(self, layers: Sequence[Layer], signal: Signal) -> tuple[list[nn.Module], Signal]:
        """The modules of one list of layers, and the output of the last one."""
        modules = []
        for layer in layers:
            module, signal = self.container(layer, signal) if layer.type in CONTAINERS else self.leaf(layer, signal)
            modules.append(module)
        return modules, signal

    def leaf(self, layer: Layer, signal: Signal) -> tuple[nn.Module, Signal]:
        if self.on_meta:
            spec = layer_specs()[layer.type]
            given = arguments(spec, layer.parameters, signal, self.facts)
            found = construct_on_meta(spec, given, given)
            module = _known(found if isinstance(found, nn.Module) else None)
        else:
            module = construct(layer.type, layer.parameters, signal, self.facts)
        self.leaves.append((module, layer))
        return module, _known(trace_leaf(layer, signal, self.facts).signal)

    def container(self, layer: Layer, signal: Signal) -> tuple[nn.Module, Signal]:
        if layer.type == "Concat":
            branches = [self.chain(branch, signal) for branch in layer.branches or ()]
            together = _known(joined([after for _, after in branches]))
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
            shortcut = (_known(projection(signal, after)),)
        return Residual(body, self.chain(shortcut, signal)[0], layer.parameters.get("drop_path", 0.0)), after


def _known(value: T | None) -> T:
    """A value that only a mistake leaves open: the caller has traced the layers, and found none.

    Raises:
        ValueError: there is a mistake.
    """
    if value is None:
        raise ValueError("the layers do not fit each other or the data")
    return value
