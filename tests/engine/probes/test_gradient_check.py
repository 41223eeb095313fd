"""The gradient check: torch's gradients pass, a wrong backward pass is found, a kink is not reported as wrong."""

import pytest
import torch
from torch import nn

from engine.experiment import read, reads
from engine.plan import check
from engine.probes import GradientsChecked, LayerChecked, check_gradients
from engine.probes.gradient_check import Part, check_parts


def checked(network, x, y, criterion=None):
    parts = [Part(str(i), type(module).__name__, module) for i, module in enumerate(network)]
    criterion = criterion or nn.MSELoss()
    *layers, last = check_parts(network, parts, (x,), y, criterion, type(criterion).__name__)
    assert isinstance(last, GradientsChecked)
    return layers, last


class TanhWithWrongBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = x.tanh()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, gradient):
        (y,) = ctx.saved_tensors
        return gradient * (1 - y)  # it is 1 - y²


class WrongTanh(nn.Module):
    def forward(self, x):
        return TanhWithWrongBackward.apply(x)


class InPlace(nn.Module):
    def forward(self, x):
        return x.mul_(2)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("width", [4, 400], ids=["each element", "fast"])
def test_a_wrong_backward_pass_is_found_at_its_layer(width):
    network = nn.Sequential(nn.Linear(5, width), WrongTanh(), nn.Linear(width, 2))
    layers, last = checked(network, torch.randn(3, 5), torch.randn(3, 2))
    assert [layer.outcome for layer in layers] == ["passed", "failed", "passed", "passed", "failed"]
    wrong = layers[1]
    assert wrong.fast == (width == 400)
    assert wrong.difference > 0.01
    assert "the backward pass is not the derivative of the forward pass" in wrong.message
    assert last.failed == 2 and last.message.startswith("2 of 5 checks failed")


@pytest.mark.parametrize("width", [6, 600], ids=["each element", "fast"])
def test_a_relu_at_zero_has_a_kink_and_passes_near_it(width):
    network = nn.Sequential(nn.ReLU(), nn.Linear(width, 2))
    x = torch.randn(3, width)
    x[0, 0] = x[2, 3] = 0.0
    layers, last = checked(network, x, torch.randn(3, 2))
    assert [layer.outcome for layer in layers[:3]] == ["kink", "passed", "passed"]
    assert layers[0].message.startswith("2 values lie at a kink, as ReLU has at zero")
    assert "0 to the left" in layers[0].message or "0 to the right" in layers[0].message
    assert "Moved away from it by 0.001, it passes" in layers[0].message
    assert last.failed == 0 and last.kinks >= 1


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (nn.MaxPool1d(2), torch.zeros(1, 1, 8)),
        (nn.Hardtanh(), torch.tensor([[-1.0, 1.0, 0.3, 2.0]])),
        (nn.LeakyReLU(), torch.tensor([[0.0, 1.0, -1.0, 2.0]])),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_kink_is_distinguished_from_a_wrong_gradient(layer, x):
    (one, *_), _ = checked(nn.Sequential(layer), x, torch.ones_like(layer(x)))
    assert one.outcome == "kink"


def test_a_loss_has_kinks_too():
    x = torch.randn(3, 4)
    x[0, 0] = x[1, 2] = 5e-7  # nearer to the target than a numerical difference is wide
    layers, _ = checked(nn.Sequential(nn.Identity()), x, torch.zeros(3, 4), nn.L1Loss())
    assert [layer.outcome for layer in layers] == ["passed", "kink", "kink"]


def test_layers_that_work_in_place_are_checked():
    layers, _ = checked(nn.Sequential(InPlace(), nn.ReLU(inplace=True)), torch.randn(3, 4), torch.randn(3, 4))
    assert [layer.outcome for layer in layers] == ["passed"] * 4


def test_an_embedding_is_checked_for_its_parameters_except_the_padding_row():
    network = nn.Sequential(nn.Embedding(7, 3, padding_idx=0), nn.Flatten(), nn.Linear(12, 2))
    tokens = torch.tensor([[1, 2, 0, 0], [3, 3, 4, 0], [6, 5, 4, 1]])
    layers, _ = checked(network, tokens, torch.randn(3, 2))
    assert [layer.outcome for layer in layers] == ["passed"] * 5
    assert layers[0].elements == 6 * 3
    assert layers[0].message == "Its inputs are integers, so only its parameters were checked."
    frozen = nn.Sequential(nn.Embedding.from_pretrained(torch.randn(7, 3)), nn.Flatten(), nn.Linear(12, 2))
    layers, _ = checked(frozen, tokens, torch.randn(3, 2))
    assert layers[0].outcome == "skipped" and "no gradient to check" in layers[0].message


@pytest.mark.parametrize("preset", ["digits-cnn", "digits-lstm", "transformer-text", "resnet-digits", "mlp-diabetes"])
def test_every_layer_of_a_preset_passes_or_has_a_reason(preset):
    plan = check(read(preset))
    *layers, last = check_gradients(plan)
    assert last.failed == 0
    assert len(layers) == layers[0].checks
    assert all(layer.message for layer in layers if layer.outcome != "passed")
    by_number = {layer.number: layer for layer in layers}
    assert all(leaf.number in by_number for leaf in plan.layers if leaf.type not in ("Residual", "Repeat"))
    for leaf in plan.layers:
        if leaf.type == "Dropout":
            assert by_number[leaf.number].outcome == "skipped" and "random" in by_number[leaf.number].message


def test_each_copy_of_a_repeated_layer_is_checked():
    plan = check(
        reads(
            'data = {source = "wine"}\nmodel = {layers = [{type = "Repeat", times = 2, layers = [{type = "Residual", '
            'layers = [{type = "Linear", out_features = 13}, "Tanh"]}]}, {type = "Linear", out_features = "auto"}]}'
        )
    )
    assert plan.ok, plan.mistakes
    layers = [r for r in check_gradients(plan) if isinstance(r, LayerChecked)]
    numbers = [layer.number for layer in layers[:-2]]
    assert numbers == ["0.0.0 copy 1", "0.0.0 copy 2", "0.0.1 copy 1", "0.0.1 copy 2", "1"]
    assert {layer.outcome for layer in layers} == {"passed"}


def test_a_check_can_stop_within_a_layer_and_leaves_no_trace():
    asked = []

    def stop():
        asked.append(1)
        return len(asked) > 30

    before = torch.get_rng_state(), torch.get_num_threads(), torch.get_default_dtype()
    records = list(check_gradients(check(read("digits-cnn")), stop=stop))
    assert len(asked) == 31
    assert not any(isinstance(record, GradientsChecked) for record in records)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (torch.get_num_threads(), torch.get_default_dtype()) == before[1:]
