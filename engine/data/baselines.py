"""What can be had without learning anything: the figure that a network has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from engine.data.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Baseline:
    """The naive prediction of a task, measured."""

    metric: Literal["accuracy", "rmse"]
    value: float
    sentence: str


def baseline(dataset: Dataset) -> Baseline:
    """The naive prediction measured on the validation part, or on the training part where nothing is held back.

    Classification: the largest class of the training part. Forecasting: the last value again, for every step ahead.
    Regression: the mean of the training part. RMSE is over all outputs, in the units of the targets.
    """
    part, indices = ("val", dataset.validation) if len(dataset.validation) else ("train", dataset.train)
    targets = dataset.y[indices]
    match dataset.description.task:
        case "classification":
            largest = int(torch.bincount(dataset.y[dataset.train]).argmax())
            accuracy = (targets == largest).double().mean().item()
            name = dataset.description.classes[largest]
            return Baseline(
                "accuracy",
                accuracy,
                f"Naive baseline: always the largest class ({name}) reaches {part}_accuracy {accuracy:.4f}.",
            )
        case "forecasting":
            what, predicted = "the last value again", dataset.x[indices][:, -1, :1]
        case "regression":
            what, predicted = "always the mean of the training part", dataset.y[dataset.train].double().mean(0)
    predicted = predicted.expand(targets.shape)
    if dataset.units is not None:
        targets, predicted = dataset.units.of(targets), dataset.units.of(predicted)
    rmse = (targets.double() - predicted).square().mean().sqrt().item()
    return Baseline("rmse", rmse, f"Naive baseline: {what} gives {part}_rmse {rmse:.4g}.")
