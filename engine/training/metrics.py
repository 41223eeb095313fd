"""The metrics of a task, accumulated on the device and fetched once an epoch.

N samples, K classes, F targets.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from engine.data.dataset import Units

Floats = NDArray[np.float64]

_WAITING_ELEMENTS = 1 << 20
"""Elements of outputs that may wait on the device before they are counted."""

NAMED_TARGETS = 32
"""Up to this many targets, each has its own R² in addition to the mean."""


class Metrics(Protocol):
    """Accumulates outputs and targets over batches, and computes metrics of them all."""

    def add(self, output: Tensor, target: Tensor) -> None: ...
    def compute(self) -> dict[str, float]: ...
    def reset(self) -> None: ...
    def state_dict(self) -> dict[str, Tensor]: ...
    def load_state_dict(self, state: dict[str, Tensor]) -> None: ...


class _Batched:
    """Batches wait in a list and are counted many at a time: a step costs two appends, not a dozen small kernels."""

    def __init__(self) -> None:
        self._outputs: list[Tensor] = []
        self._targets: list[Tensor] = []
        self._waiting = 0
        self.reset()

    def add(self, output: Tensor, target: Tensor) -> None:
        """Add a batch: output (N, K) or (N, F), target (N,) or (N, F)."""
        self._outputs.append(output)
        self._targets.append(target)
        self._waiting += output.numel()
        if self._waiting > _WAITING_ELEMENTS:
            self._flush()

    def _flush(self) -> None:
        if self._outputs:
            self._count(torch.cat(self._outputs), torch.cat(self._targets))
            self._outputs, self._targets, self._waiting = [], [], 0

    def _count(self, output: Tensor, target: Tensor) -> None:
        raise NotImplementedError

    def reset(self) -> None:
        """Remove all batches."""
        self._outputs, self._targets, self._waiting = [], [], 0


class ClassificationMetrics(_Batched):
    """Accuracy and macro F1: the unweighted mean of 2·tp / (2·tp + fp + fn) over the classes that occur.

    Outputs with one column are logits of the positive one of two classes, as for BCEWithLogitsLoss.
    """

    def __init__(self, classes: int, device: str, threshold: float = 0.0) -> None:
        self.classes = max(classes, 2)
        self.device = device
        self.threshold = threshold
        super().__init__()

    def reset(self) -> None:
        """Remove all batches."""
        super().reset()
        self._hits, self._predicted, self._actual = (
            torch.zeros(self.classes, dtype=torch.int64, device=self.device) for _ in range(3)
        )

    def _count(self, output: Tensor, target: Tensor) -> None:
        one_column = output.ndim == 1 or output.shape[1] == 1
        predicted = (output.flatten() > self.threshold).long() if one_column else output.argmax(1)
        actual = target.flatten().long()
        self._hits += torch.bincount(actual[predicted == actual], minlength=self.classes)
        self._predicted += torch.bincount(predicted, minlength=self.classes)
        self._actual += torch.bincount(actual, minlength=self.classes)

    def compute(self) -> dict[str, float]:
        """Return the metrics over all batches, by name."""
        self._flush()
        hits, predicted, actual = torch.stack([self._hits, self._predicted, self._actual]).double().cpu()
        occurring = (predicted + actual) > 0
        f1 = 2 * hits[occurring] / (predicted + actual)[occurring]
        return {"accuracy": float(hits.sum() / actual.sum()), "f1": float(f1.mean())}

    def state_dict(self) -> dict[str, Tensor]:
        """Return the counts so far, for a checkpoint within an epoch."""
        self._flush()
        return {"counts": torch.stack([self._hits, self._predicted, self._actual])}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore `state_dict()`."""
        self.reset()
        self._hits, self._predicted, self._actual = state["counts"].to(self.device)


class RegressionMetrics(_Batched):
    """Mean absolute error, root mean squared error and R²; errors are in the units of the targets, if they have any.

    R² is the mean of the outputs' own values, as in scikit-learn. With several targets, each has its own value
    `r2_NAME` in addition; over a horizon it is the mean of its steps. As in scikit-learn, R² is 0 (1 without any error)
    where an output does not vary, and NaN for fewer than two samples.

    Sums are centred: each part of the samples around its own mean, on the device. The host combines the parts in
    float64 (Chan et al., 1983). So neither a large offset nor a device without float64 costs digits.

    Args:
        targets: names of the targets; the outputs repeat them in this order.
    """

    def __init__(self, device: str, units: Units | None = None, targets: tuple[str, ...] = ()) -> None:
        self.device = device
        self.units = units
        self.targets = targets
        self._dtype = torch.float32 if device == "mps" else torch.float64
        super().__init__()

    def reset(self) -> None:
        """Remove all batches."""
        super().reset()
        self._parts: list[Tensor] = []

    def _count(self, output: Tensor, target: Tensor) -> None:
        target = target.to(self._dtype).reshape(len(target), -1)
        error = output.to(self._dtype).reshape(target.shape) - target
        # Relative to the first sample: a constant target is exactly 0 then.
        first = target[0]
        offset = target - first
        mean = offset.mean(0)
        spread = (offset - mean).square().sum(0)
        count = torch.full_like(first, len(target))
        self._parts.append(torch.stack([count, first, mean, spread, error.abs().sum(0), error.square().sum(0)]))

    def compute(self) -> dict[str, float]:
        """Return the metrics over all batches, by name."""
        self._flush()
        if not self._parts:
            return dict.fromkeys(("mae", "rmse", "r2"), math.nan)
        parts = torch.stack(self._parts).cpu().numpy().astype(np.float64)
        count, spread = _combined(parts)
        absolute, squared = parts[:, 4].sum(0), parts[:, 5].sum(0)
        r2 = _r2(squared, spread, count)
        if self.units is not None:
            scale = np.abs(self.units.scale)
            absolute, squared = absolute * scale, squared * scale**2
        return {
            "mae": float(absolute.mean() / count),
            "rmse": float(squared.mean() / count) ** 0.5,
            "r2": float(r2.mean()),
        } | self._r2_by_target(r2)

    def _r2_by_target(self, r2: Floats) -> dict[str, float]:
        several = len(self.targets)
        if not 1 < several <= NAMED_TARGETS:
            return {}
        return {f"r2_{name}": float(r2[index::several].mean()) for index, name in enumerate(self.targets)}

    def state_dict(self) -> dict[str, Tensor]:
        """Return the sums so far, for a checkpoint within an epoch.

        Waiting batches keep waiting: summed now, in another grouping, they would change the last bits of the sums.
        """
        waiting = {"outputs": torch.cat(self._outputs), "targets": torch.cat(self._targets)} if self._outputs else {}
        return ({"parts": torch.stack(self._parts)} if self._parts else {}) | waiting

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore `state_dict()`, without the sums of earlier versions, which do not distinguish targets."""
        self.reset()
        if "parts" in state:
            self._parts = list(state["parts"].to(self.device, self._dtype))
        if "outputs" in state:
            self.add(state["outputs"].to(self.device), state["targets"].to(self.device))


def _combined(parts: Floats) -> tuple[float, Floats]:
    """Return the number of samples, and each output's sum of squares around its mean, (F,), from parts (P, ≥4, F).

    Source: Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983,
    https://doi.org/10.1080/00031305.1983.10483115
    """
    # Means are relative to the first sample, so that they are small where the targets are large.
    begin = parts[0, 1]
    count, mean, spread = float(parts[0, 0, 0]), parts[0, 2], parts[0, 3]
    for n, first, part_mean, own, *_ in parts[1:]:
        size = float(n[0])
        offset = (first - begin) + part_mean - mean
        spread = spread + own + offset**2 * (count * size / (count + size))
        mean = mean + offset * (size / (count + size))
        count += size
    return count, spread


def _r2(squared: Floats, spread: Floats, count: float) -> Floats:
    """Return R² of each output, (F,), from its squared errors and its squares around its mean, both (F,) sums."""
    if count < 2:
        return np.full_like(squared, math.nan)
    if spread.all():
        r2: Floats = 1 - squared / spread
        return r2
    constant = np.where(squared == 0, 1.0, np.where(np.isnan(squared), math.nan, 0.0))
    return np.where(spread > 0, 1 - squared / np.where(spread > 0, spread, 1.0), constant)


class LanguageMetrics:
    """Bits a token, -log₂ of the probability that the network gave it; and the share of tokens ranked first.

    Counted batch by batch: waiting outputs (N, T, K) would be large.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self._dtype = torch.float32 if device == "mps" else torch.float64
        self.reset()

    def reset(self) -> None:
        """Remove all batches."""
        self._sums = torch.zeros(3, dtype=self._dtype, device=self.device)

    def add(self, output: Tensor, target: Tensor) -> None:
        """Add a batch: logits or log-probabilities (N, T, K), and tokens (N, T)."""
        scores = output.float()
        nats = functional.cross_entropy(scores.flatten(0, 1), target.flatten(), reduction="none")
        hits = (scores.argmax(2) == target).sum()
        count = torch.tensor(float(target.numel()), dtype=self._dtype, device=self.device)
        self._sums += torch.stack([count, nats.sum(dtype=self._dtype), hits.to(self._dtype)])

    def compute(self) -> dict[str, float]:
        """Return the metrics over all batches, by name."""
        count, nats, hits = self._sums.double().cpu().tolist()
        if not count:
            return {"bits": math.nan, "accuracy": math.nan}
        return {"bits": nats / math.log(2) / count, "accuracy": hits / count}

    def state_dict(self) -> dict[str, Tensor]:
        """Return the sums so far, for a checkpoint within an epoch."""
        return {"sums": self._sums.clone()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore `state_dict()`."""
        self._sums = state["sums"].to(self.device, self._dtype)


def metrics_for(
    task: str,
    outputs: int,
    device: str,
    *,
    probabilities: bool = False,
    units: Units | None = None,
    targets: tuple[str, ...] = (),
) -> Metrics:
    """Build the metrics of a task.

    Args:
        probabilities: whether a single output is a probability, not a logit.
        targets: names of the predicted targets, where they are numeric.
    """
    if task == "classification":
        return ClassificationMetrics(outputs, device, threshold=0.5 if probabilities else 0.0)
    if task == "language modelling":
        return LanguageMetrics(device)
    # In a forecast without names, each output is another step of one target.
    numbered = tuple(map(str, range(outputs))) if task == "regression" else ()
    return RegressionMetrics(device, units, targets or numbered)
