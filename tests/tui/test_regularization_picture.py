"""What the picture of regularization claims, against the engine that trains and against draws and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.experiment import read
from engine.plan import Plan, check
from engine.training.penalties import penalties_at_start
from engine.training.stopping import Stopping
from tui.pictures.regularization import Method, larger_share, methods, percent, run_length, sum_over_steps
from tui.pictures.schedule import sampled


def said(plan: Plan, name: str) -> Method:
    assert plan.description is not None
    penalties = penalties_at_start(plan.experiment, plan.description)
    return next(method for method in methods(plan, penalties) if method.name.startswith(name))


def planned(*overrides: str, preset: str = "digits-cnn") -> Plan:
    plan = check(read(preset, ["training.device=cpu", *overrides]))
    assert plan.ok, plan.mistakes
    return plan


@pytest.mark.parametrize("alpha", [0.1, 0.2, 1.0, 4.0])
def test_the_larger_share_is_that_of_many_draws(alpha: float) -> None:
    draws = np.random.default_rng(0).beta(alpha, alpha, 400_000)
    assert larger_share(alpha) == pytest.approx(np.maximum(draws, 1 - draws).mean(), abs=1e-3)


@pytest.mark.parametrize("scheduler", ["CosineAnnealingLR", "OneCycleLR", "none", "{type='StepLR', step_size=7}"])
def test_the_sum_over_all_steps_is_told_by_some_of_them(scheduler: str) -> None:
    plan = planned(f"scheduler={scheduler}")
    assert sum_over_steps(sampled(plan.lr, 256)) == pytest.approx(math.fsum(plan.lr), rel=0.01)


def test_weight_decay_says_what_every_step_and_the_whole_run_shrink() -> None:
    plan = planned("optimizer.weight_decay=0.3")
    left = math.prod(1 - 0.3 * rate for rate in plan.lr)
    method = said(plan, "weight_decay 0.3")
    assert f"by {percent(0.3 * max(plan.lr))} (lr × decay)" in method.says
    told = float(method.says.split("to about ")[1].split(" %")[0])
    assert told == pytest.approx(100 * left, rel=0.005)


def test_weight_decay_of_other_optimizers_is_another_thing() -> None:
    assert "which Adam then scales" in said(planned("optimizer={type='Adam', weight_decay=0.01}"), "weight_decay").says
    momentum = planned("optimizer={type='SGD', lr=0.1, momentum=0.9, weight_decay=0.0005}")
    assert "with momentum in time 10 times that" in said(momentum, "weight_decay").says
    assert not said(planned("optimizer.weight_decay=0.0"), "weight_decay").on


def test_penalties_say_how_many_weights_they_count_and_what_they_add() -> None:
    plan = planned("regularization.l1=1e-4")
    assert plan.description is not None
    penalties = penalties_at_start(plan.experiment, plan.description)
    assert penalties is not None
    method = said(plan, "l1 0.0001 on 18,336 weights")
    assert method.says == f"adds {penalties.l1:.3g} to the loss at the start"
    assert penalties.weights == 32 * 9 + 32 * 32 * 9 + 128 * 64 + 64 * 10 == 18_336


def test_dropout_is_counted_in_what_its_layer_lets_through() -> None:
    assert said(planned(), "dropout").says == "about 16 of 64 numbers are zeroed in each training step"
    layer = "model.layers[3]={type='Dropout2d', p=0.25}"
    found = said(planned(layer, preset="digits-cnn"), "dropout2d")
    assert found.name == "dropout2d 0.25 after BatchNorm2d"
    assert found.says == "about 8 of 32 channels are zeroed in each training step"


def test_a_recurrent_layer_drops_between_its_layers() -> None:
    plan = planned(
        "model.layers[0]={type='LSTM', hidden_size=8, num_layers=2, dropout=0.2}", preset="mackey-glass-lstm"
    )
    assert said(plan, "dropout 0.2 in LSTM").says == "20 % is zeroed between its layers"


def test_smoothed_targets_add_up_to_one() -> None:
    says = said(planned("loss.label_smoothing=0.2"), "label_smoothing").says
    right, others = (float(word) for word in says.replace("9 others", "").split() if word.startswith("0."))
    assert right + 9 * others == pytest.approx(1.0)


def test_averages_say_how_much_of_the_run_they_span() -> None:
    ema = said(planned("regularization.average={type='ema', decay=0.99, start_epoch=2}"), "ema 0.99").says
    assert "the last 100 steps, which are 4.3 epochs, from epoch 2 on" in ema
    swa = said(planned("regularization.average={type='swa', start=0.75}"), "swa").says
    averaged = [epoch for epoch in range(1, 31) if epoch > int(0.75 * 30)]
    assert f"begins with epoch {averaged[0]} of 30" in swa and f"mean of {len(averaged)} epochs' weights" in swa


def test_mixing_is_shared_where_both_are_on() -> None:
    plan = planned("regularization.mixup=0.2", "regularization.cutmix=1.0")
    assert "of half of the batches" in said(plan, "mixup 0.2").says
    assert "75 %" in said(plan, "cutmix 1").says


def test_drop_path_is_told_for_each_block_and_offered_where_there_are_blocks() -> None:
    plan = planned("model.layers[3].drop_path=0.1", preset="resnet-digits")
    assert said(plan, "drop_path 0.1 of Residual 3").says == "10 % of the samples skip its layers in a training step"
    assert not said(planned(preset="resnet-digits"), "drop_path").on
    assert not any(method.name.startswith("drop_path") for method in methods(planned(), None))


@pytest.mark.parametrize("patience", [1, 8, 29])
def test_early_stopping_ends_no_earlier_than_it_says(patience: int) -> None:
    plan = planned(f"training.early_stopping={{monitor='val_loss', patience={patience}}}")
    stopping = Stopping(plan.experiment.training.early_stopping)
    epoch = 0
    while not stopping.over:
        epoch += 1
        stopping.update(epoch, {"val_loss": float(epoch)})
    assert f"ends at the earliest with epoch {epoch} of 30" in said(plan, "early_stopping").says


def test_methods_that_are_off_say_how_to_turn_them_on() -> None:
    off = [method for method in methods(planned(), None) if not method.on]
    assert {method.name.split()[0] for method in off} == {"l1", "l2", "clip_grad_value", "mixup", "cutmix", "average"}
    for method in off:
        if " = " in method.says and method.says.startswith(("regularization.", "loss.", "training.", "optimizer.")):
            path, _, value = method.says.split(" adds")[0].split(",")[0].partition(" = ")
            assert check(read("digits-cnn", [f"{path}={value}"])).ok, method


def test_the_length_of_a_run_is_told_in_epochs_steps_and_batches() -> None:
    plan = planned("training.accumulation_steps=2")
    assert (23 * 64, 1438 - 22 * 64) == (1472, 30)
    assert run_length(plan) == Method(
        "30 epochs",
        "360 steps, 12 in an epoch of 1,438 samples in 23 batches of 64, the last one of 30; 2 batches make a step",
    )
