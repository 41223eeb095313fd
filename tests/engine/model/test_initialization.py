"""What weights start as is what was said of the layer, of its type, or of the model; and the formulas are right."""

import math

import pytest
import torch
from torch import nn

from engine.catalog import catalog
from engine.catalog.initializers import DIMENSIONS
from engine.experiment import dumps, read, reads
from engine.model import build
from engine.model.init_formulas import expected
from engine.model.init_statistics import TORCHS_OWN, init_statistics
from engine.plan import check

CNN = """
seed = 2
[data]
source = "digits"
[model]
layers = [{type = "Conv2d", out_channels = 48, kernel_size = 3}, "BatchNorm2d", "ReLU", "Flatten",
  {type = "Linear", out_features = 40}, "ReLU", {type = "Linear", out_features = "auto"}]
"""
RNN = """
seed = 2
[data]
source = "mackey-glass"
length = 600
[model]
layers = [{type = "LSTM", hidden_size = 24, num_layers = 2, output = "sequence"}, {type = "GRU", hidden_size = 16},
  {type = "Linear", out_features = "auto"}]
"""


def network_of(text, *overrides):
    plan = check(reads(text, overrides))
    assert plan.ok, plan.mistakes
    assert check(reads(dumps(plan.experiment))).experiment == plan.experiment
    torch.manual_seed(plan.experiment.seed)
    return build(plan.experiment, plan.description)


def said(text, *overrides):
    return [str(mistake) for mistake in check(reads(text, overrides)).mistakes]


def test_a_layers_own_initializer_comes_before_its_types_and_that_before_the_models():
    network = network_of(
        CNN,
        "model.init={type='constant_', val=0.5}",
        "model.init_by_type={Linear='ones_'}",
        "model.layers[6].init='zeros_'",
        "model.bias_init={type='constant_', val=0.25}",
        "model.layers[4].bias_init='ones_'",
    )
    starts = {name: set(parameter.flatten().tolist()) for name, parameter in network.named_parameters()}
    assert (starts["0.weight"], starts["4.weight"], starts["6.weight"]) == ({0.5}, {1.0}, {0.0})
    assert (starts["0.bias"], starts["4.bias"], starts["6.bias"]) == ({0.25}, {1.0}, {0.25})
    assert (starts["1.weight"], starts["1.bias"]) == ({1.0}, {0.0})


def test_what_is_not_spoken_of_keeps_torchs_own_weights_bit_for_bit():
    ours, own = network_of(CNN, "model.init_by_type={Conv2d='zeros_'}").state_dict(), network_of(CNN).state_dict()
    assert not ours["0.weight"].any() and not ours["0.bias"].any()
    assert all(torch.equal(ours[name], own[name]) for name in own if not name.startswith("0."))


def test_recurrent_weights_are_orthogonal_gate_by_gate_and_the_input_weights_start_otherwise():
    network = network_of(RNN, "model.recurrent_init=orthogonal_", "model.init=xavier_uniform_")
    for name, weight, gates in (("0.weight_hh_l1", network[0].weight_hh_l1, 4), ("1", network[1].weight_hh_l0, 3)):
        for gate in weight.detach().chunk(gates):
            assert torch.allclose(gate @ gate.T, torch.eye(len(gate)), atol=1e-5), name
    bound = (6 / (4 * 24 + 24)) ** 0.5
    assert 0.9 * bound < float(network[0].weight_ih_l1.detach().abs().max()) <= bound


def test_forget_bias_makes_the_cell_remember_at_the_start():
    network, own = network_of(RNN, "model.forget_bias=1.0"), network_of(RNN)
    for layer in ("l0", "l1"):
        biases = getattr(network[0], f"bias_ih_{layer}") + getattr(network[0], f"bias_hh_{layer}")
        assert biases[24:48].tolist() == [1.0] * 24
        torchs = getattr(own[0], f"bias_ih_{layer}") + getattr(own[0], f"bias_hh_{layer}")
        assert torch.equal(biases[:24], torchs[:24]) and torch.equal(biases[48:], torchs[48:])
    assert torch.equal(network[1].bias_ih_l0, own[1].bias_ih_l0)
    layers = network_of(RNN, "model.forget_bias=1.0", "model.layers[0].forget_bias=-2.0", "model.init=kaiming_normal_")
    assert set((layers[0].bias_ih_l0 + layers[0].bias_hh_l0).tolist()) == {0.0, -2.0}


ENCODER = [
    'model.layers[1]={type="PositionalEncoding", encoding="learned"}',
    'model.layers[4]={type="AttentionPooling"}',
    "model.layers[3].num_layers=2",
]


def encoder_of(*overrides):
    plan = check(read("transformer-text", [*ENCODER, *overrides]))
    assert plan.ok, plan.mistakes
    torch.manual_seed(0)
    return plan, build(plan.experiment, plan.description)


def test_an_initializer_reaches_every_matrix_inside_of_a_layer_and_no_norm():
    plan, network = encoder_of("model.init={type='constant_', val=0.5}")
    starts = {start.path + start.parameter for start in init_statistics(plan.experiment, plan.description)}
    for name, parameter in network.named_parameters():
        values = set(parameter.flatten().tolist())
        if "norm" in name:
            assert values == {0.0 if name.endswith("bias") else 1.0}, name
        elif "bias" in name:
            assert values == {0.0}, name
        else:
            assert values == ({0.0, 0.5} if name == "0.weight" else {0.5}), name  # the padding's row stays zero
            layer, _, inside = name.partition(".")
            assert f"model.layers[{layer}]{inside}" in starts
    assert not any("norm" in name for name in starts)


def test_queries_keys_and_values_are_matrices_of_their_own():
    _, network = encoder_of("model.layers[3].init=orthogonal_")
    for layer in network[3].layers:
        for matrix in layer.self_attn.in_proj_weight.detach().chunk(3):
            assert torch.allclose(matrix @ matrix.T, torch.eye(64), atol=1e-5)


@pytest.mark.parametrize("overrides", [[], ["model.init=xavier_normal_"]])
def test_matrices_inside_of_layers_have_formulas_too(overrides):
    plan, _ = encoder_of(*overrides)
    found = init_statistics(plan.experiment, plan.description)
    assert {"layers.1.self_attn.in_proj_weight", "project.weight", "score.weight"} <= {s.parameter for s in found}
    for start in found:
        assert start.std == pytest.approx(start.expected_std, rel=3 / math.prod(start.shape) ** 0.5), start
        assert start.formula


PARAMETERS = {
    "constant_": [{"val": -0.3}],
    "sparse_": [{"sparsity": 0.3, "std": 0.2}, {"sparsity": 0.0}],
    "kaiming_normal_": [{}, {"nonlinearity": "tanh"}, {"a": 0.2, "mode": "fan_out"}],
    "kaiming_uniform_": [{}, {"nonlinearity": "selu"}, {"a": 5**0.5}],
    "xavier_normal_": [{}, {"gain": 1.7}],
    "xavier_uniform_": [{}, {"gain": 0.4}],
    "orthogonal_": [{}, {"gain": 2.0}],
    "trunc_normal_": [{}, {"mean": 0.5, "std": 0.8, "a": 0.0, "b": 1.5}],
    "normal_": [{}, {"mean": 1.0, "std": 0.1}],
    "uniform_": [{}, {"a": -0.2, "b": 0.1}],
    "dirac_": [{}, {"groups": 2}],
}


@pytest.mark.parametrize("name", list(catalog("initializers")))
def test_the_formula_of_every_initializer_is_what_sampled_weights_have(name):
    set_, (least, most) = catalog("initializers")[name].torch_class(), DIMENSIONS[name]
    tried = 0
    torch.manual_seed(0)
    for shape in ((300, 200), (120, 400), (64, 48, 5), (48, 64, 3, 3), (32, 16, 3, 3, 3)):
        for parameters in PARAMETERS.get(name, [{}]) if least <= len(shape) <= most else []:
            weight = set_(torch.empty(shape), **parameters).double()
            says = expected(name, parameters, shape)
            assert float(weight.std(correction=0)) == pytest.approx(says.std, rel=0.02, abs=1e-9), (shape, parameters)
            assert float(weight.mean()) == pytest.approx(says.mean, abs=0.02 * says.std + 1e-7), (shape, parameters)
            assert says.formula
            tried += 1
    assert tried


def test_the_weights_of_every_layer_are_measured_and_compared_with_their_formula():
    plan = check(reads(CNN, ["model.init_by_type.Conv2d=kaiming_normal_"]))
    before = torch.get_rng_state()
    conv, linear, last = init_statistics(plan.experiment, plan.description)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    network = build(plan.experiment, plan.description)
    assert (conv.path, conv.type, conv.parameter, conv.shape) == ("model.layers[0]", "Conv2d", "weight", (48, 1, 3, 3))
    assert conv.std == pytest.approx(float(network[0].weight.detach().std(correction=0)))
    assert (conv.initializer, conv.formula) == ("kaiming_normal_", "√(2 / fan_in)")
    assert conv.expected_std == pytest.approx((2 / 9) ** 0.5)
    assert (linear.initializer, last.initializer) == (TORCHS_OWN, TORCHS_OWN)
    assert linear.expected_std == pytest.approx((1 / (3 * 48 * 36)) ** 0.5)
    assert linear.std == pytest.approx(linear.expected_std, rel=0.01)


@pytest.mark.parametrize(
    "overrides", [[], ["model.init=xavier_normal_", "model.recurrent_init={type='orthogonal_', gain=0.5}"]]
)
def test_recurrent_and_embedding_weights_have_formulas_too(overrides):
    texts = 'model.layers=[{type="Embedding", embedding_dim=60}, {type="LSTM", hidden_size=40, proj_size=20}, "Linear"]'
    plan = check(read("stdlib-docs-lstm", [*overrides, texts, "model.layers[2]={type='Linear', out_features='auto'}"]))
    assert plan.ok, plan.mistakes
    found = init_statistics(plan.experiment, plan.description)
    assert [start.parameter for start in found] == ["weight", "weight_ih_l0", "weight_hh_l0", "weight_hr_l0", "weight"]
    for start in found:
        assert start.std == pytest.approx(start.expected_std, rel=3 / math.prod(start.shape) ** 0.5), start
        assert start.formula


@pytest.mark.parametrize(
    ("text", "overrides", "path", "says"),
    [
        (CNN, ["model.layers[2]={type='ReLU', init='normal_'}"], "model.layers[2].init", "Remove init."),
        (CNN, ["model.layers[4].init='norml_'"], "model.layers[4].init.type", "Did you mean normal_?"),
        (CNN, ["model.layers[4].init={type='normal_', std=-1.0}"], "model.layers[4].init.std", "default is 1.0."),
        (CNN, ["model.layers[4].init=dirac_"], "model.layers[4].init", "dirac_ sets tensors of 3 to 5 dimensions"),
        (CNN, ["model.layers[0].init={type='dirac_', groups=5}"], "model.layers[0].init", "of 5 groups needs"),
        (CNN, ["model.init=eye_"], "model.init", "the weight of model.layers[0] is 48×1×3×3"),
        (
            CNN,
            ["model.init_by_type.Conv2d={type='sparse_', sparsity=0.5}"],
            "model.init_by_type.Conv2d",
            "2 dimensions",
        ),
        (
            CNN,
            ["model.layers[4].init={type='sparse_', sparsity=1.5}"],
            "model.layers[4].init.sparsity",
            "of at least 0 and at most 1",
        ),
        (CNN, ["model.bias_init=xavier_normal_"], "model.bias_init", "or set model.layers[0].bias_init."),
        (CNN, ["model.init_by_type.Lineal=ones_"], "model.init_by_type.Lineal", "Did you mean Linear?"),
        (CNN, ["model.init_by_type.ReLU=ones_"], "model.init_by_type.ReLU", "no weights"),
        (CNN, ["model.init_by_type.LSTM=ones_"], "model.init_by_type.LSTM", "the model has no LSTM"),
        (CNN, ["model.recurrent_init=orthogonal_"], "model.recurrent_init", "no recurrent layer"),
        (CNN, ["model.forget_bias=1.0"], "model.forget_bias", "no LSTM"),
        (
            CNN,
            ["model.layers[4].bias=false", "model.layers[4].bias_init=ones_"],
            "model.layers[4].bias_init",
            "no biases",
        ),
        (RNN, ["model.layers[1].forget_bias=1.0"], "model.layers[1].forget_bias", "no bias of a forget gate"),
        (RNN, ["model.recurrent_init=dirac_"], "model.recurrent_init", "3 to 5 dimensions"),
    ],
)
def test_an_initializer_that_does_not_fit_is_one_mistake_that_says_where(text, overrides, path, says):
    (mistake,) = said(text, *overrides)
    assert mistake.split(":")[0].split()[0] == path and says in mistake


def test_none_takes_the_models_initializers_back():
    back = ["model.init=none", "model.recurrent_init=none", "model.bias_init=none"]
    given = [name.replace("none", "ones_") for name in back]
    ours, own = network_of(RNN, *given, *back), network_of(RNN)
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), own.parameters(), strict=True))
    assert isinstance(ours[0], nn.LSTM)
