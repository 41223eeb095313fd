"""Muon trains the hidden matrices, another optimizer the rest: as two optimizers in a loop written by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from engine.data import load_data
from engine.experiment import dumps, read, reads
from engine.model import build
from engine.model.selection import hidden_matrices
from engine.plan import check
from engine.protocol.events import Epoch
from engine.training.assemble import assemble
from engine.training.order import epoch_order
from engine.training.precision import MixedPrecision
from engine.training.session import Session

RUN = """
seed = 3
[data]
source = "digits"
batch_size = 128
[model]
layers = ["Flatten", {type = "Linear", out_features = 24}, "ReLU", {type = "Linear", out_features = 16},
  {type = "LayerNorm"}, "Tanh", {type = "Linear", out_features = "auto"}]
[loss]
type = "CrossEntropyLoss"
[optimizer]
type = "Muon"
lr = 0.02
others = {type = "AdamW", lr = 2e-3}
[scheduler]
type = "ExponentialLR"
gamma = 0.5
[regularization]
clip_grad_norm = 1.0
[training]
epochs = 3
threads = 1
"""


@pytest.fixture
def one_thread():
    """Give the loop written by hand the one thread of the run: `threads = 1` reaches only the thread of the run."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def finished(tmp_path, *overrides):
    return ended(Session.create(check(reads(RUN, overrides)), runs_dir=tmp_path))


def ended(session):
    session.start()
    assert session.join(100) and session.finished.reason.value == "completed", session.finished
    return session, [event for event in session.drain() if isinstance(event, Epoch)]


def test_a_run_is_two_optimizers_in_a_loop_written_by_hand_to_the_last_bit(tmp_path, one_thread):
    session, epochs = finished(tmp_path)
    data = load_data(reads(RUN).experiment.data, 3)
    x, y = data.x[data.train], data.y[data.train]
    torch.manual_seed(3)
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 16), nn.LayerNorm(16), nn.Tanh(), nn.Linear(16, 10)
    )
    hidden = [network[3].weight]
    rest = [p for p in network.parameters() if p is not network[3].weight]
    optimizers = [torch.optim.Muon(hidden, lr=0.02), torch.optim.AdamW(rest, lr=2e-3, fused=True)]
    schedulers = [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5) for optimizer in optimizers]
    losses = []
    for epoch in (1, 2, 3):
        total = 0.0
        order = epoch_order(len(x), 3, epoch)
        for i in range(0, len(x), 128):
            some = order[i : i + 128]
            network.zero_grad()
            loss = nn.functional.cross_entropy(network(x[some]), y[some])
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            for optimizer in optimizers:
                optimizer.step()
            total += loss.item() * len(some)
        for scheduler in schedulers:
            scheduler.step()
        losses.append(total / len(x))
    assert [epoch.train_loss for epoch in epochs] == losses
    assert [epoch.lr for epoch in epochs] == [0.02, 0.01, 0.005]
    for ours, theirs in zip(session.network.parameters(), network.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    "more",
    [
        [],
        ["regularization.average=ema", "training.accumulation_steps=2", "scheduler=OneCycleLR"],
        ["optimizer.groups=[{layers=[1, 3], lr=0.01}]", "optimizer.no_bias_decay=true"],
        ["optimizer.others={type='SGD', lr=0.1, momentum=0.9}", "training.amp=bfloat16"],
    ],
)
def test_a_resumed_run_equals_an_uninterrupted_run(tmp_path, more):
    whole, epochs = finished(tmp_path / "whole", *more)
    half, _ = finished(tmp_path / "half", *more, "training.epochs=2") if "scheduler" not in str(more) else (None, None)
    assert epochs[-1].train_loss < epochs[0].train_loss
    if half is None:
        return  # a schedule that is made for its own length
    again, _ = ended(Session.resume(half.directory, ("training.epochs=3",)))
    for ours, theirs in zip(again.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def loop_of(*overrides):
    plan = check(reads(RUN, overrides))
    assert plan.ok, plan.mistakes
    return plan, assemble(plan, load_data(plan.experiment.data, 3), None)


def test_a_rate_that_is_set_by_hand_scales_both_and_the_plan_shows_the_groups():
    plan, loop = loop_of("optimizer.groups=[{layers=['3..6'], lr=0.01, weight_decay=0.5}]")
    loop.rate.set(0.04)
    assert [group["lr"] for group in loop.optimizer.param_groups] == pytest.approx([0.04, 8e-3, 4e-3])
    groups = [(g.optimizer, g.weights, g.layers, g.parameters, g.lr, g.weight_decay) for g in plan.groups]
    assert groups == [
        ("Muon", "hidden matrices", ("3..6",), 24 * 16, 0.01, 0.5),
        ("AdamW", "all else", None, 64 * 24 + 24, 2e-3, 0.01),
        ("AdamW", "all else", ("3..6",), 16 + 32 + 160 + 10, 1e-3, 0.5),
    ]
    assert [len(group["params"]) for group in loop_of()[1].optimizer.param_groups] == [1, 7]


def test_the_second_optimizer_is_adamw_unless_another_is_named():
    plan = check(reads(RUN.replace('others = {type = "AdamW", lr = 2e-3}', "")))
    assert plan.experiment.optimizer.others.parameters["lr"] == 1e-3
    assert check(reads(dumps(plan.experiment))) == plan


@pytest.mark.parametrize(
    ("preset", "hidden"),
    [
        ("mlp-breast-cancer", None),
        ("lenet", None),
        ("digits-lstm", ["0.weight_hh_l0"]),
        (
            "transformer-text",
            [f"3.layers.0.{name}" for name in ("self_attn.in_proj_weight", "self_attn.out_proj.weight")]
            + ["3.layers.0.linear1.weight", "3.layers.0.linear2.weight"],
        ),
        ("gru-attention", None),
    ],
)
def test_hidden_matrices_are_those_between_the_first_layer_and_the_last(preset, hidden):
    plan = check(read(preset, ["optimizer={type='Muon'}"]))
    assert plan.ok, plan.mistakes
    network = build(plan.experiment, plan.description)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    found = [names[id(parameter)] for parameter in hidden_matrices(network)]
    first, last = (next(n for n, p in order if p.ndim >= 2) for order in (_named(network), _named(network)[::-1]))
    assert found and first not in found and last not in found
    assert hidden is None or found == hidden
    assert sum(group.parameters for group in plan.groups) == plan.parameters


def _named(network):
    return list(network.named_parameters())


def test_a_scaler_skips_the_step_of_both_when_a_gradient_overflows():
    _, loop = loop_of()
    precision = MixedPrecision("float16", "cpu", loop.optimizer)
    weights = [parameter.detach().clone() for parameter in loop.network.parameters()]

    def step(scale):
        loss = sum((parameter * scale).sum() for parameter in loop.network.parameters())
        precision.backward(loss)
        precision.unscale()
        precision.step()
        loop.optimizer.zero_grad()
        pairs = zip(loop.network.parameters(), weights, strict=True)
        return {torch.equal(parameter, before) for parameter, before in pairs}

    assert step(1e36) == {True}
    assert step(1e-3) == {False}


@pytest.mark.parametrize(
    ("overrides", "where", "fix"),
    [
        (['model.layers=["Flatten", {type="Linear", out_features="auto"}]'], "optimizer.type", "AdamW"),
        (["optimizer.others=Muon"], "optimizer.others.type", "AdamW"),
        (["optimizer.others=LBFGS"], "optimizer.others.type", "AdamW"),
        (["optimizer.others=AdmW"], "optimizer.others.type", "Did you mean AdamW?"),
        (["optimizer.others={type='AdamW', lrr=1.0}"], "optimizer.others.lrr", "Did you mean lr?"),
        (["optimizer.others={type='AdamW', lr=-1.0}"], "optimizer.others.lr", "the default is"),
        (["optimizer.others={type='SGD', lr=1e3}"], "optimizer.others.lr", "Set it to 0.1, for example."),
        (["optimizer.ns_steps=100"], "optimizer.ns_steps", "at most 99"),
    ],
)
def test_settings_that_muon_does_not_support_are_mistakes_with_a_fix(overrides, where, fix):
    (mistake,) = check(reads(RUN, overrides)).mistakes
    assert mistake.path == where and fix in str(mistake)
