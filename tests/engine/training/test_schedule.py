"""The learning rate of each step, against torch's scheduler driven by hand."""

import warnings
from math import cos, pi

import pytest
import torch

from engine.experiment.document import Scheduler
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
        rate.epoch_done(0.0)
    return rates


@pytest.mark.parametrize("warmup_epochs", [0, 1, 2])
def test_a_schedule_by_epochs_begins_at_its_full_rate_after_the_warmup_and_never_trains_at_zero(warmup_epochs):
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


def test_a_schedule_that_is_gone_on_with_at_the_end_of_an_epoch_warns_of_nothing():
    choice = Scheduler(type="CosineAnnealingLR")
    optimizer, rate = fresh(choice)
    optimizer.step()
    for _ in range(STEPS):
        rate.step_done()
    _, resumed = fresh(choice)
    resumed.load_state_dict(rate.state_dict())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resumed.epoch_done(0.0)
        rate.epoch_done(0.0)
    assert resumed.lr == rate.lr
