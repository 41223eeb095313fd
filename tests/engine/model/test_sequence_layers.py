"""Layers that read whole sequences never read padding, and do what their papers say."""

from __future__ import annotations

import math

import pytest
import torch
from networks import AUTO, experiment, sequences, texts, traced

from engine.model.network import build
from engine.model.sequence_layers import AttentionPooling, MeanPooling, PositionalEncoding, TransformerEncoder

LENGTHS = torch.tensor([5, 1, 9, 3])
WORDS = {"type": "Embedding", "embedding_dim": 6}
STATES = {"output": "sequence", "hidden_size": 4, "bidirectional": True, "num_layers": 2}
ATTENTION = {"type": "TransformerEncoder", "nhead": 2, "dim_feedforward": 8, "num_layers": 2}
CHAINS = {
    **{
        f"{name} {output}": [WORDS, {"type": name, **STATES, "output": output}]
        for name in ("RNN", "LSTM", "GRU")
        for output in ("last", "mean")
    },
    **{f"{name} attention": [WORDS, {"type": name, **STATES}, "AttentionPooling"] for name in ("RNN", "LSTM", "GRU")},
    "bag": [{"type": "EmbeddingBag", "embedding_dim": 6}],
    "transformer": [WORDS, "PositionalEncoding", ATTENTION, "MeanPooling"],
    "causal transformer": [
        WORDS,
        {"type": "PositionalEncoding", "encoding": "learned"},
        ATTENTION | {"causal": True},
        {"type": "GRU", "hidden_size": 4},
    ],
}


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_a_text_has_the_same_output_alone_and_in_a_batch_with_longer_ones(chain):
    torch.manual_seed(1)
    network = build(experiment(*chain, AUTO), texts(9)).eval()
    x = torch.randint(1, 50, (4, 9))
    for row, length in enumerate(LENGTHS):
        x[row, length:] = 0
    together = network(x, LENGTHS)
    for row, length in enumerate(LENGTHS):
        alone = network(x[row : row + 1, :length], LENGTHS[row : row + 1])
        assert torch.allclose(together[row], alone[0], atol=1e-5)


@pytest.mark.parametrize("name", ["transformer", "LSTM attention"])
def test_no_gradient_reaches_padding(name):
    after = CHAINS[name][1:]
    network = build(experiment(*after, AUTO), sequences(9, 6))
    x = torch.randn(4, 9, 6, requires_grad=True)
    network(x, LENGTHS).sum().backward()
    assert x.grad is not None
    for row, length in enumerate(LENGTHS):
        assert x.grad[row, :length].abs().sum() > 0
        assert x.grad[row, length:].abs().sum() == 0


def test_a_causal_transformer_sees_no_step_that_is_to_come():
    torch.manual_seed(0)
    layer = TransformerEncoder(6, 2, num_layers=2, dim_feedforward=8, causal=True).eval()
    x = torch.randn(2, 7, 6)
    changed = x.clone()
    changed[:, 4:] += 1
    assert torch.allclose(layer(x)[:, :4], layer(changed)[:, :4], atol=1e-6)
    assert not torch.allclose(layer(x)[:, 4:], layer(changed)[:, 4:])


def test_each_layer_of_a_transformer_starts_with_its_own_weights():
    layer = TransformerEncoder(6, 2, num_layers=2)
    first, second = layer.layers
    assert not torch.equal(first.linear1.weight, second.linear1.weight)


def test_a_transformer_is_torchs_own_encoder():
    torch.manual_seed(0)
    ours = TransformerEncoder(6, 2, num_layers=2, dim_feedforward=8, norm_first=True, activation="gelu").eval()
    like = torch.nn.TransformerEncoderLayer(6, 2, 8, activation="gelu", norm_first=True, batch_first=True)
    torchs = torch.nn.TransformerEncoder(like, 2, enable_nested_tensor=False).eval()
    torchs.load_state_dict(ours.state_dict())
    x = torch.randn(3, 5, 6)
    assert torch.allclose(ours(x), torchs(x), atol=1e-6)


@pytest.mark.parametrize("features", [6, 7])
def test_sinusoidal_places_are_those_of_the_paper(features):
    places = PositionalEncoding(features, 20)(torch.zeros(1, 20, features))[0]
    for t in (0, 3, 19):
        for i in range(features):
            angle = t / 10_000 ** ((i - i % 2) / features)
            assert math.isclose(places[t, i], (math.cos if i % 2 else math.sin)(angle), abs_tol=1e-4)


def test_attention_that_sees_no_difference_is_the_mean():
    pooling = AttentionPooling(4)
    torch.nn.init.zeros_(pooling.score.weight)
    x = torch.randn(4, 9, 4)
    assert torch.allclose(pooling(x, LENGTHS), MeanPooling()(x, LENGTHS), atol=1e-6)


def test_a_two_layer_bidirectional_lstm_has_as_many_weights_as_its_formula_says():
    f, h = 3, 10
    (lstm, *_) = traced(sequences(12, f), {"type": "LSTM", "hidden_size": h, "num_layers": 2, "bidirectional": True})
    first = 4 * (f * h + h * h + 2 * h)
    second = 4 * (2 * h * h + h * h + 2 * h)
    assert lstm.parameters == 2 * (first + second)


def test_a_frozen_embedding_is_not_learned():
    network = build(experiment(WORDS | {"freeze": True}, "MeanPooling", AUTO), texts(9))
    network(torch.randint(1, 50, (2, 9)), torch.tensor([9, 4])).sum().backward()
    assert not network[0].weight.requires_grad
    assert network[0].weight.grad is None
    assert network[2].weight.grad is not None


def test_heads_that_do_not_divide_the_features_are_a_mistake_with_the_fix():
    found = [str(m) for layer in traced(sequences(9, 6), ATTENTION | {"nhead": 4}) for m in layer.mistakes]
    assert found[0].startswith(
        "model.layers[0].nhead TransformerEncoder: nhead is 4; d_model is 6, which is not divisible by nhead."
    )
    assert "Set nhead to 1, 2, 3 or 6." in found[0]
