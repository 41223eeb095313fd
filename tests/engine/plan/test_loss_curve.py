"""Losses as curves, against their closed forms."""

from __future__ import annotations

import math

import pytest

from engine.data.description import Description, Task
from engine.experiment import Choice
from engine.plan.loss_curve import LossCurve, LossLine, loss_curve


def data(task: Task, outputs: int) -> Description:
    classes = tuple("abcdefghij"[:outputs]) if task == "classification" else ()
    return Description(
        source="",
        task=task,
        input_shape=(4,),
        input_dtype="float32",
        input_kind="vector",
        outputs=len(classes) or outputs,
        classes=classes,
        train_samples=10,
        val_samples=2,
        test_samples=0,
        bytes=0,
    )


NUMBERS = data("regression", 1)
TEN = data("classification", 10)
TWO = data("classification", 2)


def line(curve: LossCurve, name: str) -> LossLine:
    return next(line for line in curve.lines if line.name == name)


def test_errors_cost_what_the_closed_forms_say() -> None:
    curve = loss_curve(Choice.model_validate({"type": "HuberLoss", "delta": 0.5}), NUMBERS)
    assert [line.name for line in curve.lines] == ["HuberLoss", "MSELoss", "L1Loss", "SmoothL1Loss"]
    assert [line.chosen for line in curve.lines] == [True, False, False, False]
    assert (curve.x[0], curve.x[60], curve.x[-1]) == (-3.0, 0.0, 3.0)
    for at, x in enumerate(curve.x):
        a = abs(x)
        huber = 0.5 * a * a if a < 0.5 else 0.5 * (a - 0.25)
        smooth = 0.5 * a * a if a < 1 else a - 0.5
        theirs = (huber, x * x, a, smooth)
        assert [line.values[at] for line in curve.lines] == pytest.approx(theirs, rel=1e-5, abs=1e-6)


def test_the_chosen_loss_has_its_own_parameters_and_is_there_once() -> None:
    curve = loss_curve(Choice.model_validate({"type": "SmoothL1Loss", "beta": 2.0}), NUMBERS)
    assert [line.name for line in curve.lines] == ["SmoothL1Loss", "MSELoss", "L1Loss"]
    assert curve.lines[0].values[curve.x.index(1.0)] == pytest.approx(0.25)


@pytest.mark.parametrize("smoothing", [0.0, 0.05, 0.3])
def test_cross_entropy_over_the_probability_of_the_right_class(smoothing: float) -> None:
    curve = loss_curve(Choice.model_validate({"type": "CrossEntropyLoss", "label_smoothing": smoothing}), TEN)
    right = 1 - smoothing + smoothing / 10
    for p, value in zip(curve.x, curve.lines[0].values, strict=True):
        expected = -right * math.log(p) - 9 * smoothing / 10 * math.log((1 - p) / 9)
        assert value == pytest.approx(expected, rel=1e-4, abs=1e-5)
    if smoothing:
        least = curve.x[min(range(99), key=lambda i: curve.lines[0].values[i])]
        assert least == pytest.approx(right, abs=0.01)
    assert len(curve.lines) == 2 and not curve.lines[1].chosen


@pytest.mark.parametrize("name", ["BCEWithLogitsLoss", "BCELoss"])
def test_binary_cross_entropy_is_the_negative_log_of_the_right_probability(name: str) -> None:
    curve = loss_curve(Choice(type=name), TWO)
    assert len(curve.lines) == 1
    assert curve.lines[0].values == pytest.approx([-math.log(p) for p in curve.x], rel=1e-4)


def test_pos_weight_is_a_line_a_class() -> None:
    choice = Choice.model_validate({"type": "BCEWithLogitsLoss", "pos_weight": "balanced"})
    curve = loss_curve(choice, TWO, (30, 10))
    positive, first = line(curve, "b"), line(curve, "a")
    assert positive.values == pytest.approx([-3 * math.log(p) for p in curve.x], rel=1e-4)
    assert first.values == pytest.approx([-math.log(p) for p in curve.x], rel=1e-4)
    assert curve.notes == ("With pos_weight, a sample of b counts 3 times.",)


def test_margins_cost_nothing_beyond_the_margin() -> None:
    curve = loss_curve(Choice.model_validate({"type": "MultiMarginLoss", "p": 2, "margin": 1.5}), TEN)
    for x, value in zip(curve.x, curve.lines[0].values, strict=True):
        assert value == pytest.approx(9 * max(0.0, 1.5 - x) ** 2 / 10, rel=1e-4, abs=1e-6)
    soft = loss_curve(Choice(type="SoftMarginLoss"), TWO)
    assert soft.lines[0].values == pytest.approx([math.log1p(math.exp(-x)) for x in soft.x], rel=1e-4)


def test_class_weights_are_said_since_they_cancel_in_one_sample() -> None:
    plain = loss_curve(Choice(type="CrossEntropyLoss"), TWO)
    weighted = loss_curve(Choice.model_validate({"type": "CrossEntropyLoss", "weight": "balanced"}), TWO, (30, 10))
    assert weighted.lines[0].values == pytest.approx(plain.lines[0].values)
    assert weighted.notes == ("In a batch, a sample of b has weight 2, one of a 0.667.",)


def test_an_ignored_class_is_not_the_one_that_is_drawn() -> None:
    choice = Choice.model_validate({"type": "NLLLoss", "ignore_index": 0, "weight": (1.0, 0.0, *[1.0] * 8)})
    curve = loss_curve(choice, TEN)
    assert curve.lines[0].values == pytest.approx([-math.log(p) for p in curve.x], rel=1e-4)


@pytest.mark.parametrize("log_input", [True, False])
def test_counts_are_judged_by_the_rate(log_input: bool) -> None:
    curve = loss_curve(Choice.model_validate({"type": "PoissonNLLLoss", "log_input": log_input}), NUMBERS)
    for x, value in zip(curve.x, curve.lines[0].values, strict=True):
        expected = math.exp(x) - x if log_input else x - math.log(x + 1e-8)
        assert value == pytest.approx(expected, rel=1e-4)
