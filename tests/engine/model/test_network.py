"""Networks are those that a person would have written by hand, to the last bit."""

from __future__ import annotations

import pytest
import torch
from networks import AUTO, experiment, images, sequences, texts, vectors
from torch import nn

from engine.experiment import Refused
from engine.model.network import build


def same(ours: nn.Module, by_hand: nn.Module) -> bool:
    pairs = zip(ours.state_dict().values(), by_hand.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_a_cnn_has_the_weights_names_and_outputs_of_one_written_by_hand():
    document = experiment(
        {"type": "Conv2d", "out_channels": 4, "kernel_size": 3, "padding": "same"},
        "BatchNorm2d",
        "ReLU",
        {"type": "MaxPool2d", "kernel_size": 2},
        "Flatten",
        AUTO,
    )
    torch.manual_seed(7)
    ours = build(document, images())
    torch.manual_seed(7)
    by_hand = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding="same"),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 10),
    )
    assert list(ours.state_dict()) == list(by_hand.state_dict())
    assert same(ours, by_hand)
    x = torch.rand(5, 1, 8, 8)
    assert torch.equal(ours(x), by_hand(x))


def test_a_text_network_has_the_weights_and_outputs_of_one_written_by_hand():
    document = experiment({"type": "Embedding", "embedding_dim": 8}, {"type": "LSTM", "hidden_size": 6}, AUTO)
    torch.manual_seed(7)
    ours = build(document, texts())
    torch.manual_seed(7)
    embedding, lstm, linear = nn.Embedding(50, 8, padding_idx=0), nn.LSTM(8, 6, batch_first=True), nn.Linear(6, 4)
    assert same(ours, nn.Sequential(embedding, lstm, linear))
    assert "1.weight_ih_l0" in ours.state_dict()
    x = torch.randint(1, 50, (3, 9))
    assert torch.equal(ours(x), linear(lstm(embedding(x))[0][:, -1]))


@pytest.mark.parametrize("recurrent", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("output", ["last", "mean"])
def test_longer_padding_changes_no_output_of_a_text_network(recurrent, bidirectional, output):
    layers = [
        {"type": "Embedding", "embedding_dim": 8},
        {"type": recurrent, "hidden_size": 6, "output": "sequence", "bidirectional": bidirectional},
        "LayerNorm",
        {"type": recurrent, "hidden_size": 6, "output": output, "bidirectional": bidirectional},
        AUTO,
    ]
    network = build(experiment(*layers), texts())
    lengths = torch.tensor([9, 2, 5])
    x = torch.randint(1, 50, (3, 9)) * (torch.arange(9) < lengths[:, None])
    longer = torch.cat([x, torch.zeros(3, 30, dtype=torch.int64)], dim=1)
    assert torch.allclose(network(x, lengths), network(longer, lengths), atol=1e-6)


def test_the_padding_vector_is_zero_and_stays_zero():
    for init in (None, "normal_"):
        document = experiment(
            {"type": "Embedding", "embedding_dim": 8}, {"type": "LSTM", "hidden_size": 6}, AUTO, init=init
        )
        network = build(document, texts())
        network(torch.tensor([[3, 0, 0]]), torch.tensor([1])).sum().backward()
        assert network[0].weight[0].abs().sum() == 0
        assert network[0].weight.grad[0].abs().sum() == 0


def test_an_initializer_sets_weights_and_zeroes_biases_and_leaves_norms_alone():
    document = experiment(
        {"type": "Conv2d", "out_channels": 64, "kernel_size": 3},
        "BatchNorm2d",
        "Flatten",
        {"type": "Linear", "out_features": 5, "init": {"type": "constant_", "val": 0.25}},
        AUTO,
        init="kaiming_normal_",
    )
    torch.manual_seed(5)
    network = build(document, images())
    conv, norm, _, constant, last = network
    assert conv.weight.std().item() == pytest.approx((2 / 9) ** 0.5, rel=0.1)
    assert last.weight.std().item() == pytest.approx((2 / 5) ** 0.5, rel=0.25)
    assert torch.equal(constant.weight, torch.full_like(constant.weight, 0.25))
    assert all((layer.bias == 0).all() for layer in (conv, constant, last))
    assert (norm.weight == 1).all() and (norm.bias == 0).all()


def test_an_initializer_draws_after_the_layers_in_their_order():
    document = experiment({"type": "Linear", "out_features": 3}, "Tanh", AUTO, init="xavier_uniform_")
    torch.manual_seed(11)
    ours = build(document, vectors())
    torch.manual_seed(11)
    by_hand = nn.Sequential(nn.Linear(6, 3), nn.Tanh(), nn.Linear(3, 2))
    for layer in (by_hand[0], by_hand[2]):
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
    assert same(ours, by_hand)


def test_an_initializer_reaches_every_matrix_of_a_recurrent_layer():
    document = experiment(
        {"type": "GRU", "hidden_size": 5, "num_layers": 2, "bidirectional": True}, AUTO, init="orthogonal_"
    )
    gru = build(document, sequences())[0]
    for name, parameter in gru.named_parameters():
        if name.startswith("weight_hh"):
            assert torch.allclose(parameter.T @ parameter, torch.eye(5), atol=1e-5)
        elif name.startswith("bias"):
            assert (parameter == 0).all()


def test_two_classes_by_one_output_make_auto_one():
    document = experiment("Flatten", AUTO, loss="BCEWithLogitsLoss")
    assert build(document, images(classes=2))[1].out_features == 1


def test_layers_that_do_not_fit_are_refused():
    with pytest.raises(Refused, match="in_features is 3; the data gives 6"):
        build(experiment({"type": "Linear", "in_features": 3, "out_features": 2}), vectors())
