"""Metrics are those of scikit-learn: with offsets, constant targets, absent classes, one row; batch by batch."""

from __future__ import annotations

import json
import math
import warnings

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn_metrics

from engine.data.dataset import Units
from engine.training import metrics
from engine.training.metrics import ClassificationMetrics, LanguageMetrics, RegressionMetrics
from tests import warm_torchdeck

CASES = 500


@pytest.fixture(autouse=True)
def one_thread():
    """Tensors of a few numbers: a second thread would only cost time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def measured(metric, output, target, random, *, batches=True):
    """The metrics of a prediction in batches of random sizes, some counted immediately, some later."""
    at = 0
    while at < len(target):
        size = int(random.integers(1, len(target) + 1)) if batches else len(target)
        metric.add(output[at : at + size], target[at : at + size])
        if random.random() < 0.3:
            metric._flush()
        at += size
    return metric.compute()


def of_scikit_learn(output, target):
    """R² of each output, in double precision; a mean that is rounded is no variation of what is constant."""
    middle = target[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of one sample it warns, and says NaN
        r2 = sklearn_metrics.r2_score(target - middle, output - middle, multioutput="raw_values")
    return np.broadcast_to(r2, target.shape[1:])


def test_regression_metrics_are_those_of_scikit_learn():
    random = np.random.default_rng(0)
    for case in range(CASES):
        n, outputs = int(random.integers(1, 40)), int(random.integers(1, 5))
        offset = random.choice([0.0, 1.0, -1e3, 1e6, 1e9, -1e12], outputs)
        scale = random.choice([1e-3, 1.0, 2.0, 1e4], outputs) * np.maximum(1.0, np.abs(offset) * 1e-9)
        target = offset + scale * random.standard_normal((n, outputs))
        target[:, random.random(outputs) < 0.2] = random.choice([0.0, 0.1, 1e9, -7.3])
        output = target + scale * random.choice([0.0, 1e-3, 1.0, 30.0]) * random.standard_normal((n, outputs))
        names = tuple(f"t{i}" for i in range(outputs))
        found = measured(RegressionMetrics("cpu", targets=names), *map(torch.from_numpy, (output, target)), random)
        expected = of_scikit_learn(output, target)
        close = {"rel": 1e-6, "abs": 1e-9, "nan_ok": True}
        assert found["r2"] == pytest.approx(expected.mean(), **close), case
        if outputs > 1:
            assert [found[f"r2_{name}"] for name in names] == pytest.approx(list(expected), **close), case
        assert found["mae"] == pytest.approx(sklearn_metrics.mean_absolute_error(target, output), rel=1e-9)
        assert found["rmse"] == pytest.approx(sklearn_metrics.mean_squared_error(target, output) ** 0.5, rel=1e-9)


def test_metrics_in_units_are_those_of_the_values_in_the_file():
    random = np.random.default_rng(1)
    for _ in range(CASES):
        n, outputs = int(random.integers(2, 40)), int(random.integers(1, 4))
        scale, offset = random.uniform(1e-3, 1e3, outputs), random.choice([0.0, 1e3, -1e9], outputs)
        target = random.standard_normal((n, outputs)).astype(np.float32)
        output = (target + 0.5 * random.standard_normal((n, outputs))).astype(np.float32)
        units = Units(scale=tuple(scale), offset=tuple(offset))
        found = measured(RegressionMetrics("cpu", units), *map(torch.from_numpy, (output, target)), random)
        in_units = [values.astype(np.float64) * scale for values in (output, target)]
        assert found["r2"] == pytest.approx(of_scikit_learn(*in_units).mean(), rel=1e-9, abs=1e-12)
        assert found["mae"] == pytest.approx(sklearn_metrics.mean_absolute_error(*in_units[::-1]), rel=1e-9)
        rmse = sklearn_metrics.mean_squared_error(*in_units[::-1]) ** 0.5
        assert found["rmse"] == pytest.approx(rmse, rel=1e-9)


def test_classification_metrics_are_those_of_scikit_learn():
    random = np.random.default_rng(2)
    for case in range(CASES):
        n, classes = int(random.integers(1, 20)), int(random.integers(2, 7))
        present = random.choice(classes, int(random.integers(1, classes + 1)), replace=False)  # the others are absent
        target = random.choice(present, n)
        one_column = classes == 2 and case % 2 == 0
        output = random.standard_normal((n, 1 if one_column else classes)) + random.choice([0.0, 1e6, -1e6])
        if one_column:
            output -= output.mean()
        said = (output[:, 0] > 0).astype(int) if one_column else output.argmax(1)
        metric = ClassificationMetrics(1 if one_column else classes, "cpu")
        found = measured(metric, *map(torch.from_numpy, (output, target)), random)
        assert found["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(target, said), rel=1e-12)
        f1 = sklearn_metrics.f1_score(target, said, average="macro", zero_division=0)
        assert found["f1"] == pytest.approx(f1, rel=1e-12)


def test_metrics_of_language_models_are_those_of_scikit_learn():
    random = np.random.default_rng(3)
    for case in range(CASES):
        n, steps, tokens = (int(random.integers(1, high)) for high in (6, 5, 7))
        tokens += 1
        scores = random.standard_normal((n, steps, tokens)) * random.choice([0.1, 1.0, 3.0])
        scores = (scores + random.choice([0.0, 1e4, -1e4])).astype(np.float32)
        target = random.integers(tokens, size=(n, steps))
        metric = LanguageMetrics("cpu")
        for row in range(n):
            metric.add(torch.from_numpy(scores[row : row + 1]), torch.from_numpy(target[row : row + 1]))
        found = metric.compute()
        exact = scores.astype(np.float64).reshape(-1, tokens)
        exact = np.exp(exact - exact.max(1, keepdims=True))
        shares = exact / exact.sum(1, keepdims=True)
        nats = sklearn_metrics.log_loss(target.ravel(), shares, labels=range(tokens))
        assert found["bits"] == pytest.approx(nats / math.log(2), rel=1e-5, abs=1e-6), case
        right = sklearn_metrics.accuracy_score(target.ravel(), scores.reshape(-1, tokens).argmax(1))
        assert found["accuracy"] == pytest.approx(right, rel=1e-12)


def test_r2_of_a_large_offset_is_that_without_it():
    random = np.random.default_rng(4)
    apart = random.uniform(-2, 2, (200, 1))
    said = apart + random.normal(0, 0.7, apart.shape)
    expected = sklearn_metrics.r2_score(apart, said)
    for offset in (0.0, 1e9, -1e12):
        metric = RegressionMetrics("cpu")
        metric.add(torch.from_numpy(said + offset), torch.from_numpy(apart + offset))
        assert metric.compute()["r2"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, 1e9, -1e-30])
@pytest.mark.parametrize("parts", [1, 7])
def test_r2_of_a_constant_is_0_and_1_without_an_error(value, parts):
    target = torch.full((70, 1), value)
    for error, expected in ((0.0, 1.0), (0.5, 0.0), (math.inf, 0.0), (math.nan, math.nan)):
        metric = RegressionMetrics("cpu")
        for some in target.chunk(parts):
            metric.add(some + (error or 0.0) * (1.0 + abs(value)), some)
            metric._flush()
        assert metric.compute()["r2"] == pytest.approx(expected, nan_ok=True)


def test_without_float64_r2_has_as_many_digits_as_its_targets():
    random = np.random.default_rng(5)
    target = torch.from_numpy(1e4 + random.standard_normal((5000, 2))).float()
    output = target + torch.from_numpy(0.6 * random.standard_normal((5000, 2))).float()
    metric = RegressionMetrics("cpu")
    metric._dtype = torch.float32
    found = measured(metric, output, target, random)
    expected = sklearn_metrics.r2_score(target.double(), output.double())
    assert found["r2"] == pytest.approx(expected, rel=1e-5)


def test_metrics_saved_within_an_epoch_continue_to_the_same_bits(monkeypatch):
    monkeypatch.setattr(metrics, "_WAITING_ELEMENTS", 64)
    random = np.random.default_rng(6)
    batches = [tuple(torch.from_numpy(random.standard_normal((9, 2))) for _ in range(2)) for _ in range(20)]
    whole, first, second = (RegressionMetrics("cpu", targets=("a", "b")) for _ in range(3))
    for batch in batches:
        whole.add(*batch)
    for batch in batches[:11]:
        first.add(*batch)
    second.load_state_dict(first.state_dict())
    for batch in batches[11:]:
        second.add(*batch)
    assert second.compute() == whole.compute()


def test_metrics_without_samples_are_nan():
    for metric in (ClassificationMetrics(3, "cpu"), RegressionMetrics("cpu"), LanguageMetrics("cpu")):
        assert all(math.isnan(value) for value in metric.compute().values())


TWO = """
name = "two"
[data]
source = "arrays"
path = "two.npz"
batch_size = 16
[model]
layers = [{type = "Linear", out_features = "auto"}]
[optimizer]
type = "Adam"
lr = 0.5
[training]
epochs = 40
device = "cpu"
threads = 1
"""


def test_two_targets_of_noise_are_not_explained(tmp_path):
    random = np.random.default_rng(0)
    y = random.standard_normal((300, 2)) + np.array([20.0, 1013.0])
    np.savez(tmp_path / "two.npz", x=random.standard_normal((300, 3)), y=y)
    (tmp_path / "two.toml").write_text(TWO)
    done = warm_torchdeck.run("train", "two.toml", "--headless", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    last = next(line for line in reversed(done.stderr.splitlines()) if line.startswith("epoch"))
    assert "val_r2 " in last and "(0 " in last and ", 1 " in last, last
    (events,) = (tmp_path / "runs").glob("*/events.jsonl")
    epoch = [e for e in map(json.loads, events.read_text().splitlines()) if e["event"] == "epoch"][-1]
    assert epoch["val_r2"] < 0.2
    assert epoch["val_r2"] == pytest.approx((epoch["val_r2_0"] + epoch["val_r2_1"]) / 2)


FAR = """
name = "far"
[data]
source = "table"
path = "t.csv"
target = "y"
[model]
layers = [{type = "Linear", out_features = "auto"}]
[optimizer]
type = "Adam"
lr = 0.05
[training]
epochs = 20
device = "cpu"
threads = 1
"""


def test_a_target_far_from_0_has_the_r2_of_its_explained_variance(tmp_path):
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 300))
    y = 1e9 + 2 * (a + 0.7 * b)  # b is not in the table
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{x:.6f},{v:.6f}\n" for x, v in zip(a, y, strict=True)))
    (tmp_path / "far.toml").write_text(FAR)
    done = warm_torchdeck.run("train", "far.toml", "--headless", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (events,) = (tmp_path / "runs").glob("*/events.jsonl")
    epoch = [e for e in map(json.loads, events.read_text().splitlines()) if e["event"] == "epoch"][-1]
    assert 0.5 < epoch["val_r2"] < 0.8 and 1.0 < epoch["val_rmse"] < 2.0
