"""The metrics of a task, gathered on the device and fetched once an epoch.

N samples, K classes, F targets.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from engine.data.units import Units

_HELD_ELEMENTS = 1 << 20
"""Outputs that may wait on the device before they are counted, in elements."""


class Metrics(Protocol):
    """Takes the outputs of batch after batch, and says what they come to."""

    def add(self, output: Tensor, target: Tensor) -> None: ...
    def compute(self) -> dict[str, float]: ...
    def reset(self) -> None: ...
    def state_dict(self) -> dict[str, Tensor]: ...
    def load_state_dict(self, state: dict[str, Tensor]) -> None: ...


class _Gathered:
    """Batches wait in a list and are counted many at a time: a step pays two appends, not a dozen small kernels."""

    def __init__(self) -> None:
        self._outputs: list[Tensor] = []
        self._targets: list[Tensor] = []
        self._held = 0
        self.reset()

    def add(self, output: Tensor, target: Tensor) -> None:
        """Take a batch: output (N, K) or (N, F), target (N,) or (N, F)."""
        self._outputs.append(output)
        self._targets.append(target)
        self._held += output.numel()
        if self._held > _HELD_ELEMENTS:
            self._flush()

    def _flush(self) -> None:
        if self._outputs:
            self._count(torch.cat(self._outputs), torch.cat(self._targets))
            self._outputs, self._targets, self._held = [], [], 0

    def _count(self, output: Tensor, target: Tensor) -> None:
        raise NotImplementedError

    def reset(self) -> None:
        """Forget everything."""
        self._outputs, self._targets, self._held = [], [], 0


class ClassificationMetrics(_Gathered):
    """Accuracy and macro F1: the unweighted mean of 2·tp / (2·tp + fp + fn) over the classes that occur.

    Outputs of one column are logits of the positive class of two, as BCEWithLogitsLoss takes them.
    """

    def __init__(self, classes: int, device: str, threshold: float = 0.0) -> None:
        self.classes = max(classes, 2)
        self.device = device
        self.threshold = threshold
        super().__init__()

    def reset(self) -> None:
        """Forget everything."""
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
        """The metrics over all that was added."""
        self._flush()
        hits, predicted, actual = torch.stack([self._hits, self._predicted, self._actual]).double().cpu()
        occurring = (predicted + actual) > 0
        f1 = 2 * hits[occurring] / (predicted + actual)[occurring]
        return {"accuracy": float(hits.sum() / actual.sum()), "f1": float(f1.mean())}

    def state_dict(self) -> dict[str, Tensor]:
        """What has been counted so far, for a checkpoint in the middle of an epoch."""
        self._flush()
        return {"counts": torch.stack([self._hits, self._predicted, self._actual])}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from `state_dict()`."""
        self.reset()
        self._hits, self._predicted, self._actual = state["counts"].to(self.device)


class RegressionMetrics(_Gathered):
    """Mean absolute error, root mean squared error and R² over all targets together; in units, where they have any."""

    def __init__(self, device: str, units: Units | None = None) -> None:
        self.device = device
        self.units = units
        self._dtype = torch.float32 if device == "mps" else torch.float64
        super().__init__()

    def reset(self) -> None:
        """Forget everything."""
        super().reset()
        self._sums = torch.zeros(5, dtype=self._dtype, device=self.device)

    def _count(self, output: Tensor, target: Tensor) -> None:
        output, target = output.to(self._dtype).reshape(target.shape), target.to(self._dtype)
        if self.units is not None:
            output, target = self.units.of(output), self.units.of(target)
        error = output - target
        count = torch.tensor(float(target.numel()), dtype=self._dtype, device=self.device)
        self._sums += torch.stack([count, error.abs().sum(), error.square().sum(), target.sum(), target.square().sum()])

    def compute(self) -> dict[str, float]:
        """The metrics over all that was added; R² is 0 where the targets do not vary."""
        self._flush()
        n, absolute, squared, total, total_squared = self._sums.double().cpu().tolist()
        variation = total_squared - total * total / n
        r2 = 1 - squared / variation if variation > 0 else 0.0
        return {"mae": absolute / n, "rmse": (squared / n) ** 0.5, "r2": r2}

    def state_dict(self) -> dict[str, Tensor]:
        """What has been summed so far, for a checkpoint in the middle of an epoch.

        What waits goes on waiting: summed now, in another grouping, it would change the last bits of the epoch's sums.
        """
        waiting = {"outputs": torch.cat(self._outputs), "targets": torch.cat(self._targets)} if self._outputs else {}
        return {"sums": self._sums.clone(), **waiting}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from `state_dict()`."""
        self.reset()
        self._sums = state["sums"].to(self.device, self._dtype)
        if "outputs" in state:
            self.add(state["outputs"].to(self.device), state["targets"].to(self.device))


class LanguageMetrics:
    """Bits a token, -log₂ of the probability that the network gave to it; and the share that it held most likely.

    Counted batch by batch, as what waits would be (N, T, K).
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self._dtype = torch.float32 if device == "mps" else torch.float64
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._sums = torch.zeros(3, dtype=self._dtype, device=self.device)

    def add(self, output: Tensor, target: Tensor) -> None:
        """Take a batch: scores (N, T, K), or their log-probabilities, and tokens (N, T)."""
        scores = output.float()
        nats = functional.cross_entropy(scores.flatten(0, 1), target.flatten(), reduction="sum")
        hits = (scores.argmax(2) == target).sum()
        count = torch.tensor(float(target.numel()), dtype=self._dtype, device=self.device)
        self._sums += torch.stack([count, nats.to(self._dtype), hits.to(self._dtype)])

    def compute(self) -> dict[str, float]:
        """The metrics over all that was added."""
        count, nats, hits = self._sums.double().cpu().tolist()
        return {"bits": nats / math.log(2) / count, "accuracy": hits / count}

    def state_dict(self) -> dict[str, Tensor]:
        """What has been summed so far, for a checkpoint in the middle of an epoch."""
        return {"sums": self._sums.clone()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from `state_dict()`."""
        self._sums = state["sums"].to(self.device, self._dtype)


def metrics_for(
    task: str, outputs: int, device: str, *, probabilities: bool = False, units: Units | None = None
) -> Metrics:
    """The metrics of a task; `probabilities` says that a single output is a probability, not a logit."""
    if task == "classification":
        return ClassificationMetrics(outputs, device, threshold=0.5 if probabilities else 0.0)
    if task == "language modelling":
        return LanguageMetrics(device)
    return RegressionMetrics(device, units)
