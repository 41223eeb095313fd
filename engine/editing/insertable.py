"""Which layers can be inserted into a model, and the input at a position."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.catalog.layers import layer_specs
from engine.catalog.layers.signal import DataFacts, Signal
from engine.editing.choices import new_choice
from engine.editing.text import Span
from engine.experiment.document import Experiment, Layer
from engine.experiment.paths import parse_path
from engine.model.trace_tree import chain, everything
from engine.plan import known_facts


def insertion_problems(experiment: Experiment, at: Span) -> Mapping[str, str]:
    """For each layer of the catalog by name, why it cannot be inserted before `at.start`; empty if it can.

    A layer is tried with its first parameters (`new_choice`). With an unknown input, every layer can be inserted.
    """
    signal, facts = known_facts(experiment)
    signal = _signal_before(experiment, signal, facts, at)
    problems: dict[str, str] = {}
    for name in layer_specs():
        layer = Layer.model_validate(new_choice("layers", name))
        (traced,) = chain([layer], signal, facts, ())
        wrong = [m for each in everything([traced]) for m in each.mistakes if m.severity == "error"]
        problems[name] = "; ".join(filter(None, (wrong[0].found, wrong[0].expected))) if wrong and signal else ""
    return problems


def input_text(experiment: Experiment, at: Span) -> str:
    """The input at a position, in words: `images of 16×8×8`; empty if it is unknown."""
    signal, facts = known_facts(experiment)
    before = _signal_before(experiment, signal, facts, at)
    return str(before) if before is not None else ""


def _signal_before(experiment: Experiment, signal: Signal | None, facts: DataFacts, at: Span) -> Signal | None:
    """The input at a position, traced through the layers before it and around it."""
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
