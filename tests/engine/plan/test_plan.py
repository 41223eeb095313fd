"""The plan of a document: everything that a run would be, or every mistake at once."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from engine.catalog.losses import ONE_OUTPUT
from engine.experiment import Experiment, dumps, preset_names, read, reads
from engine.model import build
from engine.plan import check


def said(preset: str, *overrides: str) -> list[str]:
    return [str(mistake) for mistake in check(read(preset, overrides)).mistakes]


@pytest.mark.usefixtures("own_files")
@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_can_be_run_and_its_plan_can_be_written_and_read_back(preset):
    plan = check(read(preset))
    assert plan.ok and not plan.mistakes
    one_of_two = plan.experiment.loss.type in ONE_OUTPUT
    steps = plan.description.input_shape if plan.description.task == "language modelling" else ()
    assert plan.layers[-1].output_shape == (*steps, 1 if one_of_two else plan.description.outputs)
    again = check(reads(dumps(plan.experiment)))
    assert again == plan


def test_the_document_of_the_readme_can_be_run():
    readme = (Path(__file__).parents[3] / "README.md").read_text()
    text = next(text for text in re.findall(r"```toml\n(.*?)```", readme, re.DOTALL) if "[model]" in text)
    plan = check(reads(text))
    assert plan.ok and not plan.mistakes


def test_a_plan_counts_what_the_network_has():
    plan = check(read("digits-cnn"))
    network = build(plan.experiment, plan.description)
    assert plan.parameters == sum(p.numel() for p in network.parameters())
    assert [layer.path for layer in plan.layers] == [f"model.layers[{i}]" for i in range(13)]
    x = torch.rand(2, 1, 8, 8)
    for layer, module in zip(plan.layers, network, strict=True):
        x = module(x)
        assert x.shape[1:] == layer.output_shape
        assert layer.parameters == sum(p.numel() for p in module.parameters())
    # 1,797 samples, a fifth held back, in batches of 64, for 30 epochs
    assert (plan.steps_per_epoch, plan.steps, len(plan.lr)) == (23, 690, 690)
    assert check(read("digits-cnn", ["training.accumulation_steps=4"])).steps_per_epoch == 6


def test_the_planned_learning_rate_is_that_of_torchs_scheduler():
    plan = check(read("digits-cnn"))
    optimizer = torch.optim.AdamW([nn.Parameter(torch.zeros(1))], lr=3e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=30)
    for epoch in range(30):
        rates = plan.lr[epoch * 23 : (epoch + 1) * 23]
        assert set(rates) == {optimizer.param_groups[0]["lr"]}
        optimizer.step()
        scheduler.step()


def test_a_plan_without_a_rate_starts_at_the_optimizers_own_default():
    plan = check(read("digits-cnn", ["optimizer=RMSprop", "scheduler=none"]))
    assert set(plan.lr) == {0.01}


def test_what_is_left_out_is_filled_in_with_torchs_defaults():
    experiment = check(read("digits-cnn", ["loss=auto"])).experiment
    assert experiment.loss.type == "CrossEntropyLoss"
    assert experiment.optimizer.parameters["betas"] == [0.9, 0.999]
    assert experiment.model.layers[0].parameters["stride"] == 1
    assert "in_channels" not in experiment.model.layers[0].parameters
    assert experiment.model.init.parameters["nonlinearity"] == "leaky_relu"
    assert check(read("mackey-glass-lstm", ["loss=auto"])).experiment.loss.type == "MSELoss"


@pytest.mark.parametrize(
    ("overrides", "where", "fix"),
    [
        (["optimizer.lrr=1"], "optimizer.lrr", "Did you mean lr?"),
        (["optimizer.type=Adma"], "optimizer.type: 'Adma' is not an optimizer", "Did you mean Adam?"),
        (["optimizer.lr=-1"], "optimizer.lr AdamW: found -1", "the default is 0.001."),
        (["optimizer={type='SGD', nesterov=true}"], "optimizer.nesterov", "requires a momentum"),
        (["optimizer.betas=[0.9, 2]"], "optimizer.betas", "[0.9, 0.999]"),
        (["scheduler.type=CosineAnnealingWarmRestarts"], "Restarts: T_0 is missing", "Add T_0"),
        (["scheduler={type='StepLR', step_size=1.5}"], "expected a whole number of at least 1 or a share", "a third"),
        (
            ["scheduler={type='ReduceLROnPlateau', patience=2, monitor='val_acuracy'}"],
            "scheduler.monitor",
            "val_accuracy?",
        ),
        (["scheduler={type='SequentialLR', schedulers=[]}"], "scheduler.schedulers", "Add a scheduler."),
        (["scheduler={type='SequentialLR', schedulers=[{gamma=0.1}]}"], "scheduler.schedulers[0]", "Choose one: Cos"),
        (["scheduler={type='ChainedScheduler', schedulers=['OneCycleLR']}"], "schedulers[0] Chained", "Use it alone."),
        (["scheduler={type='ChainedScheduler', schedulers=[{type='StepLR', gama=2}]}"], "schedulers[0].gama", "gamma?"),
        (
            ["scheduler={type='SequentialLR', schedulers=['StepLR', 'LinearLR'], milestones=[0.9, 0.1]}"],
            "scheduler.milestones SequentialLR: found [0.9, 0.1]; expected 1 for 2 schedulers",
            "equal length",
        ),
        (["scheduler={type='OneCycleLR', total_steps=3}"], "scheduler.total_steps", "the scheduler steps 690 times"),
        (["scheduler={type='OneCycleLR', pct_start=3}"], "scheduler.pct_start", "the default is 0.3."),
        (["scheduler.warmup_epochs=30"], "scheduler.warmup_epochs", "the run has 30 epochs"),
        (["scheduler.type=CosineAnealingLR"], "scheduler.type", "Did you mean CosineAnnealingLR?"),
        (["loss=MSELoss"], "loss.type: MSELoss is for regression", "Use CrossEntropyLoss"),
        (["loss.label_smoothing=3"], "loss.label_smoothing", "between 0.0 and 1.0"),
        (
            ["loss.weight=[1.0, 2.0]"],
            "loss.weight CrossEntropyLoss: found 2 weights; the data has 10 classes",
            "balanced",
        ),
        (["loss.weight=balance"], "loss.weight CrossEntropyLoss: found 'balance'", "'balanced'"),
        (["loss.ignore_index=10"], "loss.ignore_index", "the index of a class"),
        (["loss=BCEWithLogitsLoss"], "loss.type: BCEWithLogitsLoss is for two classes", "Use CrossEntropyLoss."),
        (["loss=NLLLoss"], "loss.type: NLLLoss needs LogSoftmax", "Add LogSoftmax at the end"),
        (["model.init=kaiming"], "model.init.type", "Did you mean kaiming_"),
        (["model.layers[9].in_features=100"], "model.layers[9] Linear: in_features is 100", "set it to 128."),
        (["model.layers[12].out_features=9"], "model.layers[12] Linear: out_features is 9; the data has 10", "auto"),
        (["training.early_stopping.monitor=val_acc"], "training.early_stopping.monitor", "Did you mean val_accuracy?"),
        (["data.validation=0.0"], "val_loss cannot be measured", "monitor train_loss."),
        (["data.source=digit"], "data.source", "Did you mean digits?"),
        (["training.amp=float16"], "training.amp", 'Use "bfloat16" or "off".'),
        (["training.device=cuda:97"], "training.device", 'Write "auto"'),
        (["model.layers[9].out_features=100000000000"], "model.layers: a training step needs about", "smaller."),
    ],
)
def test_a_mistake_is_named_with_its_path_and_the_fix(overrides, where, fix):
    (mistake,) = said("digits-cnn", *overrides)
    assert where in mistake
    assert fix in mistake


def test_a_last_batch_of_one_sample_is_refused_where_a_norm_needs_two():
    samples = check(read("digits-cnn")).description.train_samples
    norm = "model.layers[10]=BatchNorm1d"
    (mistake,) = said("digits-cnn", f"data.batch_size={samples - 1}", norm)
    assert f"{samples} samples in batches of {samples - 1} leave a batch of 1; BatchNorm1d needs at least 2" in mistake
    better = int(mistake.split("data.batch_size = ")[1].rstrip("."))
    assert said("digits-cnn", f"data.batch_size={better}", norm) == []


def test_every_mistake_is_said_at_once():
    mistakes = said(
        "digits-cnn", "optimizer.lrr=1", "loss=MSELos", "model.layers[0].kernel_size=x", "scheduler.T_max=0", "nam=1"
    )
    paths = [mistake.split(":")[0].split(" ")[0] for mistake in mistakes]
    assert sorted(paths) == ["loss.type", "model.layers[0].kernel_size", "nam", "optimizer.lrr", "scheduler.T_max"]


def test_softmax_before_cross_entropy_is_a_warning_and_can_be_run():
    document = check(read("digits-cnn")).experiment.model_dump(exclude_none=True)
    document["model"]["layers"] = [*document["model"]["layers"], "Softmax"]
    plan = check(Experiment.model_validate(document))
    assert plan.ok
    assert "CrossEntropyLoss applies Softmax itself" in str(plan.mistakes[0])
    assert plan.layers[-1].mistake == plan.mistakes[0]


def test_a_layer_that_could_not_be_read_lets_no_mistake_follow_from_it():
    mistakes = said("digits-cnn", "model.layers[4]=3", "model.layers[9].in_features=5")
    assert len(mistakes) == 1 and mistakes[0].startswith("model.layers[4]")


def test_a_document_that_cannot_be_read_has_a_plan_with_its_mistake():
    plan = check(reads("this is not TOML"))
    assert not plan.ok
    assert plan.layers == () and "not TOML" in str(plan.mistakes[0])


def test_memory_grows_with_the_batch_and_the_optimizers_state():
    small, large = (check(read("digits-cnn", [f"data.batch_size={b}"])).memory_bytes for b in (32, 64))
    assert small < large
    plain = check(read("digits-cnn", ["optimizer=SGD"])).memory_bytes
    adam = check(read("digits-cnn", ["optimizer=Adam"]))
    assert adam.memory_bytes - plain == 2 * 4 * adam.parameters


def test_an_edited_network_of_fifty_layers_is_checked_again_within_a_blink():
    block = ["{type='Conv2d', out_channels=8, kernel_size=3, padding='same'}", "'BatchNorm2d'", "'ReLU'", "'Dropout2d'"]
    layers = [*block * 12, "'Flatten'", "{type='Linear', out_features='auto'}"]
    check(read("digits-cnn", [f"model.layers=[{','.join(layers)}]"]))
    took = []
    for edit in ("'GELU'", "'Tanh'", "'SiLU'"):
        layers[10] = edit
        draft = read("digits-cnn", [f"model.layers=[{','.join(layers)}]"])
        started = time.thread_time()
        plan = check(draft)
        took.append(time.thread_time() - started)
        assert plan.ok and len(plan.layers) == 50
    assert min(took) < 0.3  # ten times what it takes; tests/benchmarks/check_speed.py measures


def test_a_first_check_costs_little_more_than_torchs_import():
    script = (
        "import sys, time, torch\nloaded = set(sys.modules)\n"
        "from engine.plan import check\nfrom engine.experiment import read\n"
        "started = time.process_time()\n"
        "assert check(read('digits-cnn')).ok\n"
        "took = time.process_time() - started\n"
        "assert not [m for m in set(sys.modules) - loaded if m.startswith('torch')]\n"
        "assert took < 3.0, took"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
