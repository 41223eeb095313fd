"""Gradient accumulation: the gradients of several batches, or of parts of a batch, add up to those of one large batch.

N batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from engine.catalog.denominators import mean_of
from engine.training.batches import Batch
from engine.training.learner import Learner


class StepResult(NamedTuple):
    """What a step computed. Tensors are on the device, without a graph."""

    loss: Tensor
    """Mean loss over the samples of the step, (); without penalties."""
    weight: Tensor | float
    """What that mean was divided by; 0 where no sample counts in the loss."""
    samples: int
    outputs: list[tuple[Tensor, Tensor]]
    """Output (N, …) and target (N, …) of each part."""
    grad_norm: Tensor | None
    """Norm of all gradients before clipping, where it was measured."""
    finite: bool
    """Whether the gradients were finite; if not, no weight was changed."""


class Accumulation:
    """The batches of one step, in parts, each of which contributes to the mean loss over all samples.

    Args:
        micro_batches: parts of each batch; by default those of the learner.
    """

    __slots__ = ("_learner", "_losses", "_outputs", "parts", "samples", "weight")

    def __init__(self, learner: Learner, batches: Sequence[Batch], *, micro_batches: int | None = None) -> None:
        self._learner = learner
        weights = [batch.weight(learner.denominator) for batch in batches]
        self.weight: Tensor | float = sum(weights[1:], weights[0])
        self.samples = sum(batch.size for batch in batches)
        self.parts = split(batches, learner.micro_batches if micro_batches is None else micro_batches)
        self._losses: list[Tensor] = []
        self._outputs: list[tuple[Tensor, Tensor]] = []

    def loss(self, batch: Batch, output: Tensor) -> Tensor:
        """Return what a part with this output (N, …) contributes to the mean loss over all samples of the step, ()."""
        criterion, criterion_sum = self._learner.criterion, self._learner.criterion_sum
        if len(self.parts) == 1:
            return batch.loss(criterion, output)
        if not isinstance(self.weight, Tensor):
            return batch.loss(criterion, output) * (batch.size / self.weight)
        return mean_of(criterion_sum, batch.loss(criterion_sum, output), self.weight)

    def record(self, batch: Batch, output: Tensor, loss: Tensor) -> None:
        """Record the output (N, …) and the loss of a part for the step's result."""
        self._losses.append(loss.detach())
        self._outputs.append((output.detach(), batch.target))

    def add_gradients(self) -> Tensor:
        """Run forward and backward passes for every part, as `train_step` does. Returns the objective, ()."""
        learner, objectives = self._learner, []
        for batch in self.parts:
            with learner.precision.autocast():
                output = learner.network(*batch.inputs)
                loss = self.loss(batch, output)
                objective = learner.regularizer.objective(loss, batch.size / self.samples)
            learner.precision.backward(objective)
            self.record(batch, output, loss)
            objectives.append(objective.detach())
        return torch.stack(objectives).sum()

    def result(self, grad_norm: Tensor | None = None, *, finite: bool = True) -> StepResult:
        """Return what the step computed."""
        loss = sum(self._losses[1:], self._losses[0])
        return StepResult(loss, self.weight, self.samples, self._outputs, grad_norm, finite)


def batches_of_steps(batches: Iterator[Batch], accumulation_steps: int) -> Iterator[list[Batch]]:
    """Group the batches of an epoch by step; the last step may have fewer."""
    while group := list(islice(batches, accumulation_steps)):
        yield group


def split(batches: Sequence[Batch], parts: int) -> list[Batch]:
    """Split each batch into `parts` of nearly equal size; a batch with fewer samples, into single samples."""
    return list(batches) if parts == 1 else [part for batch in batches for part in _split(batch, parts)]


def mixes_samples(network: nn.Module) -> bool:
    """Return whether an output depends on the other samples of its batch, so that a batch cannot be split."""
    return any(isinstance(module, _BatchNorm) and module.training for module in network.modules())


def _split(batch: Batch, parts: int) -> list[Batch]:
    size = -(-batch.size // min(parts, batch.size))
    found = []
    for begin in range(0, batch.size, size):
        end = min(begin + size, batch.size)
        targets = {
            field.name: value[begin:end]
            for field in fields(batch)
            if isinstance(value := getattr(batch, field.name), Tensor)
        }
        inputs = tuple(tensor[begin:end] for tensor in batch.inputs)
        found.append(replace(batch, inputs=inputs, size=end - begin, **targets))
    return found
