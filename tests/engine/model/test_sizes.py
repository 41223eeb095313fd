"""Shapes, FLOPs and bytes by formula, held against torch itself."""

from __future__ import annotations

import os
import warnings

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from networks import images, sequences, texts, traced
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from engine.catalog.layers import layer_specs
from engine.experiment import read
from engine.model.network import build
from engine.model.sequence_layers import Permute

EXAMPLES = 2000 if os.environ.get("TORCHDECK_THOROUGH") else 100


def spec_of(module):
    return layer_specs()[type(module).__name__]


windows = st.fixed_dictionaries(
    {
        "kernel_size": st.integers(1, 5),
        "stride": st.integers(1, 4),
        "padding": st.integers(0, 3),
        "dilation": st.integers(1, 3),
    }
)


@given(
    options=windows, size=st.tuples(st.integers(1, 14), st.integers(1, 14)), ceil=st.booleans(), kind=st.integers(0, 2)
)
@settings(max_examples=EXAMPLES, deadline=None)
def test_windows_fit_as_often_as_torch_slides_them(options, size, ceil, kind):
    if kind == 0:
        module: nn.Module = nn.Conv2d(2, 3, **options)
    else:
        assume(2 * options["padding"] <= options["kernel_size"])
        if kind == 2:
            options = {k: v for k, v in options.items() if k != "dilation"}
        module = (nn.MaxPool2d if kind == 1 else nn.AvgPool2d)(**options, ceil_mode=ceil)
    said = spec_of(module).output_shape(module, (2, *size))
    if min(said) < 1:
        with pytest.raises(RuntimeError):
            module(torch.zeros(1, 2, *size))
    else:
        assert module(torch.zeros(1, 2, *size)).shape[1:] == said


@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    start=st.integers(-4, 4),
    end=st.integers(-4, 4),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
def test_flatten_counts_dimensions_as_torch_does(shape, start, end):
    dimensions = len(shape) + 1
    assume(-dimensions < start < dimensions and -dimensions < end < dimensions)
    assume(0 < start % dimensions <= end % dimensions)
    module = nn.Flatten(start, end)
    assert spec_of(module).output_shape(module, tuple(shape)) == module(torch.zeros(2, *shape)).shape[1:]


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2), (4, 11, 9)),
        (nn.Conv1d(3, 5, 4, dilation=2), (3, 20)),
        (nn.Linear(7, 5), (7,)),
        (nn.Linear(7, 5), (9, 7)),
        (nn.BatchNorm2d(4), (4, 5, 5)),
        (nn.MaxPool2d(2), (4, 6, 6)),
    ],
)
def test_flops_are_those_of_torchs_counter(module, shape):
    with FlopCounterMode(display=False) as counter:
        out = module.eval()(torch.zeros(1, *shape))
    assert spec_of(module).flops(module, shape, out.shape[1:]) == counter.get_total_flops()


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}])
def test_flops_of_recurrent_layers_are_those_of_torchs_counter(name, options):
    module = layer_specs()[name].module_class()(6, 10, device="meta", **options)
    with FlopCounterMode(display=False) as counter:
        module(torch.zeros(1, 7, 6, device="meta"))
    assert spec_of(module).flops(module, (7, 6), ()) == counter.get_total_flops()


@pytest.mark.parametrize("preset", ["digits-cnn", "lenet", "digits-lstm", "mackey-glass-gru", "stdlib-docs-lstm"])
def test_saved_bytes_are_about_those_that_autograd_saves(preset):
    document = read(preset).experiment
    assert document is not None
    description = {
        "digits-cnn": images(),
        "lenet": images(),
        "digits-lstm": sequences(8, 8, 10),
        "mackey-glass-gru": sequences(64, 1, 1),
        "stdlib-docs-lstm": texts(100, 1000, 10),
    }[preset]
    if preset == "digits-lstm":
        document = document.model_copy(update={"loss": type(document.loss)(type="MSELoss")})
    network = build(document, description)
    weights = {p.data_ptr() for p in network.parameters()}
    kept: dict[int, int] = {}

    def pack(x: torch.Tensor) -> torch.Tensor:
        if x.data_ptr() not in weights:
            kept[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x

    batch = 8
    shape = (batch, *description.input_shape)
    x = torch.randint(1000, shape) if description.input_kind == "tokens" else torch.rand(shape)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x), warnings.catch_warnings():
        output = network(x)
    said = batch * sum(layer.activation_bytes for layer in traced(description, *document.model.layers))
    assert output.requires_grad
    assert sum(kept.values()) / 2 < said < sum(kept.values()) * 2


def test_permute_keeps_the_batch_first():
    with pytest.raises(ValueError, match="dimension 0 is the batch"):
        Permute((1, 0))
    assert Permute((0, 2, 1))(torch.zeros(2, 3, 4)).shape == (2, 4, 3)
