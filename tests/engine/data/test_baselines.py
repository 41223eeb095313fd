"""Whether a run is better than what can be had without a network, and how that is said."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from engine.data import Baseline, baselines_of, load_data
from engine.data.baselines import comparison, is_better
from engine.experiment import Data

NAIVE = Baseline("rmse", 0.03311, "the naive forecast", "")
SEASONAL = Baseline("rmse", 0.02, "the seasonal-naive forecast", "")
LARGEST = Baseline("accuracy", 0.103, "always saying 3, the largest class", "", samples=360, f1=0.0187)
RARE = Baseline("accuracy", 0.95, "always saying healthy, the largest class", "", samples=400, f1=0.487)


@pytest.mark.parametrize(
    ("found", "measured", "better", "said"),
    [
        ((NAIVE,), {"val_rmse": 0.0179}, True, "val_rmse 0.0179: 46 % below the naive forecast (0.03311)"),
        (
            (NAIVE, SEASONAL),
            {"val_rmse": 0.025},
            False,
            "val_rmse 0.025: 24 % below the naive forecast (0.03311), "
            "no better than the seasonal-naive forecast (0.02)",
        ),
        ((NAIVE,), {"val_rmse": 0.0330}, False, "val_rmse 0.033: no better than the naive forecast (0.03311)"),
        ((NAIVE,), {"train_rmse": 1e-9}, True, "train_rmse 1e-09: more than 99 % below the naive forecast (0.03311)"),
        ((NAIVE,), {"val_rmse": 1e35}, False, "val_rmse 1e+35: worse than the naive forecast (0.03311)"),
        ((NAIVE,), {"val_rmse": float("nan")}, False, "val_rmse nan: no better than the naive forecast (0.03311)"),
        (
            (Baseline("rmse", 1e-37, "the naive forecast", ""),),
            {"val_rmse": 3.0},
            False,
            "val_rmse 3: worse than the naive forecast (1e-37)",
        ),
        (
            (Baseline("rmse", 0.0, "the naive forecast", ""),),
            {"val_rmse": 0.0},
            False,
            "val_rmse 0: no better than the naive forecast (0)",
        ),
        ((LARGEST,), {"val_accuracy": 0.98, "val_f1": 0.98}, True, ""),
        (
            (LARGEST,),
            {"val_accuracy": 0.128, "val_f1": 0.06},  # within what 360 samples vary by chance
            False,
            "val_accuracy 0.128: no better than always saying 3, the largest class (0.103)",
        ),
        ((RARE,), {"val_accuracy": 0.94, "val_f1": 0.78}, True, ""),  # the rare class was learned
        (
            (RARE,),
            {"val_accuracy": 0.955, "val_f1": 0.49},
            False,
            "val_accuracy 0.955: no better than always saying healthy, the largest class (0.95)",
        ),
        ((LARGEST,), {"val_loss": 1.0}, None, ""),
        ((), {"val_rmse": 1.0}, None, ""),
    ],
)
def test_a_run_is_compared_with_its_baselines(found, measured, better, said):
    assert is_better(found, measured) is better
    assert comparison(found, measured) == said


@pytest.mark.parametrize("source", ["digits", "wine", "breast-cancer"])
def test_the_f1_of_the_largest_class_is_that_of_scikit_learn(source):
    dataset = load_data(Data(source=source), seed=0)
    (found,) = baselines_of(dataset)
    truth = dataset.y[dataset.validation].numpy()
    said = np.full_like(truth, np.bincount(dataset.y[dataset.train].numpy()).argmax())
    assert found.f1 == pytest.approx(f1_score(truth, said, average="macro", zero_division=0))
    assert (found.value, found.samples) == (pytest.approx((truth == said).mean()), len(truth))
