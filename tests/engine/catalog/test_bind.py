"""Choices bound to torch's objects behave as the objects made by hand."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from engine.catalog import catalog
from engine.catalog.bind import build_loss, build_optimizer, build_scheduler
from engine.catalog.optimizers import NEEDS_CLOSURE
from engine.catalog.schedulers import default_interval
from engine.experiment import Choice, Scheduler
from engine.plan.stages.resources import state_numbers


def weights() -> nn.Parameter:
    return nn.Parameter(torch.linspace(-1, 1, 64).reshape(8, 8))


@pytest.mark.parametrize("name", ["BCELoss", "BCEWithLogitsLoss"])
def test_losses_of_one_output_take_classes_as_the_data_has_them(name):
    output, target = torch.tensor([[0.3], [0.8], [0.5]]), torch.tensor([0, 1, 1])
    by_hand = getattr(nn, name)()(output, target[:, None].float())
    assert torch.equal(build_loss(Choice(type=name))(output, target), by_hand)


def test_a_loss_is_torchs_own_with_its_parameters():
    output, target = torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0])
    built = build_loss(Choice.model_validate({"type": "CrossEntropyLoss", "label_smoothing": 0.1}))
    assert torch.equal(built(output, target), nn.CrossEntropyLoss(label_smoothing=0.1)(output, target))


def moved(optimizer, parameter, slope):
    """One step down a slope; into a bowl with an optimizer that asks for its gradient again and again."""
    if type(optimizer).__name__ not in NEEDS_CLOSURE:
        parameter.grad = torch.full_like(parameter, slope)
        optimizer.step()
        return

    curvature = slope * torch.linspace(1, 3, 64).reshape(8, 8)

    def closure():
        parameter.grad = curvature * parameter.detach()
        return (curvature * parameter.detach().square() / 2).sum()

    optimizer.step(closure)


@pytest.mark.parametrize("name", list(catalog("optimizers")))
@pytest.mark.parametrize("fused", [False, True])
def test_every_optimizer_steps_as_one_made_by_hand(name, fused):
    built, by_hand = weights(), weights()
    ours = build_optimizer(Choice.model_validate({"type": name, "lr": 0.02}), [built], fused=fused)
    torchs = getattr(torch.optim, name)([by_hand], lr=0.02)
    for optimizer, parameter in ((ours, built), (torchs, by_hand)):
        for step in range(3):
            moved(optimizer, parameter, 0.1 * (step + 1))
    assert torch.allclose(built, by_hand, atol=1e-7)
    assert bool(ours.defaults.get("fused")) == (fused and name in ("SGD", "Adam", "AdamW", "Adagrad"))


OPTIONS = [{}, {"momentum": 0.9}, {"momentum": 0.9, "centered": True}, {"amsgrad": True}, {"history_size": 2}]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        (e.name, o)
        for e in catalog("optimizers").values()
        for o in OPTIONS
        if set(o) <= set(e.parameters) and (e.name not in NEEDS_CLOSURE or "history_size" in o)
    ],
)
def test_the_numbers_that_an_optimizer_keeps_for_a_weight_are_counted_right(name, options):
    parameter = weights()
    optimizer = build_optimizer(Choice.model_validate({"type": name, **options}), [parameter], fused=False)
    moved(optimizer, parameter, 1.0)
    slots = optimizer.state[parameter].values()
    tensors = [t for slot in slots for t in (slot if isinstance(slot, list) else [slot]) if isinstance(t, torch.Tensor)]
    kept = [t for t in tensors if t.numel() == 64]
    assert state_numbers(optimizer) == len(kept)


def rates(choice: Scheduler, optimizer: torch.optim.Optimizer, epochs: int, steps: int) -> list[float]:
    scheduler = build_scheduler(choice, optimizer, epochs=epochs, steps_per_epoch=steps)
    found = []
    for _ in range(epochs * steps if default_interval(choice.type) == "step" else epochs):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return [*found, optimizer.param_groups[0]["lr"]]


def test_cosine_annealing_ends_with_the_run():
    optimizer = torch.optim.SGD([weights()], lr=0.1)
    found = rates(Scheduler(type="CosineAnnealingLR"), optimizer, epochs=10, steps=7)
    assert found[0] == pytest.approx(0.1)
    assert found[5] == pytest.approx(0.05)
    assert found[10] == pytest.approx(0, abs=1e-12)


def test_one_cycle_peaks_at_the_optimizers_rate_and_takes_every_step_of_the_run():
    optimizer = torch.optim.SGD([weights()], lr=0.1, momentum=0.9)
    scheduler = build_scheduler(Scheduler(type="OneCycleLR"), optimizer, epochs=4, steps_per_epoch=25)
    by_hand = torch.optim.lr_scheduler.OneCycleLR(
        other := torch.optim.SGD([weights()], lr=0.1, momentum=0.9), max_lr=0.1, total_steps=100
    )
    for _ in range(99):
        optimizer.step(), scheduler.step(), other.step(), by_hand.step()
        assert optimizer.param_groups[0]["lr"] == other.param_groups[0]["lr"]
        assert optimizer.param_groups[0]["momentum"] == other.param_groups[0]["momentum"]


def test_no_scheduler_turns_on_a_momentum_that_nobody_asked_for():
    for name in ("OneCycleLR", "CyclicLR"):
        optimizer = torch.optim.SGD([weights()], lr=0.1)
        build_scheduler(Scheduler(type=name), optimizer, epochs=2, steps_per_epoch=5)
        assert optimizer.param_groups[0]["momentum"] == 0


def test_the_interval_of_a_scheduler_sets_what_is_inferred():
    optimizer = torch.optim.SGD([weights()], lr=0.1)
    by_step = Scheduler(type="CosineAnnealingLR", interval="step")
    assert build_scheduler(by_step, optimizer, epochs=3, steps_per_epoch=11).T_max == 33
    assert default_interval("OneCycleLR") == "step"
    assert default_interval("StepLR") == "epoch"


def test_an_optimizer_is_made_without_importing_torchs_compiler():
    script = (
        "import sys, torch\nfrom engine.catalog.bind import build_optimizer\nfrom engine.experiment import Choice\n"
        "o = build_optimizer(Choice(type='AdamW'), [torch.nn.Parameter(torch.zeros(2))], fused=True)\n"
        "o.zero_grad(); o.load_state_dict(o.state_dict())\n"
        "assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


SCORES, CLASSES = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 0, 0, 1, 1, 2])


@pytest.mark.parametrize("name", ["CrossEntropyLoss", "NLLLoss", "MultiMarginLoss"])
@pytest.mark.parametrize(
    ("asked", "expected"), [([1.0, 2.0, 0.5], [1.0, 2.0, 0.5]), ("balanced", [6 / 9, 6 / 6, 6 / 3])]
)
def test_class_weights_are_given_or_balance_the_classes_of_the_training_samples(name, asked, expected):
    loss = build_loss(Choice.model_validate({"type": name, "weight": asked}), class_counts=[3, 2, 1])
    by_hand = getattr(nn, name)(weight=torch.tensor(expected))
    assert torch.equal(loss(SCORES, CLASSES), by_hand(SCORES, CLASSES))


@pytest.mark.parametrize(("asked", "expected"), [(2.5, 2.5), ("balanced", 3.0)])
def test_the_second_of_two_classes_can_count_more(asked, expected):
    output, target = torch.tensor([[0.3], [-0.8], [0.5]]), torch.tensor([0, 1, 1])
    loss = build_loss(Choice.model_validate({"type": "BCEWithLogitsLoss", "pos_weight": asked}), class_counts=[30, 10])
    by_hand = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(expected))
    assert torch.equal(loss(output, target), by_hand(output, target[:, None].float()))


def test_the_soft_margin_loss_takes_classes_as_the_data_has_them():
    output, target = torch.tensor([[0.3], [-0.8], [0.5]]), torch.tensor([0, 1, 1])
    found = build_loss(Choice(type="SoftMarginLoss"))(output, target)
    assert torch.allclose(found, build_loss(Choice(type="BCEWithLogitsLoss"))(output, target))


@pytest.mark.parametrize("name", ["CrossEntropyLoss", "NLLLoss"])
@pytest.mark.parametrize("asked", [{"ignore_index": 0}, {"ignore_index": 0, "weight": [3.0, 2.0, 0.5]}])
def test_an_ignored_class_counts_for_nothing_even_where_a_batch_has_no_other(name, asked):
    loss = build_loss(Choice.model_validate({"type": name, **asked}))
    weight = torch.tensor(asked["weight"]) if "weight" in asked else None
    by_hand = getattr(nn, name)(ignore_index=0, weight=weight)
    assert torch.allclose(loss(SCORES, CLASSES), by_hand(SCORES, CLASSES))
    assert loss(SCORES[:3], CLASSES[:3]) == 0
