"""What can be had without learning a network: the figures that one has to beat."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from engine.catalog.metrics import goal
from engine.data.dataset import Dataset
from engine.data.ngrams import Trigrams
from engine.data.samples import Windows

_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class Baseline:
    """A prediction without a network, measured."""

    metric: str
    """Of the task's metrics, without its part: accuracy, rmse, bits."""
    value: float
    name: str
    """What it is of, as in a sentence on how it compares: `the naive forecast`."""
    sentence: str


def baselines_of(dataset: Dataset) -> tuple[Baseline, ...]:
    """What to compare with, measured on the validation part; on the training part where nothing is held back.

    Classification: the largest class of the training part. Regression: the mean of the training part. Forecasting: the
    last value again, for every step ahead, and where the series has a season, that of a season before. RMSE is over all
    outputs, in the units of the targets. Language modelling: what counting three characters in a row on the training
    part comes to.
    """
    match dataset.description.task:
        case "classification":
            return (_largest_class(dataset),)
        case "language modelling":
            return (_three_grams(dataset),)
        case "forecasting":
            return _seen_before(dataset)
    return (_mean(dataset),)


def comparison(found: tuple[Baseline, ...], measured: dict[str, float]) -> str:
    """How what was measured, `val_rmse` say, stands against baselines, as a clause; empty where none is of it."""
    clauses, metric = [], ""
    for one in found:
        name = next((n for n in (f"val_{one.metric}", f"train_{one.metric}") if n in measured), None)
        if name is not None and one.value and goal(one.metric) == "min":
            metric = f"{name} {measured[name]:.4g}"
            clauses.append(f"{measured[name] / one.value:.2f} of {one.name}'s {one.value:.4g}")
    return f"{metric}: {', '.join(clauses)}" if clauses else ""


def _measured_on(dataset: Dataset) -> tuple[str, torch.Tensor]:
    return ("val", dataset.validation) if len(dataset.validation) else ("train", dataset.train)


def _largest_class(dataset: Dataset) -> Baseline:
    part, indices = _measured_on(dataset)
    largest = int(torch.bincount(dataset.y[dataset.train]).argmax())
    accuracy = (dataset.y[indices] == largest).double().mean().item()
    name = dataset.description.classes[largest]
    sentence = f"Naive baseline: always the largest class ({name}) reaches {part}_accuracy {accuracy:.4f}."
    return Baseline("accuracy", accuracy, "the largest class", sentence)


def _mean(dataset: Dataset) -> Baseline:
    part, indices = _measured_on(dataset)
    rmse = _rmse(dataset, indices, dataset.y[dataset.train].double().mean(0))
    sentence = f"Naive baseline: always the mean of the training part gives {part}_rmse {rmse:.4g}."
    return Baseline("rmse", rmse, "the mean", sentence)


def _seen_before(dataset: Dataset) -> tuple[Baseline, ...]:
    """Forecasts that repeat: the last value, which is a season of one step, and the last season."""
    part, indices = _measured_on(dataset)
    naive = _rmse_of_season(dataset, indices, 1)
    sentence = f"Naive baseline: the last value again gives {part}_rmse {naive:.4g}."
    found = (Baseline("rmse", naive, "the naive forecast", sentence),)
    targets, season = dataset.y, dataset.season
    assert isinstance(targets, Windows)
    if season == 1 or not len(indices) or int(targets.starts[indices].min()) < season:
        return found
    rmse = _rmse_of_season(dataset, indices, season)
    sentence = f"Seasonal-naive baseline: the value of {season} steps before gives {part}_rmse {rmse:.4g}."
    return (*found, Baseline("rmse", rmse, "the seasonal-naive", sentence))


def _rmse_of_season(dataset: Dataset, indices: torch.Tensor, season: int) -> float:
    """Of repeating the last `season` values that are known, over all steps ahead."""
    targets = dataset.y
    assert isinstance(targets, Windows)
    ahead = torch.arange(targets.length)
    back = ahead - season * (ahead // season + 1)
    squares = count = 0.0
    for some in indices.split(_AT_ONCE):
        predicted = targets.values[targets.starts[some][:, None] + back].reshape(len(some), -1)
        squares += _rmse(dataset, some, predicted) ** 2 * len(some)
        count += len(some)
    return (squares / count) ** 0.5 if count else 0.0


def _three_grams(dataset: Dataset) -> Baseline:
    part, indices = _measured_on(dataset)
    targets = dataset.y
    assert isinstance(targets, Windows)
    text = targets.values.numpy().astype("int64")
    last = int(targets.starts[dataset.train[-1]]) + targets.length
    counted = Trigrams(text[:last], dataset.description.outputs)
    places = (targets.starts[indices][:, None] + torch.arange(targets.length)).flatten().numpy()
    bits = counted.bits(text, places)
    sentence = f"Counting baseline: a 3-gram model of the same training text takes {part}_bits {bits:.3f} a "
    return Baseline("bits", bits, "the 3-gram model", f"{sentence}{dataset.description.token}.")


def _rmse(dataset: Dataset, indices: torch.Tensor, predicted: torch.Tensor) -> float:
    targets = dataset.y[indices]
    predicted = predicted.expand(targets.shape)
    if dataset.units is not None:
        targets, predicted = dataset.units.of(targets), dataset.units.of(predicted)
    return float((targets.double() - predicted).square().mean().sqrt())
