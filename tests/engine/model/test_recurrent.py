"""Recurrent layers hand on what was asked for, and never read padding."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from engine.catalog.layers import layer_specs

NAMES = ["RNN", "LSTM", "GRU"]
BOTH = pytest.mark.parametrize("bidirectional", [False, True])
LENGTHS = torch.tensor([5, 1, 9, 3])


def twins(name: str, **options):
    torch.manual_seed(3)
    ours = layer_specs()[name].module_class()(4, 6, **options)
    torch.manual_seed(3)
    options.pop("output", None)
    return ours, getattr(nn, name)(4, 6, batch_first=True, **options)


@pytest.mark.parametrize("name", NAMES)
@BOTH
@pytest.mark.parametrize("layers", [1, 2])
def test_weights_and_last_state_are_torchs_own(name, bidirectional, layers):
    ours, torchs = twins(name, bidirectional=bidirectional, num_layers=layers)
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), torchs.parameters(), strict=True))
    assert list(ours.state_dict()) == list(torchs.state_dict())
    x = torch.randn(4, 9, 4)
    hidden = torchs(x)[1]
    last = (hidden[0] if name == "LSTM" else hidden)[-1 - bidirectional :]
    assert torch.allclose(ours(x), torch.cat(list(last), dim=1), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
@BOTH
@pytest.mark.parametrize("output", ["last", "mean", "sequence"])
@pytest.mark.parametrize("layers", [1, 2])
def test_padding_never_matters(name, bidirectional, output, layers):
    ours, torchs = twins(name, bidirectional=bidirectional, output=output, num_layers=layers)
    x = torch.randn(4, 9, 4)
    padded, otherwise = x.clone(), x.clone()
    for row, length in enumerate(LENGTHS):
        padded[row, length:] = 0
        otherwise[row, length:] = 100 * torch.randn(9 - int(length), 4)
    said, said_otherwise = ours(padded, LENGTHS), ours(otherwise, LENGTHS)
    for row, length in enumerate(LENGTHS):
        alone = torchs(x[row : row + 1, :length])[0][0]  # (T, D·H), this sample by itself
        if output == "sequence":
            expected, got, other = alone, said[row, :length], said_otherwise[row, :length]
        elif output == "mean":
            expected, got, other = alone.mean(0), said[row], said_otherwise[row]
        else:
            backward = alone[0, 6:] if bidirectional else alone[0, :0]
            expected, got, other = torch.cat([alone[-1, :6], backward]), said[row], said_otherwise[row]
        assert torch.allclose(got, expected, atol=1e-5)
        assert torch.allclose(got, other, atol=1e-5)


@BOTH
@pytest.mark.parametrize("output", ["last", "mean"])
def test_no_gradient_reaches_padding(bidirectional, output):
    ours, _ = twins("LSTM", bidirectional=bidirectional, output=output)
    x = torch.randn(4, 9, 4, requires_grad=True)
    ours(x, LENGTHS).sum().backward()
    assert x.grad is not None
    for row, length in enumerate(LENGTHS):
        assert x.grad[row, :length].abs().sum() > 0
        assert x.grad[row, length:].abs().sum() == 0


@pytest.mark.parametrize("name", NAMES)
@BOTH
def test_lengths_that_are_all_full_change_nothing(name, bidirectional):
    for output in ("last", "mean", "sequence"):
        ours, _ = twins(name, bidirectional=bidirectional, output=output)
        x = torch.randn(3, 7, 4)
        assert torch.allclose(ours(x), ours(x, torch.full((3,), 7)), atol=1e-6)


@BOTH
def test_an_empty_sample_is_read_as_one_step(bidirectional):
    ours, _ = twins("LSTM", bidirectional=bidirectional, output="mean")
    x = torch.randn(2, 5, 4)
    assert torch.allclose(ours(x, torch.tensor([0, 5])), ours(x, torch.tensor([1, 5])))
    assert ours(x, torch.tensor([0, 5])).isfinite().all()


def test_projections_and_the_nonlinearity_are_torchs():
    ours, torchs = twins("LSTM", proj_size=2, bidirectional=True)
    x = torch.randn(2, 5, 4)
    assert torch.allclose(ours(x), torch.cat(list(torchs(x)[1][0]), 1), atol=1e-6)
    ours, torchs = twins("RNN", nonlinearity="relu")
    assert torch.equal(ours(x), torchs(x)[0][:, -1])
