"""The model stage: every layer traced on the `meta` device."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from engine.catalog.layers.signal import DataFacts, Signal
from engine.data.description import Description
from engine.data.settling import known_data
from engine.experiment.document import Experiment
from engine.experiment.tree import Place, walk
from engine.model.construct import facts_of, signal_of
from engine.model.trace import Traced
from engine.model.trace_tree import everything, trace
from engine.plan.context import CheckContext
from engine.plan.rules.registry import checked

_UNKNOWN = DataFacts(outputs=0, wants="", vocabulary_size=None, padded=False, rows_parameter=False)
_STILL_TRACED = re.compile(r"\d|\.(?:init|recurrent_init|bias_init|forget_bias|(?:layers|shortcut|branches)\b)")
"""What follows a layer's path in a mistake that does not keep the layer from being traced."""


def model(context: CheckContext) -> CheckContext:
    """Trace the layers: shapes, parameters, FLOPs, and what keeps them from fitting each other."""
    places = tuple(walk(context.experiment.model.layers))
    outermost = _traced(context, places)
    layers = tuple(everything(outermost))
    context = replace(
        context,
        places=places,
        by_path={place.path: place.layer for place in places},
        outermost=outermost,
        layers=layers,
        signals={layer.path: layer.signal for layer in layers},
        needs_two=frozenset(layer.path for layer in layers if layer.needs_two),
        mistakes=(*context.mistakes, *(mistake for layer in layers for mistake in layer.mistakes)),
    )
    return checked("model", context)


def _traced(context: CheckContext, places: Sequence[Place]) -> tuple[Traced, ...]:
    """The layers traced; a layer with a mistake of form is left out, and leaves open what follows it."""
    of_form = context.draft.mistakes
    if any(m.path in ("model", "model.layers") for m in of_form):
        return ()
    left_out = {
        place.path
        for place in places
        for m in of_form
        if m.severity == "error"
        and m.path.startswith(place.path)
        and not _STILL_TRACED.match(m.path[len(place.path) :])
    }
    signal, facts = _signal_and_facts(context.description, context.experiment.loss.type)
    return trace(context.experiment.model.layers, signal, facts, left_out)


def _signal_and_facts(description: Description | None, loss: str) -> tuple[Signal | None, DataFacts]:
    return (None, _UNKNOWN) if description is None else (signal_of(description), facts_of(description, loss))


def known_facts(experiment: Experiment) -> tuple[Signal | None, DataFacts]:
    """The input of an experiment's network, None where its data is not available, and facts that layers depend on."""
    return _signal_and_facts(known_data(experiment).description, experiment.loss.type)
