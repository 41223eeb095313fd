"""Any layers at all: either there is a mistake, or the network can be built, run and trained a step."""

from __future__ import annotations

import os
import warnings
from typing import Any

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import AUTO, experiment, images, sequences, texts, traced, vectors

from engine.catalog import catalog
from engine.catalog.layers import layer_specs
from engine.catalog.value_types import holds
from engine.data.description import Description
from engine.model import build
from engine.model.containers import CONTAINERS
from engine.model.trace_tree import everything

EXAMPLES = 2000 if os.environ.get("TORCHDECK_THOROUGH") else 120

VALUES = st.one_of(
    st.integers(-1, 6),
    st.integers(1, 3),
    st.sampled_from(
        [0.0, 0.3, 2.0, True, False, "same", "reflect", "circular", "last", "mean", "sequence", "auto", "x"]
    ),
    st.lists(st.integers(0, 4), max_size=3),
)
ENTRIES = {name: entry for name, entry in catalog("layers").items() if name not in CONTAINERS}


@st.composite
def layer(draw: Any, kind: str) -> dict[str, Any]:
    """A layer that takes what comes, as a rule; with parameters of any kind, now and then."""
    fitting = [entry for name, entry in ENTRIES.items() if kind in layer_specs()[name].accepts]
    entry = draw(st.sampled_from(fitting if fitting and draw(st.integers(0, 9)) else list(ENTRIES.values())))
    chosen: dict[str, Any] = {"type": entry.name}
    for name, parameter in entry.parameters.items():
        if parameter.required:
            chosen[name] = draw(st.sampled_from([[0, 2, 1], [0, 1, 2, 3]]) if name == "dims" else st.integers(1, 4))
        elif draw(st.integers(0, 7)) == 0:
            held = VALUES.filter(lambda value, parameter=parameter: holds(parameter.annotation, value))
            chosen[name] = draw(held if draw(st.integers(0, 9)) else VALUES)
    return chosen


@st.composite
def container(draw: Any, kind: str, depth: int = 0) -> dict[str, Any]:
    """A layer that holds some that take what comes, and others in turn, three deep at most."""

    def chain(least: int) -> list[dict[str, Any]]:
        inner = st.deferred(lambda: container(kind, depth + 1)) if depth < 2 and draw(st.booleans()) else layer(kind)
        return draw(st.lists(inner, min_size=least, max_size=2))

    type = draw(st.sampled_from(list(CONTAINERS)))
    if type == "Concat":
        return {"type": type, "branches": [chain(0) for _ in range(draw(st.integers(1, 3)))]}
    chosen: dict[str, Any] = {"type": type, "layers": chain(1)}
    if type == "Repeat":
        chosen["times"] = draw(st.integers(1, 3))
    if type == "Residual":
        chosen["drop_path"] = draw(st.sampled_from([0.0, 0.5]))
        if draw(st.integers(0, 3)) == 0:
            chosen["shortcut"] = chain(0)
    return chosen


@st.composite
def networks(draw: Any) -> tuple[Description, list[dict[str, Any]]]:
    description = draw(st.sampled_from([images(2, 6, 5), sequences(6, 3), texts(6), vectors(4)]))
    layers: list[dict[str, Any]] = []
    kind = description.input_kind
    for _ in range(draw(st.integers(0, 5))):
        layers.append(draw(layer(kind) if draw(st.integers(0, 2)) else container(kind)))
        signal = traced(description, *layers)[-1].signal
        kind = signal.kind if signal is not None else "vector"
    if kind == "tokens":
        layers.append({"type": "Embedding", "embedding_dim": 3})
    return description, [*layers, "Flatten", AUTO]


@given(networks())
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_network_without_a_mistake_can_be_trained(network):
    description, layers = network
    results = traced(description, *layers)
    wrong = [mistake for result in everything(results) for mistake in result.mistakes if mistake.severity == "error"]
    if wrong:
        assert all(str(mistake).endswith((".", "?")) for mistake in wrong)
        return
    built = build(experiment(*layers), description)
    shape = (3, *description.input_shape)
    x = torch.randint(1, 50, shape) if description.input_kind == "tokens" else torch.rand(shape)
    lengths = torch.tensor([6, 2, 4]) if description.has_lengths else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        output = built(x, lengths)
    assert output.shape == (3, description.outputs)
    if output.requires_grad:
        output.sum().backward()
    for result, module in zip(results, built, strict=True):
        assert result.parameters == sum(p.numel() for p in module.parameters())
