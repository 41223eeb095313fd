"""The one-batch test: what a model memorises, and why another one does not."""

import math

import numpy as np
import pytest
import torch

from engine.experiment import Refused, read, reads
from engine.plan import check
from engine.probes import BatchDone, BatchStep, memorise_batch

WINE = 'data = {source = "wine", batch_size = 24}\noptimizer = {type = "SGD", lr = 0.1}\n'
NET = 'layers = [{type = "Linear", out_features = 16}, "ReLU", {type = "Linear", out_features = "auto"}]'
LINEAR = 'layers = [{type = "Linear", out_features = "auto"}]'
DIABETES = 'data = {source = "diabetes", batch_size = 32}\noptimizer = {type = "AdamW", lr = 1e-2}\n'


def verdict(draft, **arguments):
    plan = check(draft)
    assert plan.ok, plan.mistakes
    *steps, done = memorise_batch(plan, **arguments)
    assert isinstance(done, BatchDone) and all(isinstance(step, BatchStep) for step in steps)
    return steps, done


@pytest.mark.parametrize("preset", ["digits-cnn", "digits-lstm", "mackey-glass-lstm"])
def test_a_preset_memorises_its_first_batch(preset):
    steps, done = verdict(read(preset))
    assert done.memorised and done.step == len(steps) < 200
    assert done.message.startswith(f"Memorised in {done.step} steps: ")
    assert done.advice == ()
    assert steps[-1].loss < steps[0].loss


def test_a_rate_that_is_too_low_is_named():
    _, done = verdict(reads(f"{WINE}[model]\n{NET}", ["optimizer.lr=1e-7"]), steps=40)
    assert not done.memorised
    assert "optimizer.lr = 1e-07 is too low" in done.advice[0]


def test_the_rate_is_that_of_the_scheduler_that_sets_it():
    scheduler = "scheduler={type='OneCycleLR', max_lr=1e-7}"
    _, done = verdict(reads(f"{WINE}[model]\n{NET}", ["optimizer.lr=0.1", scheduler]), steps=40)
    assert "scheduler.max_lr = 1e-07 is too low" in done.advice[0]


def test_a_rate_that_is_too_high_is_named():
    _, done = verdict(reads(f"{DIABETES}[model]\n{NET}", ["optimizer={type='SGD', lr=1e6}"]), steps=40)
    assert not done.memorised
    assert "the loss is not finite" in done.message and "is too high" in done.advice[0]


def test_weights_that_are_all_zero_keep_the_loss_of_guessing_and_are_named():
    _, done = verdict(reads(f"{WINE}[model]\ninit = 'zeros_'\n{NET}"), steps=100)
    assert not done.memorised
    assert done.guess == pytest.approx(math.log(3), abs=1e-4)
    assert "the loss stays at" in done.message and "how often each class occurs" in done.message
    assert done.advice[0] == "No gradient reaches 0 Linear 16."
    assert "All weights of 0 Linear 16, 2 Linear 3 are equal" in done.advice[1]


def test_a_loss_that_stays_at_ln_k_is_named_the_loss_of_guessing():
    _, done = verdict(reads(f"{WINE}[model]\ninit = 'zeros_'\n{NET}", ["optimizer.lr=1e-6"]), steps=5)
    assert "about ln 3: that of guessing" in done.message


def test_dead_units_are_named():
    layer = '{type = "Linear", out_features = 16, bias_init = {type = "constant_", val = -100.0}}'
    net = f'layers = [{layer}, "ReLU", {{type = "Linear", out_features = "auto"}}]'
    _, done = verdict(reads(f"{WINE}[model]\n{net}"), steps=20)
    assert done.advice[0].startswith("No gradient reaches 0 Linear 16")
    assert done.advice[1].startswith("1 ReLU: nearly all units output 0 for every sample")


def test_targets_that_the_last_layer_cannot_reach_are_named():
    net = 'layers = [{type = "Linear", out_features = "auto"}, "Sigmoid"]'
    _, done = verdict(reads(f"{DIABETES}[model]\n{net}"), steps=50)
    assert done.advice[0].startswith("1 Sigmoid outputs at most 0 to 1; the targets reach from -")


def test_samples_that_contradict_each_other_are_named(tmp_path):
    x = np.ones((40, 4), dtype=np.float32)
    np.savez(tmp_path / "mine.npz", x=x, y=np.arange(40) % 2)
    text = f'data = {{source = "arrays", path = "{tmp_path / "mine.npz"}", batch_size = 16}}\n[model]\n{NET}'
    _, done = verdict(reads(text), steps=20)
    assert "16 samples of the batch have the same input as another one but a different target" in done.advice[0]


def test_regularization_is_named_if_a_model_does_not_memorise():
    net = NET.replace('"ReLU"', '"ReLU", {type = "Dropout", p = 0.95}')
    sets = ["regularization={l2=0.1, clip_grad_norm=0.5}", "optimizer.weight_decay=0.2"]
    _, done = verdict(reads(f"{WINE}[model]\n{net}", sets), steps=20)
    assert not done.memorised
    on = "Dropout 0.95, weight_decay 0.2, l2 0.1, clip_grad_norm 0.5"
    assert done.advice[-1] == f"Regularization keeps a model from memorising: {on}. Try without it."


def test_a_model_that_memorises_without_its_dropout_has_memorised():
    net = NET.replace("out_features = 16", "out_features = 64").replace('"ReLU"', '"ReLU", {type = "Dropout", p = 0.9}')
    _, done = verdict(reads(f"{WINE}[model]\n{net}", ["optimizer={type='SGD', lr=0.3}"]), steps=15)
    assert done.memorised and "with dropout off" in done.message


def test_an_optimizer_with_a_closure_memorises_too():
    steps, done = verdict(reads(f"{WINE}[model]\n{NET}", ["optimizer={type='LBFGS', lr=0.5}"]), steps=30)
    assert done.memorised and len(steps) < 10


def test_the_difference_of_two_targets_need_not_be_memorised(tmp_path):
    random = np.random.default_rng(0)
    y = 0.01 * random.normal(size=(40, 2)) + np.array([3.0, -3.0])
    np.savez(tmp_path / "mine.npz", x=np.zeros((40, 4), dtype=np.float32), y=y)
    text = f'data = {{source = "arrays", path = "{tmp_path / "mine.npz"}", batch_size = 16}}\n[model]\n{LINEAR}'
    steps, done = verdict(reads(text, ["optimizer={type='AdamW', lr=0.1}"]), steps=80)
    assert steps[-1].loss < 0.1  # both means are learned, and nothing more
    assert not done.memorised and done.score < 0.5


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e5])
def test_the_unit_of_a_target_does_not_affect_the_score(tmp_path, scale):
    random = np.random.default_rng(0)
    rows = "".join(f"{a},{b},{scale * (a - b + 2)}\n" for a, b in random.normal(size=(60, 2)).round(3))
    (tmp_path / "t.csv").write_text(f"a,b,y\n{rows}")
    text = f"""data = {{source = "table", path = "{tmp_path / "t.csv"}", target = "y"}}\n[model]\n{LINEAR}"""
    steps, done = verdict(reads(text, ["optimizer={type='SGD', lr=0.1}"]))
    assert steps[0].score < 0.9
    assert done.memorised


def test_answers_that_do_not_count_in_the_loss_need_not_be_memorised():
    _, done = verdict(reads(f"{WINE}[model]\n{NET}", ["loss={type='CrossEntropyLoss', ignore_index=1}"]))
    assert done.memorised
    assert "of their answers do not count in the loss" in done.message


def test_a_first_batch_without_samples_that_count_is_skipped(tmp_path):
    x = np.eye(40, 4, dtype=np.float32) + np.arange(40, dtype=np.float32)[:, None] % 2
    np.savez(tmp_path / "mine.npz", x=x, y=(np.arange(40) % 20 == 0).astype(int), x_val=x, y_val=np.arange(40) % 2)
    text = f'data = {{source = "arrays", path = "{tmp_path / "mine.npz"}", batch_size = 2}}\n[model]\n{NET}'
    for seed in range(3):
        draft = reads(text, ["loss={type='CrossEntropyLoss', ignore_index=0}", f"seed={seed}"])
        steps, done = verdict(draft, steps=60)
        assert all(math.isfinite(step.loss) and step.loss > 0 for step in steps)
        assert done.memorised


def test_mixup_and_the_scheduler_are_off_and_no_trace_is_left():
    plain = f"{WINE}[model]\n{NET}\n"
    more = ["regularization={mixup=0.4}", "scheduler={type='OneCycleLR'}", "training.epochs=2"]
    before = torch.get_rng_state(), torch.get_num_threads()
    one, _ = verdict(reads(plain), steps=10)
    other, _ = verdict(reads(plain, more), steps=10)
    assert [step.loss for step in one] == [step.loss for step in other]
    assert torch.equal(torch.get_rng_state(), before[0]) and torch.get_num_threads() == before[1]


def test_a_plan_with_mistakes_is_refused():
    with pytest.raises(Refused, match=r"training\.epochs"):
        memorise_batch(check(reads(f"{WINE}[model]\n{NET}", ["training.epochs=0"])))
