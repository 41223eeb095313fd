"""Layers with a rate or a decay of their own, in the optimizer of a run."""

from __future__ import annotations

import pytest
import torch

from engine.data import load_data
from engine.experiment import read
from engine.experiment.document import Optimizer
from engine.model import build
from engine.model.parameter_groups import groups_of, parameter_groups
from engine.plan import check
from engine.training.checkpoint import load_checkpoint, newest_checkpoint
from engine.training.session import Session

SLOW_START = "optimizer.groups=[{layers=[0, 'BatchNorm2d'], lr=1e-4}, {layers=['Linear'], weight_decay=0.5}]"
QUICK = ["training.epochs=2", "training.threads=1", "data.batch_size=512"]


def network_of(*overrides):
    plan = check(read("digits-cnn", [*QUICK, *overrides]))
    assert plan.ok, plan.mistakes
    return plan, build(plan.experiment, load_data(plan.experiment.data, 0).description)


def test_every_weight_is_in_one_group_and_the_layers_that_none_names_come_first():
    plan, network = network_of(SLOW_START)
    rest, slow, linear = parameter_groups(plan.experiment.optimizer, network)
    assert slow["lr"] == 1e-4 and linear["weight_decay"] == 0.5 and set(rest) == {"params"}
    together = [id(p) for group in (rest, slow, linear) for p in group["params"]]
    assert sorted(together) == sorted(id(p) for p in network.parameters())
    linears = [p for m in network.modules() if isinstance(m, torch.nn.Linear) for p in m.parameters()]
    assert {id(p) for p in linear["params"]} == {id(p) for p in linears}
    assert id(network[0].weight) in {id(p) for p in slow["params"]}


def names_in(group, network):
    return [name for name, p in network.named_parameters() if id(p) in set(map(id, group["params"]))]


@pytest.mark.parametrize(
    ("ranged", "spelled"),
    [
        ("['0..1']", "[0, 1]"),
        ("['model.layers[1..3]', 'Linear']", "[3, 'model.layers[1]', 'Linear']"),
        ("['layers[3].layers[1..3]']", "['model.layers[3].layers[1]', 'model.layers[3].layers[3]']"),
    ],
)
def test_a_range_means_its_layers_both_ends_included(ranged, spelled):
    found = []
    for asked in (ranged, spelled):
        plan = check(read("resnet-digits", [f"optimizer.groups=[{{layers={asked}, lr=1e-4}}]"]))
        assert plan.ok, plan.mistakes
        network = build(plan.experiment, plan.description)
        found.append([names_in(group, network) for group in parameter_groups(plan.experiment.optimizer, network)])
    assert found[0] == found[1]
    assert len(found[0]) == 2 and all(found[0])


@pytest.mark.parametrize("preset", ["vgg-small", "transformer-text", "digits-lstm", "lenet"])
@pytest.mark.parametrize("type", ["AdamW", "Muon"])
def test_the_plan_counts_what_the_groups_of_the_run_have(preset, type):
    more = "groups=[{layers=['0..2'], lr=1e-4}], no_bias_decay=true"
    plan = check(read(preset, [f"optimizer={{type='{type}', lr=1e-3, {more}}}"]))
    assert plan.ok, plan.mistakes
    groups = groups_of(plan.experiment.optimizer, build(plan.experiment, plan.description))
    assert [group.parameters for group in plan.groups] == [sum(p.numel() for p in g.parameters) for g in groups]
    assert sum(group.parameters for group in plan.groups) == plan.parameters
    assert len(plan.groups) >= 2


def test_biases_and_norms_do_not_decay_where_that_is_asked_for():
    plan, network = network_of("optimizer.no_bias_decay=true")
    decayed, spared = parameter_groups(plan.experiment.optimizer, network)
    assert spared["weight_decay"] == 0 and "weight_decay" not in decayed
    assert all(p.ndim >= 2 for p in decayed["params"]) and all(p.ndim == 1 for p in spared["params"])
    assert parameter_groups(Optimizer(type="AdamW"), network) == list(network.parameters())


def trained(tmp_path, *overrides):
    return ended(Session.create(check(read("digits-cnn", [*QUICK, *overrides])), runs_dir=tmp_path))


def ended(session):
    session.start()
    assert session.join(100) and session.finished.reason.value == "completed", session.finished
    return session


@pytest.mark.parametrize("interval", ["epoch", "step"])
def test_groups_go_on_with_their_own_rates_and_moments_after_a_resume(tmp_path, interval):
    asked = [
        SLOW_START,
        "optimizer.no_bias_decay=true",
        f"scheduler={{type='ExponentialLR', gamma=0.5, interval='{interval}'}}",
    ]
    whole = trained(tmp_path / "whole", *asked, "training.epochs=2")
    half = trained(tmp_path / "half", *asked, "training.epochs=1")
    again = ended(Session.resume(half.directory, ("training.epochs=2",)))
    for ours, theirs in zip(again.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    state = load_checkpoint(newest_checkpoint(again.directory / "checkpoints")).state
    rates = {group["lr"] for group in state["optimizer"]["groups"]}
    assert len(rates) == 2 and max(rates) / min(rates) == pytest.approx(30)


def test_a_backbone_has_a_rate_of_its_own_by_its_path_or_type():
    free = ["model.layers[0].weights=none", "model.layers[0].freeze=false"]
    for name in ("0", "'model.layers[0]'", "'torchvision'"):
        plan = check(read("resnet18-finetune", [*free, f"optimizer.groups=[{{layers=[{name}], lr=1e-4}}]"]))
        assert plan.ok, plan.mistakes
        network = build(plan.experiment, plan.description)
        rest, slow = parameter_groups(plan.experiment.optimizer, network)
        assert slow["lr"] == 1e-4
        assert {id(p) for p in slow["params"]} == {id(p) for p in network[0].parameters()}
        assert {id(p) for p in rest["params"]} == {id(p) for p in network[1].parameters()}


def test_what_is_frozen_is_in_no_group_and_a_group_of_it_is_a_mistake():
    frozen = ["model.layers[0].weights=none", "optimizer.no_bias_decay=true"]
    plan = check(read("resnet18-finetune", frozen))
    network = build(plan.experiment, plan.description)
    groups = parameter_groups(plan.experiment.optimizer, network)
    assert [[tuple(p.shape) for p in group["params"]] for group in groups] == [[(10, 512)], [(10,)]]
    (mistake,) = check(read("resnet18-finetune", ["optimizer.groups=[{layers=[0], lr=1e-4}]"])).mistakes
    assert str(mistake) == (
        "optimizer.groups[0].layers[0]: torchvision is frozen; a parameter group needs weights. "
        "Remove it, or set model.layers[0].freeze = false."
    )


@pytest.mark.parametrize(
    ("override", "where", "fix"),
    [
        ("optimizer.groups=[{layers=[99], lr=1e-4}]", "optimizer.groups[0].layers[0]", "Use one of"),
        ("optimizer.groups=[{layers=['Flatten'], lr=1e-4}]", "Flatten has no weights", "Remove it."),
        ("optimizer.groups=[{layers=[0], lrr=1e-4}]", "optimizer.groups[0].lrr", "Did you mean lr?"),
        ("optimizer.groups=[{layers=[0], lr=-1.0}]", "optimizer.groups[0].lr", "the default is"),
        ("optimizer.groups=[{layers=['4..1'], lr=1e-4}]", "optimizer.groups[0].layers[0]", "Write '1..4'."),
        (
            "optimizer.groups=[{layers=['0..99999999999'], lr=1e-4}]",
            "no layer at model.layers[99999999999]",
            "Use one",
        ),
        ("optimizer.groups=[{layers=['2..3'], lr=1e-4}]", "none of 2..3 has weights", "Remove it."),
        ("optimizer.groups=[{layers=['0...3'], lr=1e-4}]", "'0...3' is not a layer of the model", "Use one of these."),
        ("optimizer.groups=[{lr=1e-4}]", "optimizer.groups[0].layers", "missing"),
        ("optimizer={type='Rprop', no_bias_decay=true}", "Rprop has no weight_decay", "Remove it."),
    ],
)
def test_a_group_that_cannot_be_is_a_mistake_with_its_fix(override, where, fix):
    (mistake,) = check(read("digits-cnn", [override])).mistakes
    assert where in str(mistake) and fix in str(mistake)
