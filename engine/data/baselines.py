"""What can be had without learning a network: the figures that one has to beat."""

from __future__ import annotations

import math
from collections.abc import Mapping
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
    """What predicts so, as in a sentence on how it compares: `the naive forecast`."""
    sentence: str
    samples: int = 0
    """How many samples it was measured on, where it is a share of them."""
    f1: float | None = None
    """The macro F1 of the same prediction, where it is of classes."""


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


CLEARLY = 2.0
"""Standard errors by which a share of right answers must exceed that of a baseline: less may be chance."""

_GAIN, _F1_GAIN = 0.01, 0.1
"""A fall of an error, as a share of the baseline's; a rise of F1, as a share of what the baseline lacks."""


def is_better(found: tuple[Baseline, ...], measured: Mapping[str, float]) -> bool | None:
    """Whether what was measured, `val_rmse` say, is better than every baseline; None where nothing compares.

    Errors must be lower by a hundredth. Of classes, the accuracy must be higher by more than chance, or macro F1 by a
    tenth of what the baseline lacks: where one class is large, a network may have learned the others at no gain in
    accuracy.
    """
    verdicts = [one for one in (_beats(baseline, measured) for baseline in found) if one is not None]
    return all(verdicts) if verdicts else None


def _beats(baseline: Baseline, measured: Mapping[str, float]) -> bool | None:
    name = _name(baseline, measured)
    if name is None:
        return None
    value, base = measured[name], baseline.value
    if goal(baseline.metric) == "min":
        return value < (1 - _GAIN) * base
    chance = CLEARLY * math.sqrt(base * (1 - base) / max(baseline.samples, 1))
    f1 = measured.get(name.replace("accuracy", "f1"), 0.0)
    return value > base + chance or (baseline.f1 is not None and f1 > baseline.f1 + _F1_GAIN * (1 - baseline.f1))


def comparison(found: tuple[Baseline, ...], measured: Mapping[str, float]) -> str:
    """How what was measured stands against baselines, as a clause; empty where none is of it.

    An accuracy is compared only where it is no better: a share of right answers speaks for itself.
    """
    clauses, metric = [], ""
    for one in found:
        name = _name(one, measured)
        if name is None or (goal(one.metric) == "max" and _beats(one, measured)):
            continue
        metric = f"{name} {measured[name]:.4g}"
        clauses.append(_compared(one, measured[name], beats=bool(_beats(one, measured))))
    return f"{metric}: {', '.join(clauses)}" if clauses else ""


def _compared(baseline: Baseline, value: float, *, beats: bool) -> str:
    known = f"{baseline.name} ({baseline.value:.4g})"
    if beats:
        percent = 100 * (1 - value / baseline.value)
        return f"{f'{percent:.0f}' if percent < 99.5 else 'more than 99'} % below {known}"
    if goal(baseline.metric) == "min" and baseline.value > 0 and value >= 2 * baseline.value:
        return f"worse than {known}"
    return f"no better than {known}"


def _name(baseline: Baseline, measured: Mapping[str, float]) -> str | None:
    """What was measured of a baseline's metric: on the validation part, or else on the training part."""
    return next((n for n in (f"val_{baseline.metric}", f"train_{baseline.metric}") if n in measured), None)


def _measured_on(dataset: Dataset) -> tuple[str, torch.Tensor]:
    return ("val", dataset.validation) if len(dataset.validation) else ("train", dataset.train)


def _largest_class(dataset: Dataset) -> Baseline:
    part, indices = _measured_on(dataset)
    largest = int(torch.bincount(dataset.y[dataset.train]).argmax())
    accuracy = (dataset.y[indices] == largest).double().mean().item()
    name = dataset.description.classes[largest]
    sentence = f"Naive baseline: always the largest class ({name}) reaches {part}_accuracy {accuracy:.4f}."
    counts = torch.bincount(dataset.y[indices], minlength=dataset.description.outputs)
    hits = float(counts[largest])
    others = int((counts > 0).sum()) - bool(hits)
    f1 = 2 * hits / (len(indices) + hits) / (1 + others) if len(indices) else 0.0
    name = f"always saying {name}, the largest class"
    return Baseline("accuracy", accuracy, name, sentence, len(indices), f1)


def _mean(dataset: Dataset) -> Baseline:
    part, indices = _measured_on(dataset)
    rmse = _rmse(dataset, indices, dataset.y[dataset.train].double().mean(0))
    sentence = f"Naive baseline: always the mean of the training part gives {part}_rmse {rmse:.4g}."
    return Baseline("rmse", rmse, "always predicting the mean", sentence)


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
    return (*found, Baseline("rmse", rmse, "the seasonal-naive forecast", sentence))


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
    return Baseline("bits", bits, "a 3-gram model", f"{sentence}{dataset.description.token}.")


def _rmse(dataset: Dataset, indices: torch.Tensor, predicted: torch.Tensor) -> float:
    targets = dataset.y[indices]
    predicted = predicted.expand(targets.shape)
    if dataset.units is not None:
        targets, predicted = dataset.units.of(targets), dataset.units.of(predicted)
    return float((targets.double() - predicted).square().mean().sqrt())
