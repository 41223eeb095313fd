"""The planned learning rate, and the effect of a manual change."""

from __future__ import annotations

import math
import os
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.run_view import Curve, LRChange, RunView
from tui.series import Series
from tui.widgets.curves import planned_from_here

EXAMPLES = 2000 if os.environ.get("TORCHDECK_THOROUGH") else 100
STEPS = 690
Plan = tuple[tuple[int, float], ...]
CONSTANT: Plan = ((1, 1e-3), (STEPS, 1e-3))
FALLING: Plan = ((1, 1e-3), (STEPS, 1e-5))
ONE_STAIR: Plan = ((1, 1e-3), (300, 1e-3), (301, 1e-4), (STEPS, 1e-4))


def view(plan: Plan, step: int, *changes: tuple[int, float], now: float | None = None) -> RunView:
    """A run that took `step` steps; the rate that it takes now is the plan's, or that of the last change."""
    given = RunView(state="training", lr_plan=plan)
    scale = changes[-1][1] / (given.planned_lr(max(changes[-1][0], 1)) or 1) if changes else 1.0
    rate = now if now is not None else (given.planned_lr(max(step, 1)) or 0) * scale
    taken = Series()
    taken.append(max(step, 1), rate)
    return RunView(
        state="training",
        lr_plan=plan,
        step=step,
        steps=STEPS,
        lr_now=rate,
        lr=Curve(taken.snapshot(), taken.last, taken.version),
        lr_changes=tuple(LRChange(step, value) for step, value in changes),
    )


def at(points: list[tuple[float, float]], step: float) -> float:
    """The rate of a plan just right of a step."""
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 <= step < x1:
            return y0 + (y1 - y0) * (step - x0) / (x1 - x0)
    return points[-1][1]


def test_without_a_change_the_plan_is_unchanged() -> None:
    for plan in (CONSTANT, FALLING, ONE_STAIR):
        assert planned_from_here(view(plan, 100)) == [(float(step), rate) for step, rate in plan]


@pytest.mark.parametrize("step", [100, 101, 250, 400])
def test_a_constant_rate_raised_at_step_100_is_two_horizontal_lines(step: int) -> None:
    points = planned_from_here(view(CONSTANT, step, (100, 1.5e-3)))
    assert points == [(1.0, 1e-3), (100.0, 1e-3), (100.0, pytest.approx(1.5e-3)), (690.0, pytest.approx(1.5e-3))]


def test_each_of_several_changes_splits_the_plan() -> None:
    points = planned_from_here(view(CONSTANT, 300, (100, 1.5e-3), (200, 5e-4)))
    assert [at(points, step) for step in (50, 99, 100, 199, 200, 600)] == pytest.approx(
        [1e-3, 1e-3, 1.5e-3, 1.5e-3, 5e-4, 5e-4]
    )


def test_a_change_is_drawn_before_the_next_step_is_taken() -> None:
    points = planned_from_here(view(CONSTANT, 100, (100, 2e-3), now=2e-3))
    assert at(points, 101) == pytest.approx(2e-3)
    assert at(points, 99) == pytest.approx(1e-3)


def test_a_change_before_the_first_step_scales_all_of_the_plan() -> None:
    points = planned_from_here(view(FALLING, 0, (0, 2e-3)))
    assert points == [(1.0, pytest.approx(2e-3)), (690.0, pytest.approx(2e-5))]


def test_a_rate_scaled_by_a_scheduler_without_a_plan_is_continued() -> None:
    points = planned_from_here(view(CONSTANT, 300, now=1e-4))
    assert at(points, 299) == pytest.approx(1e-3)
    assert at(points, 300) == at(points, 600) == pytest.approx(1e-4)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.sampled_from([CONSTANT, FALLING, ONE_STAIR]),
    st.lists(st.tuples(st.integers(0, 600), st.floats(1e-6, 1.0)), max_size=4, unique_by=lambda one: one[0]),
    st.integers(0, 90),
)
def test_the_plan_is_the_scaled_plan_on_each_side_of_each_change(
    plan: Plan, changes: list[tuple[int, float]], since: int
) -> None:
    changes.sort()
    run = view(plan, (changes[-1][0] if changes else 0) + since, *changes)
    points = planned_from_here(run)
    assert points == sorted(points, key=lambda point: point[0])
    assert all(math.isfinite(rate) for _, rate in points)
    for (begin, value), (end, _) in pairwise([*changes, (STEPS, 0.0)]):
        planned = run.planned_lr(max(begin, 1))
        middle = (begin + end) / 2
        if planned is None or middle <= 1 or end - begin < 2:
            continue
        assert at(points, middle) == pytest.approx((run.planned_lr(middle) or 0) * value / planned, rel=0.06)
