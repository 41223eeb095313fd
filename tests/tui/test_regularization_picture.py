"""The picture of regularization, compared with the training engine, with random draws and with formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.experiment import read
from engine.plan import Plan, check
from engine.training.regularization import penalties_at_start
from engine.training.stopping import Stopping
from tui.pictures.regularization import Method, larger_share, methods, percent, run_length, sum_over_steps
from tui.pictures.schedule import sampled


def method_named(plan: Plan, name: str) -> Method:
    assert plan.description is not None
    penalties = penalties_at_start(plan.experiment, plan.description)
    return next(method for method in methods(plan, penalties) if method.name.startswith(name))


def planned(*overrides: str, preset: str = "digits-cnn") -> Plan:
    plan = check(read(preset, ["training.device=cpu", *overrides]))
    assert plan.ok, plan.mistakes
    return plan


@pytest.mark.parametrize("alpha", [0.1, 0.2, 1.0, 4.0])
def test_the_larger_share_of_mixup_is_the_mean_of_many_draws(alpha: float) -> None:
    draws = np.random.default_rng(0).beta(alpha, alpha, 400_000)
    assert larger_share(alpha) == pytest.approx(np.maximum(draws, 1 - draws).mean(), abs=1e-3)


@pytest.mark.parametrize("scheduler", ["CosineAnnealingLR", "OneCycleLR", "none", "{type='StepLR', step_size=7}"])
def test_the_sum_over_all_steps_is_computed_from_some_of_them(scheduler: str) -> None:
    plan = planned(f"scheduler={scheduler}")
    assert sum_over_steps(sampled(plan.lr, 256)) == pytest.approx(math.fsum(plan.lr), rel=0.01)


def test_weight_decay_shows_how_much_a_step_and_the_run_shrink_weights() -> None:
    plan = planned("optimizer.weight_decay=0.3")
    left = math.prod(1 - 0.3 * rate for rate in plan.lr)
    method = method_named(plan, "weight_decay 0.3")
    assert f"by {percent(0.3 * max(plan.lr))} (lr × decay)" in method.effect
    shown = float(method.effect.split("to about ")[1].split(" %")[0])
    assert shown == pytest.approx(100 * left, rel=0.005)


def test_weight_decay_of_adam_and_sgd_is_described_differently() -> None:
    assert (
        "which Adam then scales"
        in method_named(planned("optimizer={type='Adam', weight_decay=0.01}"), "weight_decay").effect
    )
    momentum = planned("optimizer={type='SGD', lr=0.1, momentum=0.9, weight_decay=0.0005}")
    assert "in the long run 10 times that with momentum" in method_named(momentum, "weight_decay").effect
    assert not method_named(planned("optimizer.weight_decay=0.0"), "weight_decay").on


def test_penalties_show_their_weights_and_their_part_of_the_loss() -> None:
    plan = planned("regularization.l1=1e-4")
    assert plan.description is not None
    penalties = penalties_at_start(plan.experiment, plan.description)
    assert penalties is not None
    method = method_named(plan, "l1 0.0001 on 18,336 weights")
    assert method.effect == f"adds {penalties.l1:.3g} to the loss at the start"
    assert penalties.weights == 32 * 9 + 32 * 32 * 9 + 128 * 64 + 64 * 10 == 18_336


def test_dropout_is_counted_in_values_or_channels_of_its_layer() -> None:
    assert method_named(planned(), "dropout").effect == "about 16 of 64 values are zeroed in each training step"
    layer = "model.layers[3]={type='Dropout2d', p=0.25}"
    found = method_named(planned(layer, preset="digits-cnn"), "dropout2d")
    assert found.name == "dropout2d 0.25 after BatchNorm2d"
    assert found.effect == "about 8 of 32 channels are zeroed in each training step"


def test_a_recurrent_layer_drops_between_its_layers() -> None:
    plan = planned(
        "model.layers[0]={type='LSTM', hidden_size=8, num_layers=2, dropout=0.2}", preset="mackey-glass-lstm"
    )
    assert method_named(plan, "dropout 0.2 in LSTM").effect == "20 % of the values are zeroed between its layers"


def test_smoothed_targets_sum_to_one() -> None:
    effect = method_named(planned("loss.label_smoothing=0.2"), "label_smoothing").effect
    right, others = (float(word) for word in effect.replace("9 others", "").split() if word.startswith("0."))
    assert right + 9 * others == pytest.approx(1.0)


def test_averages_show_how_many_steps_and_epochs_they_cover() -> None:
    ema = method_named(planned("regularization.average={type='ema', decay=0.99, start_epoch=2}"), "ema 0.99").effect
    assert "the last 100 steps (4.3 epochs), from epoch 2 on" in ema
    swa = method_named(planned("regularization.average={type='swa', start=0.75}"), "swa").effect
    averaged = [epoch for epoch in range(1, 31) if epoch > int(0.75 * 30)]
    assert f"from epoch {averaged[0]} of 30" in swa and f"mean of {len(averaged)} epochs' weights" in swa


def test_mixup_and_cutmix_share_the_batches_if_both_are_on() -> None:
    plan = planned("regularization.mixup=0.2", "regularization.cutmix=1.0")
    assert "of half of the batches" in method_named(plan, "mixup 0.2").effect
    assert "75 %" in method_named(plan, "cutmix 1").effect


def test_drop_path_is_shown_for_each_block_and_offered_to_models_with_blocks() -> None:
    plan = planned("model.layers[3].drop_path=0.1", preset="resnet-digits")
    assert (
        method_named(plan, "drop_path 0.1 of Residual 3").effect
        == "10 % of the samples skip its layers in a training step"
    )
    assert not method_named(planned(preset="resnet-digits"), "drop_path").on
    assert not any(method.name.startswith("drop_path") for method in methods(planned(), None))


@pytest.mark.parametrize("patience", [1, 8, 29])
def test_early_stopping_stops_no_earlier_than_shown(patience: int) -> None:
    plan = planned(f"training.early_stopping={{monitor='val_loss', patience={patience}}}")
    stopping = Stopping(plan.experiment.training.early_stopping)
    epoch = 0
    while not stopping.over:
        epoch += 1
        stopping.update(epoch, {"val_loss": float(epoch)})
    assert f"stops at epoch {epoch} of 30 at the earliest" in method_named(plan, "early_stopping").effect


def test_methods_that_are_off_show_how_to_turn_them_on() -> None:
    off = [method for method in methods(planned(), None) if not method.on]
    assert {method.name.split()[0] for method in off} == {"l1", "l2", "clip_grad_value", "mixup", "cutmix", "average"}
    for method in off:
        if " = " in method.effect and method.effect.startswith(("regularization.", "loss.", "training.", "optimizer.")):
            path, _, value = method.effect.split(" adds")[0].split(",")[0].partition(" = ")
            assert check(read("digits-cnn", [f"{path}={value}"])).ok, method


def test_the_length_of_a_run_is_shown_in_epochs_steps_and_batches() -> None:
    plan = planned("training.accumulation_steps=2")
    assert (23 * 64, 1438 - 22 * 64) == (1472, 30)
    assert run_length(plan) == Method(
        "30 epochs",
        "360 steps, 12 in an epoch of 1,438 samples in 23 batches of 64, the last one of 30; 2 batches make a step",
    )
