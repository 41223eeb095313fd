"""Which layers can stand at a place of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.catalog.layers import layer_specs
from engine.catalog.layers.signal import DataFacts, Signal
from engine.editing.beginnings import beginning
from engine.editing.text import Span
from engine.experiment.document import Experiment, Layer
from engine.experiment.overrides import parse_path
from engine.model.trace_tree import chain, everything
from engine.plan import known_facts


def fitting(experiment: Experiment, at: Span) -> Mapping[str, str]:
    """Every layer of the catalog by its name, with why it cannot stand before `at.start`; empty where it can.

    A layer is tried with what it begins with. Where it is not known what comes in, every layer can stand.
    """
    signal, facts = known_facts(experiment)
    signal = _signal_before(experiment, signal, facts, at)
    found: dict[str, str] = {}
    for name in layer_specs():
        layer = Layer.model_validate(beginning("layers", name))
        (traced,) = chain([layer], signal, facts, ())
        wrong = [m for each in everything([traced]) for m in each.mistakes if m.severity == "error"]
        found[name] = ", ".join(filter(None, (wrong[0].found, wrong[0].expected))) if wrong and signal else ""
    return found


def shape_before(experiment: Experiment, at: Span) -> str:
    """What comes in there, in words: `images of 16×8×8`; empty where that is not known."""
    signal, facts = known_facts(experiment)
    before = _signal_before(experiment, signal, facts, at)
    return str(before) if before is not None else ""


def _signal_before(experiment: Experiment, signal: Signal | None, facts: DataFacts, at: Span) -> Signal | None:
    """What the layer at a place gets, from the layers before it and around it."""
    steps = parse_path(at.list) or []
    layers = experiment.model.layers
    rest = steps[2:]
    while rest:
        index, field = rest[0], rest[1]
        assert isinstance(index, int) and isinstance(field, str)
        signal = _after(layers[:index], signal, facts)
        inside: Any = getattr(layers[index], field) or ()
        rest = rest[2:]
        if field == "branches":
            branch, *rest = rest
            assert isinstance(branch, int)
            inside = inside[branch]
        layers = inside
    return _after(layers[: at.start], signal, facts)


def _after(layers: tuple[Layer, ...], signal: Signal | None, facts: DataFacts) -> Signal | None:
    traced = list(chain(layers, signal, facts, ()))
    return traced[-1].signal if traced else signal
