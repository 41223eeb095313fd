"""LBFGS in a run equals the loop of torch's documentation; within a step, the function stays the same."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from engine.data import load_data
from engine.experiment import reads
from engine.plan import check
from engine.protocol.events import Epoch
from engine.training.checkpoint import load_checkpoint, newest_checkpoint
from engine.training.order import epoch_order
from engine.training.session import Session

RUN = """
seed = 3
[data]
source = "digits"
batch_size = 500
[model]
layers = ["Flatten", {type = "Linear", out_features = 12}, "Tanh", {type = "Linear", out_features = "auto"}]
[loss]
type = "CrossEntropyLoss"
[optimizer]
type = "LBFGS"
lr = 0.5
max_iter = 4
history_size = 3
[regularization]
l2 = 1e-3
[training]
epochs = 3
threads = 1
"""
WOLFE = "optimizer.line_search_fn=strong_wolfe"
DROPPED = 'model.layers=["Flatten", {type="Linear", out_features=12}, "Tanh", {type="Dropout", p=0.3}, "Linear"]'
LAST = "model.layers[4]={type='Linear', out_features='auto'}"


def finished(tmp_path, *overrides):
    return ended(Session.create(check(reads(RUN, overrides)), runs_dir=tmp_path))


def ended(session):
    session.start()
    assert session.join(100) and session.finished.reason.value == "completed", session.finished
    return session, [event for event in session.drain() if isinstance(event, Epoch)]


def by_hand(network, *, same_masks=False, **options):
    """The loop of torch's documentation; its data alone is what `load_data` read."""
    data = load_data(reads(RUN).experiment.data, 3)
    optimizer = torch.optim.LBFGS(network.parameters(), lr=0.5, max_iter=4, history_size=3, **options)
    x, y = data.x[data.train], data.y[data.train]
    losses = []
    for epoch in (1, 2, 3):
        network.train()
        total = 0.0
        order = epoch_order(len(x), 3, epoch)
        for i in range(0, len(x), 500):
            some, state, firsts = order[i : i + 500], torch.get_rng_state(), []

            def closure(some=some, state=state, firsts=firsts):
                if same_masks:
                    torch.set_rng_state(state)
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(network(x[some]), y[some])
                firsts.append(loss.item())
                objective = (
                    loss + 1e-3 * torch.stack([p.square().sum() for p in network.parameters() if p.ndim > 1]).sum()
                )
                objective.backward()
                return objective

            optimizer.step(closure)
            total += firsts[0] * len(some)
        losses.append(total / len(x))
    return losses


@pytest.mark.parametrize("line_search", [None, "strong_wolfe"])
@pytest.mark.parametrize("dropout", [False, True])
def test_a_run_is_the_loop_of_torchs_documentation_to_the_last_bit(tmp_path, line_search, dropout):
    session, epochs = finished(tmp_path, *[WOLFE] * bool(line_search), *[DROPPED, LAST] * dropout)
    torch.manual_seed(3)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.Tanh(), nn.Dropout(0.3 * dropout), nn.Linear(12, 10))
    expected = by_hand(network, same_masks=dropout, line_search_fn=line_search)
    assert [epoch.train_loss for epoch in epochs] == expected
    for ours, theirs in zip(session.network.parameters(), network.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("more", [[], [WOLFE, DROPPED, LAST, "regularization.average=ema"]])
def test_a_resumed_run_equals_an_uninterrupted_run(tmp_path, more):
    whole, _ = finished(tmp_path / "whole", *more)
    half, _ = finished(tmp_path / "half", *more, "training.epochs=1")
    loaded = load_checkpoint(newest_checkpoint(half.directory / "checkpoints"))
    kept = loaded.state["optimizer"]["numbers"]["0"]
    assert len(kept["old_dirs"]) == len(kept["ro"]) == 3 and kept["n_iter"] > 3
    assert loaded.trainer[kept["old_dirs"][0]["tensor"]].numel() == 64 * 12 + 12 + 120 + 10
    again, _ = ended(Session.resume(half.directory, (f"training.epochs={whole.plan.experiment.training.epochs}",)))
    for ours, theirs in zip(again.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_closure_uses_all_batches_of_a_step(tmp_path):
    quick = ["optimizer.max_iter=2", "training.epochs=1"]
    _, [whole] = finished(tmp_path / "whole", *quick, "data.batch_size=480")
    _, [pieces] = finished(tmp_path, *quick, "data.batch_size=120", "training.accumulation_steps=4")
    assert pieces.step == whole.step == 3
    assert pieces.train_loss == pytest.approx(whole.train_loss, rel=1e-3)


def test_batch_norm_counts_a_batch_once_and_bfloat16_is_supported(tmp_path):
    norm = 'model.layers=["Flatten", {type="Linear", out_features=12}, "BatchNorm1d", "Tanh", "Linear"]'
    session, _ = finished(tmp_path, norm, LAST, WOLFE, "training.amp=bfloat16")
    assert int(session.network[2].num_batches_tracked) == 9


def test_the_kernels_of_convolutions_are_trained(tmp_path):
    kernels = 'model.layers=[{type="Conv2d", out_channels=4, kernel_size=3}, "ReLU", "Flatten", "ReLU", "Linear"]'
    _, epochs = finished(tmp_path, kernels, LAST, WOLFE)
    assert epochs[-1].train_loss < epochs[0].train_loss / 2


@pytest.mark.parametrize(
    ("override", "where", "fix"),
    [
        ("regularization.clip_grad_value=1.0", "regularization.clip_grad_value", "Remove it"),
        ("optimizer.groups=[{layers=[1], lr=0.1}]", "optimizer.groups", "one parameter group"),
        ("optimizer.no_bias_decay=true", "optimizer.no_bias_decay", "has no weight_decay"),
        ("optimizer.line_search_fn=wolfe", "optimizer.line_search_fn", "strong_wolfe"),
        ("optimizer.others=AdamW", "optimizer.others", "Muon"),
        ("optimizer.weight_decay=0.01", "optimizer.weight_decay", "regularization.l2"),
    ],
)
def test_settings_that_lbfgs_does_not_support_are_mistakes_with_a_fix(override, where, fix):
    (mistake,) = check(reads(RUN, [override])).mistakes
    assert mistake.path == where and fix in str(mistake)


def test_float16_is_refused_because_a_scaler_supports_no_closure(monkeypatch):
    monkeypatch.setattr("engine.plan.stages.resources.resolve_precision", lambda amp, device: "float16")
    (mistake,) = check(reads(RUN)).mistakes
    assert mistake.path == "training.amp" and "GradScaler" in str(mistake) and '"bfloat16"' in mistake.fix
