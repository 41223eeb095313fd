"""The learning rate of each step, against torch's scheduler in a loop written by hand."""

import json
import time
import warnings
from math import cos, pi

import pytest
import torch

from engine.catalog import catalog
from engine.experiment import load, read
from engine.experiment.document import Choice, Scheduler
from engine.plan import check
from engine.plan.planned_rates import PlannedRates, corners
from engine.training.schedule import LearningRate

EPOCHS, STEPS = 6, 4


def fresh(choice):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    return optimizer, LearningRate(optimizer, choice, epochs=EPOCHS, steps_per_epoch=STEPS)


def rates_of(choice):
    optimizer, rate = fresh(choice)
    optimizer.step()
    rates = []
    for _ in range(EPOCHS):
        for _ in range(STEPS):
            rates.append(rate.lr)
            rate.step_done()
        rate.epoch_done({"val_loss": 0.0})
    return rates


@pytest.mark.parametrize("warmup_epochs", [0, 1, 2])
def test_a_schedule_by_epochs_starts_at_its_full_rate_after_the_warmup_and_is_never_zero(warmup_epochs):
    rates = rates_of(Scheduler(type="CosineAnnealingLR", warmup_epochs=float(warmup_epochs)))
    warmup_steps, left = warmup_epochs * STEPS, EPOCHS - warmup_epochs
    assert rates[:warmup_steps] == pytest.approx([(i + 1) / (warmup_steps + 1) for i in range(warmup_steps)])
    expected = [(1 + cos(pi * epoch / left)) / 2 for epoch in range(left) for _ in range(STEPS)]
    assert rates[warmup_steps:] == pytest.approx(expected)
    assert rates[-1] > 0.01


def test_milestones_are_counted_from_the_end_of_the_warmup():
    rates = rates_of(Scheduler.model_validate({"type": "MultiStepLR", "milestones": [1, 3], "warmup_epochs": 1.0}))
    by_epoch = rates[STEPS::STEPS]
    assert by_epoch == pytest.approx([1, 0.1, 0.1, 0.01, 0.01])


def test_a_schedule_that_resumes_at_the_end_of_an_epoch_gives_no_warning():
    choice = Scheduler(type="CosineAnnealingLR")
    optimizer, rate = fresh(choice)
    optimizer.step()
    for _ in range(STEPS):
        rate.step_done()
    _, resumed = fresh(choice)
    resumed.load_state_dict(rate.state_dict())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resumed.epoch_done({"val_loss": 0.0})
        rate.epoch_done({"val_loss": 0.0})
    assert resumed.lr == rate.lr


# Every scheduler of the catalog: what a document gives, and what torch is given by hand for a run of 6 epochs of 4
# steps, with the rate 1.0. A new entry needs a line here.
PARTS = [{"type": "LinearLR", "total_iters": 0.5}, "CosineAnnealingLR", {"type": "ExponentialLR", "gamma": 0.5}]
BY_HAND = {
    "CosineAnnealingLR": ({}, lambda s, o, moves: s.CosineAnnealingLR(o, T_max=moves)),
    "OneCycleLR": ({}, lambda s, o, moves: s.OneCycleLR(o, max_lr=1.0, total_steps=moves, cycle_momentum=False)),
    "StepLR": ({"step_size": 0.34}, lambda s, o, moves: s.StepLR(o, step_size=round(0.34 * moves))),
    "MultiStepLR": ({}, lambda s, o, moves: s.MultiStepLR(o, milestones=[round(moves / 2), round(0.75 * moves)])),
    "ExponentialLR": ({"gamma": 0.9}, lambda s, o, moves: s.ExponentialLR(o, gamma=0.9)),
    "ReduceLROnPlateau": (
        {"monitor": "val_accuracy", "patience": 0},
        lambda s, o, moves: s.ReduceLROnPlateau(o, mode="max", patience=0),
    ),
    "LinearLR": ({"total_iters": 3}, lambda s, o, moves: s.LinearLR(o, total_iters=3)),
    "PolynomialLR": ({"power": 2.0}, lambda s, o, moves: s.PolynomialLR(o, total_iters=moves, power=2.0)),
    "CosineAnnealingWarmRestarts": (
        {"T_0": 2, "T_mult": 2},
        lambda s, o, moves: s.CosineAnnealingWarmRestarts(o, T_0=2, T_mult=2),
    ),
    "CyclicLR": (
        {"mode": "triangular2"},
        lambda s, o, moves: s.CyclicLR(
            o, 0.25, 1.0, step_size_up=2 * moves // EPOCHS, mode="triangular2", cycle_momentum=False
        ),
    ),
    "ConstantLR": ({"factor": 0.5, "total_iters": 2}, lambda s, o, moves: s.ConstantLR(o, factor=0.5, total_iters=2)),
    "SequentialLR": (
        {"schedulers": PARTS, "milestones": [0.34, 0.67]},
        lambda s, o, moves: s.SequentialLR(
            o,
            [
                s.LinearLR(o, total_iters=round(0.5 * round(0.34 * moves))),
                s.CosineAnnealingLR(o, T_max=round(0.67 * moves) - round(0.34 * moves)),
                s.ExponentialLR(o, gamma=0.5),
            ],
            milestones=[round(0.34 * moves), round(0.67 * moves)],
        ),
    ),
    "ChainedScheduler": (
        {"schedulers": ["CosineAnnealingLR", {"type": "ConstantLR", "factor": 0.5, "total_iters": 3}]},
        lambda s, o, moves: s.ChainedScheduler(
            [s.CosineAnnealingLR(o, T_max=moves), s.ConstantLR(o, factor=0.5, total_iters=3)]
        ),
    ),
}
SCORES = [0.5, 0.6, 0.6, 0.6, 0.7, 0.7]


def driven_by_hand(make, interval, rates_of_groups):
    """The rates of every step, of a scheduler of torch's over an optimizer that nothing else touches."""
    optimizer = torch.optim.SGD([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": r} for r in rates_of_groups])
    moves = EPOCHS * STEPS if interval == "step" else EPOCHS
    scheduler = make(torch.optim.lr_scheduler, optimizer, moves)
    optimizer.step()
    rates = []
    for epoch in range(EPOCHS):
        for _ in range(STEPS):
            rates.append([group["lr"] for group in optimizer.param_groups])
            if interval == "step" and len(rates) < moves:
                scheduler.step()
        if interval == "epoch":
            scheduler.step(*[SCORES[epoch]] * isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau))
    return rates


@pytest.mark.parametrize("interval", ["epoch", "step"])
@pytest.mark.parametrize("name", list(catalog("schedulers")))
def test_the_rates_of_a_run_are_those_of_torchs_scheduler_at_every_step_also_across_a_resume(name, interval):
    given, make = BY_HAND[name]
    if name == "ReduceLROnPlateau" and interval == "step":
        pytest.skip("it goes by what an epoch measures")
    choice = Scheduler.model_validate({"type": name, "interval": interval, **given})
    groups = [1.0] if name in ("OneCycleLR", "CyclicLR") else [1.0, 0.25]
    expected = driven_by_hand(make, interval, groups)

    def made():
        optimizer = torch.optim.SGD([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in groups])
        rate = LearningRate(optimizer, choice, epochs=EPOCHS, steps_per_epoch=STEPS)
        optimizer.step()
        return rate

    rate, found = made(), []
    for epoch in range(EPOCHS):
        for step in range(STEPS):
            found.append([group["lr"] for group in rate.optimizer.param_groups])
            if len(found) < EPOCHS * STEPS:
                rate.step_done()
            if step == epoch % STEPS:  # as a checkpoint of that moment holds it
                state = json.loads(json.dumps(rate.state_dict()))
                rate = made()
                rate.load_state_dict(state)
        rate.epoch_done({"val_accuracy": SCORES[epoch], "val_loss": float(epoch)})
    assert found == expected


@pytest.mark.parametrize("interval", ["epoch", "step"])
@pytest.mark.parametrize("name", [n for n in catalog("schedulers") if n != "ReduceLROnPlateau"])
def test_the_plan_has_the_rate_of_every_step_of_short_and_very_long_runs(name, interval, monkeypatch):
    given, _ = BY_HAND[name]
    settings = {"type": name, "interval": interval, "warmup_epochs": 1.5, **given}
    experiment = load("digits-cnn").model_copy(update={"scheduler": Scheduler.model_validate(settings)})
    experiment = experiment.model_copy(
        update={
            "training": experiment.training.model_copy(update={"epochs": EPOCHS}),
            "optimizer": Choice.model_validate({"type": "SGD", "lr": 1.0}),
        }
    )
    planned = PlannedRates(experiment, STEPS)
    optimizer, rate = fresh(experiment.scheduler)
    optimizer.step()
    taken = []
    for _ in range(EPOCHS):
        for _ in range(STEPS):
            taken.append(rate.lr)
            if len(taken) < EPOCHS * STEPS:
                rate.step_done()
        rate.epoch_done()
    assert list(planned) == taken
    assert planned.highest == max(taken)
    monkeypatch.setattr("engine.plan.planned_rates.DRIVEN", 0)
    assert list(PlannedRates(experiment, STEPS)) == pytest.approx(taken, abs=1e-12)


@pytest.mark.parametrize("scheduler", ["CosineAnnealingLR", "OneCycleLR"])
def test_a_run_of_a_million_epochs_is_planned_immediately(scheduler):
    check(read("digits-cnn"))
    started = time.thread_time()
    plan = check(read("digits-cnn", ["training.epochs=1000000", f"scheduler={{type='{scheduler}', warmup_epochs=2}}"]))
    drawn = corners(plan.lr)
    assert time.thread_time() - started < 3  # its steps one by one would take a minute
    assert plan.ok and len(plan.lr) == 23_000_000 and 200 < len(drawn) <= 257
    assert plan.highest_lr == pytest.approx(3e-3, rel=1e-3)
    assert drawn[-1] == (23_000_000, plan.lr[-1]) and plan.lr[-1] < 1e-6


def test_groups_keep_the_ratios_of_their_rates_when_a_scheduler_sets_one():
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (1.0, 0.1)]
    optimizer = torch.optim.SGD(groups)
    choice = Scheduler.model_validate({"type": "OneCycleLR", "max_lr": 2.0})
    rate = LearningRate(optimizer, choice, epochs=EPOCHS, steps_per_epoch=STEPS)
    optimizer.step()
    for _ in range(EPOCHS * STEPS - 1):
        first, second = (group["lr"] for group in optimizer.param_groups)
        assert second == pytest.approx(first / 10)
        rate.step_done()


@pytest.mark.parametrize(
    "scheduler",
    [
        "{type='CosineAnnealingLR', warmup_epochs=0.5, interval='step'}",
        "{type='OneCycleLR', max_lr=0.05}",
        "{type='CyclicLR', base_lr=0.01, max_lr=0.1}",
        "{type='StepLR', step_size=2}",
        "none",
    ],
)
def test_the_planned_rate_of_a_group_is_its_rate_in_a_run(scheduler):
    optimizer = "optimizer={type='SGD', lr=0.1, groups=[{layers=[0], lr=0.004}]}"
    plan = check(read("wine", [optimizer, f"scheduler={scheduler}", "training.epochs=4"]))
    others, planned = plan.group_rates
    assert [group.layers for group in plan.groups] == [None, (0,)] and others == plan.lr
    base, own = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    optimizer = torch.optim.SGD([{"params": [base]}, {"params": [own], "lr": 0.004}], lr=0.1)
    rate = LearningRate(
        optimizer,
        plan.experiment.scheduler,
        epochs=plan.experiment.training.epochs,
        steps_per_epoch=plan.steps_per_epoch,
    )
    driven = []
    for step in range(plan.steps):
        driven.append(optimizer.param_groups[1]["lr"])
        optimizer.step()
        rate.step_done()
        if (step + 1) % plan.steps_per_epoch == 0:
            rate.epoch_done()
    assert driven == pytest.approx(list(planned), rel=1e-9, abs=1e-15)
