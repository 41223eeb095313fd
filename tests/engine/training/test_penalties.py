"""The penalties before the first step, against sums over the weights of the network that a run builds."""

from __future__ import annotations

import pytest
import torch

from engine.experiment import read
from engine.model import build
from engine.plan import check
from engine.training.regularization import penalties_at_start


def test_penalties_are_sums_over_the_initial_weights_of_a_run() -> None:
    plan = check(read("digits-cnn", ["regularization.l1=1e-4", "regularization.l2=1e-3"]))
    assert plan.description is not None
    state = torch.random.get_rng_state()
    found = penalties_at_start(plan.experiment, plan.description)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(plan.experiment.seed)
    network = build(plan.experiment, plan.description)
    weights = [p for p in network.parameters() if p.ndim >= 2]
    assert found is not None and found.weights == sum(w.numel() for w in weights)
    assert found.l1 == pytest.approx(1e-4 * sum(float(w.detach().abs().sum()) for w in weights), rel=1e-5)
    assert found.l2 == pytest.approx(1e-3 * sum(float(w.detach().square().sum()) for w in weights), rel=1e-5)


def test_only_named_layers_count_and_without_a_penalty_nothing_is_built() -> None:
    plan = check(read("digits-cnn", ["regularization.l1=1e-4", "regularization.l1_layers=[0]"]))
    assert plan.description is not None
    found = penalties_at_start(plan.experiment, plan.description)
    assert found is not None and found.weights == 32 * 9 and found.l2 == 0
    plain = check(read("digits-cnn"))
    assert plain.description is not None
    assert penalties_at_start(plain.experiment, plain.description) is None
