"""Averaged weights: EMA and SWA. What is averaged is validated, saved and kept; what is trained goes on beside it."""

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
    """A second set of weights, made of those that training went through."""

    network: nn.Module
    """The network with the averaged weights; those that it was built with until `begun`."""
    count: int
    """How many sets of weights have gone into the average."""

    def step_done(self, epoch: int) -> None:
        """The optimizer has stepped, in that epoch."""

    def epoch_done(self, epoch: int) -> None:
        """That epoch's steps are taken. Said again for an epoch whose validation was given up, it changes nothing."""

    @property
    def needs_statistics(self) -> bool:
        """Whether the statistics of BatchNorm must be measured anew before the network is validated."""

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs beside the averaged weights, as JSON can hold it."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict()`; the averaged weights are put back by themselves."""


class EMAverage:
    """Exponential moving average after every step: average ← decay · average + (1 - decay) · weights.

    It begins as a copy of the weights after the first step of `start_epoch`. Buffers that are numbers, as the running
    statistics of BatchNorm, are averaged in the same way; its counts of batches are copied.

    One kernel a step over all weights, and nothing that waits for the device. Polyak and Juditsky, 1992; the result is
    that of torch.optim.swa_utils.AveragedModel with get_ema_multi_avg_fn(decay) and use_buffers.
    """

    needs_statistics = False

    def __init__(self, settings: EMA, network: nn.Module) -> None:
        self.network = _twin(network)
        self.count = 0
        self._start_epoch = settings.start_epoch
        self._weight = 1 - settings.decay
        pairs = list(zip(_tensors(self.network), _tensors(network), strict=True))
        blended = [(ours, theirs) for ours, theirs in pairs if ours.is_floating_point() or ours.is_complex()]
        self._averaged = [ours for ours, _ in blended]
        self._trained = [theirs for _, theirs in blended]
        self._counts = [(ours, theirs) for ours, theirs in pairs if not (ours.is_floating_point() or ours.is_complex())]

    @torch.no_grad()
    def step_done(self, epoch: int) -> None:
        """Move the average."""
        if epoch < self._start_epoch:
            return
        if self.count:
            torch._foreach_lerp_(self._averaged, self._trained, self._weight)
        else:
            torch._foreach_copy_(self._averaged, self._trained)
        self.count += 1

    @torch.no_grad()
    def epoch_done(self, epoch: int) -> None:
        """Copy what is counted and not averaged."""
        if self.count:
            for ours, theirs in self._counts:
                ours.copy_(theirs)

    def state_dict(self) -> dict[str, Any]:
        """See Average."""
        return {"count": self.count}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See Average."""
        self.count = state["count"]


class SWAverage:
    """Stochastic weight averaging: the mean of the weights at the end of every epoch after `start` of the run.

    The running statistics of BatchNorm are those of no averaged network, so they are measured anew on the training
    samples before each validation; other buffers are copied.

    Source: Izmailov et al., 2018, https://arxiv.org/abs/1803.05407
    """

    def __init__(self, settings: SWA, network: nn.Module, *, epochs: int) -> None:
        self.network = _twin(network)
        self.count = 0
        self._after = int(settings.start * epochs)
        self._taken = 0
        """The last epoch that went in."""
        self._trained = network

    @property
    def needs_statistics(self) -> bool:
        """Whether there is a BatchNorm with running statistics."""
        return bool(BatchNormStatistics(self.network).layers)

    def step_done(self, epoch: int) -> None:
        """Nothing: epochs count."""

    @torch.no_grad()
    def epoch_done(self, epoch: int) -> None:
        """Take the weights of the epoch's end into the mean."""
        if epoch <= max(self._after, self._taken):
            return
        self.count += 1
        self._taken = epoch
        for ours, theirs in zip(self.network.parameters(), self._trained.parameters(), strict=True):
            ours.lerp_(theirs, 1 / self.count)
        for buffer, trained in zip(self.network.buffers(), self._trained.buffers(), strict=True):
            buffer.copy_(trained)

    def state_dict(self) -> dict[str, Any]:
        """See Average."""
        return {"count": self.count, "taken": self._taken}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See Average."""
        self.count, self._taken = state["count"], state.get("taken", 0)


def average_of(settings: Regularization, network: nn.Module, *, epochs: int) -> Average | None:
    """The average that is asked for, over a network that is on its device."""
    if isinstance(settings.average, EMA):
        return EMAverage(settings.average, network)
    if isinstance(settings.average, SWA):
        return SWAverage(settings.average, network, epochs=epochs)
    return None


class BatchNormStatistics:
    """Measures what BatchNorm layers see: running mean and variance as plain means over batches.

    Only those layers are in training mode meanwhile, so that dropout is off and draws nothing from torch's generator.
    The norms of a frozen backbone keep what they have.
    What torch.optim.swa_utils.update_bn does, but for that.
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
        """Take a batch into account."""
        self.network(*batch.inputs)

    def restore(self) -> None:
        """Go back to the statistics of before: those of a part of the samples are worse."""
        for layer, (_momentum, buffers) in zip(self.layers, self._before, strict=True):
            for name, buffer in layer.named_buffers():
                buffer.copy_(buffers[name])

    def __exit__(self, *_error: object) -> None:
        for layer, (momentum, _buffers) in zip(self.layers, self._before, strict=True):
            layer.momentum = momentum
            layer.eval()


def _twin(network: nn.Module) -> nn.Module:
    twin = deepcopy(network).eval()
    for parameter in twin.parameters():
        parameter.requires_grad_(False)
    for module in twin.modules():
        if isinstance(module, nn.RNNBase):
            module.flatten_parameters()  # cuDNN wants them in one piece, which a copy is not
    return twin


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]
