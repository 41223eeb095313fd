"""Loss and metrics on the validation part, measured at the end of an epoch.

N batch.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import torch
from torch import Tensor, nn

from engine.training.averaging import BatchNormStatistics
from engine.training.batches import Batches
from engine.training.learner import Learner
from engine.training.metrics import Metrics
from engine.training.nonfinite import NonFiniteSamples, nonfinite_samples
from engine.training.reporting import EpochLosses, ExitReason

Poll = Callable[[], ExitReason | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What an evaluation measured."""

    metrics: dict[str, float] = field(default_factory=dict)
    """The loss and the metrics by name, without `val_`. No loss where no sample counts in it: a mean over nothing."""
    nonfinite: NonFiniteSamples | None = None
    """The first samples whose loss is not finite, if any and requested."""
    exit_reason: ExitReason | None = None
    """Why the evaluation was given up; the next loop repeats it."""


@contextlib.contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Put the network in evaluation mode, without gradients: dropout is off, BatchNorm uses running statistics."""
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        network.train(was_training)


def evaluate(
    learner: Learner,
    batches: Batches,
    *,
    metrics: Metrics,
    batch_size: int,
    seed: int,
    find_nonfinite: bool,
    poll: Poll,
) -> Evaluation:
    """Measure loss and metrics on the validation part, with the averaged weights once there are any.

    Args:
        seed: that of the run; the order of the training samples follows from it.
        find_nonfinite: whether to name the samples whose loss is not finite.
        poll: called after each batch; the evaluation is given up when it returns a reason.
    """
    metrics.reset()
    losses = EpochLosses()
    network, criterion, counted = learner.result, learner.criterion, learner.counted
    any_counted: Tensor | bool = counted is None
    with evaluating(network):
        if reason := _update_statistics(learner, batches, batch_size, seed, poll):
            return Evaluation(exit_reason=reason)
        for index, batch in enumerate(batches.validation(batch_size)):
            with learner.precision.autocast():
                output = network(*batch.inputs)  # (N, outputs)
                loss = batch.loss(criterion, output)
            losses.add(loss, batch.weight(learner.denominator), batch.size, index)
            if counted is not None:
                any_counted = any_counted | counted(batch.target).any()
            metrics.add(output, batch.target)
            if reason := poll():
                return Evaluation(exit_reason=reason)
        first_nonfinite = losses.fetch().first_nonfinite
        if not losses.samples:
            return Evaluation()
        nonfinite = None
        if first_nonfinite is not None and find_nonfinite:
            nonfinite = _find_nonfinite(learner, batches, batch_size, first_nonfinite)
        mean = {"loss": losses.mean} if losses.weight and any_counted else {}
        return Evaluation(metrics=mean | metrics.compute(), nonfinite=nonfinite)


def _find_nonfinite(learner: Learner, batches: Batches, batch_size: int, index: int) -> NonFiniteSamples:
    """Name the samples of a validation batch whose loss is not finite."""
    batch = next(islice(batches.validation(batch_size), index, None))
    with learner.precision.autocast():
        output = learner.result(*batch.inputs)
    return nonfinite_samples(learner.criterion, batch, output, index * batch_size, batches.dataset.description)


def _update_statistics(learner: Learner, batches: Batches, batch_size: int, seed: int, poll: Poll) -> ExitReason | None:
    """Measure the running statistics of averaged weights on the training samples, where their average needs it."""
    average = learner.average
    if average is None or not average.count or not average.needs_statistics:
        return None
    with BatchNormStatistics(average.network) as statistics:
        for batch in batches.training(batch_size, seed, learner.position.epoch):
            with learner.precision.autocast():
                statistics.add(batch)
            if reason := poll():
                statistics.restore()
                return reason
    return None
