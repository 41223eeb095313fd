"""Predictions without a network, which a trained network has to beat."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from engine.catalog.metrics import goal
from engine.data.dataset import Dataset
from engine.data.samples import Windows

_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class Baseline:
    """The score of a prediction without a network."""

    metric: str
    """A metric of the task, without its part: accuracy, rmse, bits."""
    value: float
    name: str
    """The name of the prediction in a sentence: `the naive forecast`."""
    sentence: str
    samples: int = 0
    """Number of samples that it was measured on, if it is a share of them."""
    f1: float | None = None
    """Macro F1 of the same prediction, for classes."""


def baselines_of(dataset: Dataset) -> tuple[Baseline, ...]:
    """Measure the baselines on the validation part, or on the training part if there is none.

    Classification: the largest class of the training part. Regression: the mean of the training part. Forecasting: the
    last value for every step ahead and, if the series has a season, the value of the season before. RMSE is over all
    outputs, in the units of the targets. Language modelling: a 3-gram model of the training part.
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
"""Standard errors by which an accuracy must exceed that of a baseline; less may be chance."""

_GAIN, _F1_GAIN = 0.01, 0.1
"""Required decrease of an error, as a share of the baseline's; required increase of F1, as a share of 1 - baseline."""


def is_better(found: tuple[Baseline, ...], measured: Mapping[str, float]) -> bool | None:
    """Whether measured metrics, such as `val_rmse`, beat every baseline; None if none can be compared.

    An error must be lower by a hundredth. For classes, accuracy must be higher by more than chance, or macro F1 by a
    tenth of what the baseline lacks: if one class is large, a network may learn the others without a gain in accuracy.
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
    """Compare measured metrics with the baselines, as a clause; empty if none can be compared.

    An accuracy is compared only if it is no better than the baseline.
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
    """The measured name of a baseline's metric: of the validation part, otherwise of the training part."""
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


Tokens = NDArray[np.int64]

TUNED_ON = 0.1
"""Share of the training text, its end, on which the weights are chosen."""
_ROUNDS = 20


class Trigrams:
    """P(c | a b): how often c came after a b, blended with how often after b, how often at all, and evenness.

    The blend is Jelinek and Mercer's (1980): its weights are those under which the end of the training text is most
    likely, when the counts are of what stands before it; then everything is counted.
    """

    def __init__(self, text: Tokens, vocabulary: int) -> None:
        """`text` (L,) is what is counted."""
        self.vocabulary = vocabulary
        tuned = max(1, int(len(text) * TUNED_ON))
        self._count(text[:-tuned])
        shares = self._shares(text, np.arange(max(2, len(text) - tuned), len(text)))
        weights = np.full(4, 0.25)
        for _ in range(_ROUNDS):  # expectation maximisation
            responsible = weights * shares
            weights = (responsible / responsible.sum(1, keepdims=True)).mean(0)
        self.weights = weights
        self._count(text)

    def bits(self, text: Tokens, places: Tokens) -> float:
        """Mean of -log₂ P of the tokens at `places` of a text, each after the two that stand before it."""
        total = 0.0
        for some in np.array_split(places, max(1, len(places) // 65_536)):
            total -= float(np.log2(self._shares(text, some) @ self.weights).sum())
        return total / max(1, len(places))

    def _count(self, text: Tokens) -> None:
        v = self.vocabulary
        self._singles = np.bincount(text, minlength=v)
        self._pairs = _Counts(text[:-1] * v + text[1:])
        self._triples = _Counts((text[:-2] * v + text[1:-1]) * v + text[2:])

    def _shares(self, text: Tokens, places: Tokens) -> NDArray[np.float64]:
        """(N, 4): the probabilities of each token that are blended; where there is no context, the next shorter one."""
        v = self.vocabulary
        c, b, a = text[places], text[np.maximum(places - 1, 0)], text[np.maximum(places - 2, 0)]
        even = np.full(len(places), 1 / v)
        single = self._singles[c] / max(1, self._singles.sum())
        of_b, of_ab = self._singles[b], self._pairs.of(a * v + b)
        pair = np.where(of_b > 0, self._pairs.of(b * v + c) / np.maximum(of_b, 1), single)
        triple = np.where(of_ab > 0, self._triples.of((a * v + b) * v + c) / np.maximum(of_ab, 1), pair)
        return np.stack([even, single, pair, triple], 1)


class _Counts:
    """How often each number occurs, of numbers far apart."""

    def __init__(self, numbers: Tokens) -> None:
        self._numbers, self._counts = np.unique(numbers, return_counts=True)

    def of(self, numbers: Tokens) -> Tokens:
        """The count of each of these."""
        if not len(self._numbers):
            return np.zeros(len(numbers), dtype=np.int64)
        place = np.searchsorted(self._numbers, numbers).clip(max=len(self._numbers) - 1)
        return np.where(self._numbers[place] == numbers, self._counts[place], 0)
