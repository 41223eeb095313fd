"""The steps at which the picture of a schedule computes rates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from engine.experiment import read
from engine.plan import check
from tui.pictures.schedule import highest_of, sampled

SCHEDULES = (
    "CosineAnnealingLR",
    "OneCycleLR",
    "{type='OneCycleLR', pct_start=0.077}",
    "{type='CosineAnnealingLR', warmup_epochs=2.3, interval='step'}",
    "{type='StepLR', step_size=9, gamma=0.5}",
    "{type='CosineAnnealingWarmRestarts', T_0=7}",
    "none",
)


@pytest.mark.parametrize("scheduler", SCHEDULES)
def test_the_first_last_and_highest_rates_are_exact(scheduler: str) -> None:
    plan = check(read("digits-cnn", [f"scheduler={scheduler}"]))
    rates = sampled(plan.lr, 120)
    every = list(plan.lr)
    assert rates[0] == (0, every[0]) and rates[-1] == (len(every) - 1, every[-1])
    assert highest_of(rates)[1] == max(every)
    assert all(every[step] == rate for step, rate in rates)


def test_few_of_a_million_rates_are_computed() -> None:
    class Counted(Sequence[float]):
        computed = 0

        def __len__(self) -> int:
            return 1_000_000

        def __getitem__(self, index: Any) -> Any:
            assert isinstance(index, int)
            self.computed += 1
            return 1 - abs(index - 333_333) / 1e6

        __hash__ = object.__hash__

    rates = Counted()
    found = sampled(rates, 400)
    assert highest_of(found) == (333_333, 1.0)
    assert rates.computed < 500
    assert sampled(rates, 400) is found


def test_a_run_of_one_step_has_rates() -> None:
    assert sampled((0.1,), 64) == ((0, 0.1),)
    assert sampled([0.1, 0.2], 64) == ((0, 0.1), (1, 0.2))
