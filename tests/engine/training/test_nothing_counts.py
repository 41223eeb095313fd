"""A validation without samples that count has no loss, is never the best, and is reported."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from engine.experiment import EarlyStopping, reads
from engine.plan import check
from engine.training.stopping import Stopping
from tests import warm_torchdeck

TABLE = """
name = "m"
[data]
source = "table"
path = "t.csv"
target = "y"
validation_path = "v.csv"
batch_size = 8
[model]
layers = [{{type = "Linear", out_features = {outputs}}}]
[loss]
{loss}
[training]
epochs = 4
device = "cpu"
threads = 1
early_stopping = {{monitor = "val_loss", patience = 1}}
"""

LOSSES = {
    "ignored": ('type = "CrossEntropyLoss"\nignore_index = 0', "a", "loss.ignore_index"),
    "of weight 0": ('type = "CrossEntropyLoss"\nweight = [0.0, 1.0]', "a", "loss.weight"),
    "smoothed": ('type = "CrossEntropyLoss"\nweight = [0.0, 1.0]\nlabel_smoothing = 0.1', "a", "loss.weight"),
    "without a margin": ('type = "MultiMarginLoss"\nweight = [1.0, 0.0]', "b", "loss.weight"),
    "of pos_weight 0": ('type = "BCEWithLogitsLoss"\npos_weight = 0.0', "b", "loss.pos_weight"),
}


def rows(classes):
    random = np.random.default_rng(0)
    return "p,q,y\n" + "".join(f"{random.normal():.3f},{random.normal():.3f},{c}\n" for c in classes)


def events(folder):
    (path,) = (folder / "runs").glob("*/events.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("case", LOSSES)
def test_a_validation_without_samples_that_count_is_reported_and_is_not_the_best(tmp_path, case):
    loss, only, path = LOSSES[case]
    (tmp_path / "t.csv").write_text(rows("a" * 20 + "b" * 20))
    (tmp_path / "v.csv").write_text(rows(only * 12))
    (tmp_path / "m.toml").write_text(TABLE.format(loss=loss, outputs=1 if "BCE" in loss else 2))
    done = warm_torchdeck.run("train", "m.toml", "--headless", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = next(line for line in done.stderr.splitlines() if line.startswith(f"warning: {path} "))
    assert f"leaves out all 12 samples of the validation part (class {only})" in said
    assert "to find the best epoch by; early stopping never ends the run" in said
    assert "no epoch is best, because no validation sample counts in val_loss" in done.stderr
    *_, finished = found = events(tmp_path)
    epochs = [event for event in found if event["event"] == "epoch"]
    assert [event["val_loss"] for event in epochs] == [None] * 4
    assert {event["best_epoch"] for event in epochs} == {None} and {event["patience_used"] for event in epochs} == {0}
    assert (finished["reason"], finished["best"], finished["best_epoch"]) == ("completed", None, None)
    assert all(math.isfinite(event["train_loss"]) for event in epochs)


def test_a_training_part_without_samples_that_count_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.ones((9, 2)), y=[0] * 5 + [1] * 4, x_val=np.ones((2, 2)), y_val=[0, 1])
    text = f'data = {{source = "arrays", path = "{tmp_path / "a.npz"}"}}\n[model]\nlayers = ["Flatten"]\n'
    plan = check(reads(text, ["loss={type='CrossEntropyLoss', weight=[0.0, 1.0], ignore_index=1}"]))
    (found,) = [mistake for mistake in plan.mistakes if "leaves out all" in str(mistake)]
    assert found.severity == "error" and "training part (classes 0, 1)" in str(found)


def test_a_scheduler_that_monitors_an_unmeasured_loss_never_acts_and_the_run_warns(tmp_path):
    (tmp_path / "t.csv").write_text(rows("a" * 20 + "b" * 20))
    (tmp_path / "v.csv").write_text(rows("a" * 12))
    text = TABLE.format(loss=LOSSES["ignored"][0], outputs=2)
    (tmp_path / "m.toml").write_text(f'{text}[scheduler]\ntype = "ReduceLROnPlateau"\npatience = 0\n')
    done = warm_torchdeck.run("train", "m.toml", "--headless", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "ReduceLROnPlateau has no val_loss to watch" in done.stderr
    assert len({event["lr"] for event in events(tmp_path) if event["event"] == "epoch"}) == 1


def test_samples_whose_loss_is_not_finite_are_named_when_it_stops_the_run(tmp_path):
    random = np.random.default_rng(0)
    x, y = random.normal(size=(40, 3)).astype(np.float32), random.normal(size=40)
    x_val = x[:9].copy()
    x_val[4, 1] = x_val[7, 2] = 3e38
    np.savez(tmp_path / "a.npz", x=x, y=y, x_val=x_val, y_val=y[:9])
    (tmp_path / "a.toml").write_text(
        """
name = "a"
[data]
source = "arrays"
path = "a.npz"
batch_size = 1
[model]
layers = [{type = "Linear", out_features = 4}, {type = "Linear", out_features = "auto"}]
[training]
epochs = 5
device = "cpu"
threads = 1
early_stopping = {patience = 2}
"""
    )
    done = warm_torchdeck.run("train", "a.toml", "--headless", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "val_loss is not finite: for validation sample" in done.stderr
    assert "reaches 3e+38" in done.stderr
    assert "Stopped early after epoch 2: val_loss was not finite in 2 epochs (validation sample" in done.stderr
    assert "no better" not in done.stderr


def test_an_epoch_without_the_metric_is_neither_best_nor_uses_patience():
    stopping = Stopping(EarlyStopping(patience=2))
    for epoch in range(1, 6):
        stopping.update(epoch, {"train_loss": 1.0})
    assert (stopping.best, stopping.patience_used, stopping.over) == (None, 0, False)
    stopping.update(6, {"val_loss": 2.0})
    stopping.update(7, {"val_loss": math.nan})
    stopping.update(8, {})
    assert (stopping.best, stopping.best_epoch, stopping.patience_used, stopping.over) == (2.0, 6, 1, False)
    stopping.update(9, {"val_loss": math.inf})
    assert stopping.over and stopping.why == "no better val_loss for 2 epochs"


def test_a_metric_that_was_never_finite_is_reported():
    stopping = Stopping(EarlyStopping(patience=1, monitor="val_r2"))
    stopping.update(1, {"val_r2": math.nan})
    assert stopping.over and stopping.why == "val_r2 was not finite in 1 epoch"
