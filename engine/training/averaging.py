"""Averaged weights: EMA and SWA. They are validated and saved; the trained weights continue separately."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from engine.experiment.document import EMA, SWA, Regularization
from engine.model.backbone import Backbone
from engine.training.batches import Batch


class Average(Protocol):
    """A second set of weights: a mean of the weights during training."""

    network: nn.Module
    """The network with the averaged weights; those that it was built with while `count` is 0."""
    count: int
    """Number of sets of weights in the average."""

    def step_done(self, epoch: int) -> None:
        """Update the average after a step of the optimizer in that epoch."""

    def epoch_done(self, epoch: int) -> None:
        """Update the average after the last step of that epoch. A second call for the same epoch changes nothing."""

    @property
    def needs_statistics(self) -> bool:
        """Whether BatchNorm statistics must be measured before each validation."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs in addition to the averaged weights, as JSON values."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore `state_dict()`. The averaged weights are restored separately."""


class EMAverage:
    """Exponential moving average after every step: average ← decay · average + (1 - decay) · weights.

    It starts as a copy of the weights after the first step of `start_epoch`. Floating-point buffers, such as the
    running statistics of BatchNorm, are averaged in the same way; integer buffers, its counts of batches, are copied.

    A step costs one kernel over all weights and does not wait for the device. The result equals that of
    torch.optim.swa_utils.AveragedModel with get_ema_multi_avg_fn(decay) and use_buffers.

    Source: Polyak and Juditsky, 1992
    """

    needs_statistics = False

    def __init__(self, settings: EMA, network: nn.Module) -> None:
        self.network = _frozen_copy(network)
        self.count = 0
        self._start_epoch = settings.start_epoch
        self._weight = 1 - settings.decay
        pairs = list(zip(_tensors(self.network), _tensors(network), strict=True))
        blended = [
            (averaged, trained) for averaged, trained in pairs if averaged.is_floating_point() or averaged.is_complex()
        ]
        self._averaged = [averaged for averaged, _ in blended]
        self._trained = [trained for _, trained in blended]
        self._counts = [
            (averaged, trained)
            for averaged, trained in pairs
            if not (averaged.is_floating_point() or averaged.is_complex())
        ]

    @torch.no_grad()
    def step_done(self, epoch: int) -> None:
        """See Average."""
        if epoch < self._start_epoch:
            return
        if self.count:
            torch._foreach_lerp_(self._averaged, self._trained, self._weight)
        else:
            torch._foreach_copy_(self._averaged, self._trained)
        self.count += 1

    @torch.no_grad()
    def epoch_done(self, epoch: int) -> None:
        """Copy the integer buffers."""
        if self.count:
            for averaged, trained in self._counts:
                averaged.copy_(trained)

    def state_dict(self) -> dict[str, Any]:
        """See Average."""
        return {"count": self.count}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See Average."""
        self.count = state["count"]


class SWAverage:
    """Stochastic weight averaging: the mean of the weights at the end of every epoch after `start` of the run.

    The running statistics of BatchNorm do not belong to the averaged weights. They are measured on the training samples
    before each validation. Other buffers are copied.

    Source: Izmailov et al., 2018, https://arxiv.org/abs/1803.05407
    """

    def __init__(self, settings: SWA, network: nn.Module, *, epochs: int) -> None:
        self.network = _frozen_copy(network)
        self.count = 0
        self._after = int(settings.start * epochs)
        self._last_epoch = 0
        """The last epoch in the mean."""
        self._trained = network

    @property
    def needs_statistics(self) -> bool:
        """Whether a BatchNorm layer has running statistics."""
        return bool(BatchNormStatistics(self.network).layers)

    def step_done(self, epoch: int) -> None:
        """Do nothing: only ends of epochs count."""

    @torch.no_grad()
    def epoch_done(self, epoch: int) -> None:
        """Add the weights at the end of the epoch to the mean."""
        if epoch <= max(self._after, self._last_epoch):
            return
        self.count += 1
        self._last_epoch = epoch
        for averaged, trained in zip(self.network.parameters(), self._trained.parameters(), strict=True):
            averaged.lerp_(trained, 1 / self.count)
        for ours, theirs in zip(self.network.buffers(), self._trained.buffers(), strict=True):
            ours.copy_(theirs)

    def state_dict(self) -> dict[str, Any]:
        """See Average."""
        return {"count": self.count, "taken": self._last_epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See Average."""
        self.count, self._last_epoch = state["count"], state.get("taken", 0)


def average_of(settings: Regularization, network: nn.Module, *, epochs: int) -> Average | None:
    """Build the requested average of a network that is on its device."""
    if isinstance(settings.average, EMA):
        return EMAverage(settings.average, network)
    if isinstance(settings.average, SWA):
        return SWAverage(settings.average, network, epochs=epochs)
    return None


class BatchNormStatistics:
    """A context that measures BatchNorm's running mean and variance, as plain means over batches.

    Only BatchNorm layers are in training mode, so that dropout is off and draws nothing from torch's generator. The
    layers of a frozen backbone keep their statistics. Otherwise this does what torch.optim.swa_utils.update_bn does.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        frozen = {id(m) for b in network.modules() if isinstance(b, Backbone) and b.frozen for m in b.modules()}
        norms = [m for m in network.modules() if isinstance(m, _BatchNorm) and id(m) not in frozen]
        self.layers = [m for m in norms if m.track_running_stats]
        self._before: list[tuple[float | None, dict[str, Tensor]]] = []

    def __enter__(self) -> BatchNormStatistics:
        self._before = [(layer.momentum, {n: b.clone() for n, b in layer.named_buffers()}) for layer in self.layers]
        for layer in self.layers:
            layer.reset_running_stats()
            layer.momentum = None
            layer.train()
        return self

    def add(self, batch: Batch) -> None:
        """Add a batch to the statistics."""
        self.network(*batch.inputs)

    def restore(self) -> None:
        """Restore the statistics as they were: those of only some samples are worse."""
        for layer, (_momentum, buffers) in zip(self.layers, self._before, strict=True):
            for name, buffer in layer.named_buffers():
                buffer.copy_(buffers[name])

    def __exit__(self, *_error: object) -> None:
        for layer, (momentum, _buffers) in zip(self.layers, self._before, strict=True):
            layer.momentum = momentum
            layer.eval()


def _frozen_copy(network: nn.Module) -> nn.Module:
    copy = deepcopy(network).eval()
    for parameter in copy.parameters():
        parameter.requires_grad_(False)
    for module in copy.modules():
        if isinstance(module, nn.RNNBase):
            module.flatten_parameters()  # cuDNN needs them contiguous, and a copy is not
    return copy


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]
