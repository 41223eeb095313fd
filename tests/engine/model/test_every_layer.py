"""Every layer of the catalog, with any parameters and any input: the plan says what the built module does."""

from __future__ import annotations

import os
import warnings
from typing import Any, Literal, get_args, get_origin

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import texts
from torch.utils.flop_counter import FlopCounterMode

from engine.catalog import catalog
from engine.catalog.layers import layer_specs
from engine.catalog.layers.signal import Signal
from engine.catalog.value_types import holds, members
from engine.experiment import Layer
from engine.model.construct import construct, facts_of
from engine.model.containers import CONTAINERS
from engine.model.trace_tree import trace

EXAMPLES = 100 if os.environ.get("TORCHDECK_THOROUGH") else 8

DIMENSIONS = {"volume": 4, "image": 3, "signal": 2, "sequence": 2, "vector": 1, "tokens": 1}
FACTS = facts_of(texts(9), "CrossEntropyLoss")
TORCH_REFUSES = (ValueError, TypeError, RuntimeError, ArithmeticError, AssertionError, IndexError)
BATCH = 2


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """What a document could hold there, small enough to be run."""
    each = []
    for member in members(annotation):
        origin, inner = get_origin(member), get_args(member)
        if origin is Literal:
            each.append(st.sampled_from([v for v in inner if v != "auto"] or [1]))
        elif origin is tuple and Ellipsis in inner:
            each.append(st.lists(st.integers(1, 4), min_size=1, max_size=3))
        elif origin is tuple:
            each.append(st.lists(st.integers(0, 4), min_size=len(inner), max_size=len(inner)))
        elif member is bool:
            each.append(st.booleans())
        elif member is str:
            each.append(st.sampled_from(["mean"]))
        else:
            of_floats = "float" in str(member)
            each.append(st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0]) if of_floats else st.integers(-1, 4))
    return st.one_of(each).filter(lambda value: holds(annotation, value))


@st.composite
def cases(draw: Any, name: str) -> tuple[dict[str, Any], Signal]:
    kind = draw(st.sampled_from(layer_specs()[name].accepts))
    shape = tuple(draw(st.integers(1, 8)) for _ in range(DIMENSIONS[kind]))
    chosen: dict[str, Any] = {}
    for key, parameter in catalog("layers")[name].parameters.items():
        if key == "dims":
            chosen[key] = [0, *draw(st.permutations(range(1, len(shape) + 1)))]
        elif key in ("dim", "start_dim", "end_dim"):
            if parameter.required or draw(st.booleans()):
                chosen[key] = draw(st.integers(1, len(shape) + 1))  # one too many, now and then
        elif parameter.required or (not parameter.inferred and draw(st.integers(0, 3)) == 0):
            chosen[key] = draw(values(parameter.annotation))
    return chosen, Signal(shape=shape, kind=kind)


def run(name: str, chosen: dict[str, Any], signal: Signal) -> tuple[torch.nn.Module, torch.Tensor]:
    """The module built and run for real."""
    torch.manual_seed(0)
    module = construct(name, chosen, signal, FACTS)
    shape = (BATCH, *signal.shape)
    x = torch.randint(1, 50, shape) if signal.kind == "tokens" else torch.rand(shape)
    return module, module(x)


def refused(name: str, chosen: dict[str, Any], signal: Signal) -> bool:
    """Whether torch refuses it, or makes of it what is of no use: no value, or more dimensions than have names."""
    try:
        _, output = run(name, chosen, signal)
    except TORCH_REFUSES:
        return True
    return output.numel() == 0 or output.dim() > 5


def flops_run(name: str, chosen: dict[str, Any], signal: Signal) -> int:
    """What torch's counter sees; on `meta`, since it does not see a recurrent layer on a CPU."""
    with torch.device("meta"):
        module = construct(name, chosen, signal, FACTS)
    x = torch.empty(1, *signal.shape, device="meta")
    with FlopCounterMode(display=False) as counter:
        module(x)
    return int(counter.get_total_flops())


LEAVES = [name for name in catalog("layers") if name not in (*CONTAINERS, "torchvision")]
"""Whole networks of torchvision have tests of their own: test_backbone.py."""


@pytest.mark.parametrize("name", LEAVES)
def test_the_trace_of_a_layer_is_what_the_built_layer_does(name):
    @given(cases(name))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    def holds_for(case):
        chosen, signal = case
        (planned,) = trace([Layer.model_validate({"type": name, **chosen})], signal, FACTS)[:1]
        wrong = [m for m in planned.mistakes if m.severity == "error"]
        about_the_end = planned.signal is not None and all(FACTS.wants in str(m) for m in wrong)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if wrong and not about_the_end:
                assert refused(name, chosen, signal), [str(m) for m in wrong]
                return
            assert planned.signal is not None
            module, output = run(name, chosen, signal)
            assert tuple(output.shape) == (BATCH, *planned.signal.shape)
            assert DIMENSIONS[planned.signal.kind] == len(planned.signal.shape)
            assert planned.parameters == sum(p.numel() for p in module.parameters())
            if layer_specs()[name].group in ("linear", "convolution", "recurrent", "attention"):
                assert planned.flops == flops_run(name, chosen, signal)
            else:
                assert planned.flops == 0

    holds_for()
