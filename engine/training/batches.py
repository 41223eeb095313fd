"""Batches of a dataset on the device: gathered there by index if the samples are there, otherwise read ahead.

N batch, C channels, H W, T time, F features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor

from engine.data import Dataset
from engine.data.preparation import draws_of
from engine.data.samples import Ragged, Samples, take
from engine.experiment.document import Data
from engine.plan.plan import VALIDATION_BATCHES
from engine.protocol.events import Log
from engine.training.loader import Loader
from engine.training.order import order_of
from engine.training.placement import Placement, place

TIMED_S = 0.05
"""Seconds for which the speed of loading alone is measured."""

SLOW = 0.2
"""Share of an epoch that the device may wait for data before the run warns of it."""


Criterion = Callable[[Tensor, Tensor], Tensor]
"""Outputs (N, …) and targets (N, …) to the loss, ()."""

Denominator = Callable[[Tensor], Tensor]
"""Targets (N, …) to what their mean loss is divided by, (); see engine.catalog.denominators."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples that a network sees together.

    `inputs` are the arguments of the network: (x,) or (x, lengths), with x (N, …) and lengths (N,). `target` is (N,) or
    (N, outputs).
    """

    inputs: tuple[Tensor, ...]
    target: Tensor
    size: int

    def loss(self, criterion: Criterion, output: Tensor) -> Tensor:
        """Return the loss of the network's output (N, …), (): a mean, or a sum if `criterion` returns sums."""
        return criterion(output, self.target)

    def weight(self, denominator: Denominator | None) -> Tensor | float:
        """Return what the mean loss is divided by; 0 where no sample counts."""
        return float(self.size) if denominator is None else denominator(self.target)


class Batches:
    """The batches of a dataset's parts, on the device.

    Images may be stored channels last, (N, H, W, C). A batch then has the shape (N, C, H, W) that torch expects and the
    strides that make its convolutions fastest, without a copy.
    """

    def __init__(self, dataset: Dataset, device: str, data: Data, *, channels_last: bool = False) -> None:
        self.dataset = dataset
        self.device = device
        self.placement: Placement = place(dataset, device, data)
        self.channels_last = channels_last and len(dataset.x.shape) == 4
        self._format = torch.channels_last if self.channels_last else torch.contiguous_format
        self._order = order_of(dataset, data)
        self._y = dataset.y.to(device)
        self._lengths = None if dataset.lengths is None else dataset.lengths.to(device)
        # Images that are stored channels last stay so: to change the order would copy all of them.
        self._stored_channels_last = self.channels_last or _is_channels_last(dataset.x)
        self._source: Samples | Loader
        """The samples on the device, or what reads them ahead."""
        if self.placement.resident:
            self._source = _laid_out(dataset.x, self._stored_channels_last).to(device)
        else:
            bytes_ = dataset.x.nbytes // max(1, len(dataset.x)) * data.batch_size * VALIDATION_BATCHES
            pin = device.startswith("cuda")
            self._source = Loader(dataset.x, workers=self.placement.workers, pin=pin, batch_bytes=bytes_)
        self._reading_reported = False

    def training(self, batch_size: int, seed: int, epoch: int, *, skip: int = 0) -> Iterator[Batch]:
        """Yield the batches of one epoch in their order, without the first `skip`."""
        order = self._order(seed, epoch, batch_size)
        return self._batches(order, batch_size, skip, draws=lambda batch: draws_of(seed, epoch, batch))

    def validation(self, batch_size: int) -> Iterator[Batch]:
        """Yield the batches of the validation part, in the order of the data."""
        return self._batches(self.dataset.validation, batch_size, 0)

    def alone(self, batch_size: int, seed: int) -> str:
        """Measure how fast batches load without training. Returns a sentence; empty if they are read ahead."""
        if isinstance(self._source, Loader):
            return ""
        began, samples = perf_counter(), 0
        for batch in self.training(batch_size, seed, 1):
            samples += batch.size
            if perf_counter() - began > TIMED_S:
                break
        if self.device.startswith("cuda"):
            torch.cuda.synchronize(self.device)
        return f"Loading alone reaches {_rounded(samples / max(perf_counter() - began, 1e-9))} samples/s."

    def reading(self, seconds: float) -> Log | None:
        """Describe the speed of reading after an epoch of `seconds`, once a run; a warning if the device waited."""
        loader = self._source
        if not isinstance(loader, Loader) or self._reading_reported or not loader.read_s or seconds <= 0:
            return None
        self._reading_reported = True
        alone = f"reading alone gives {_rounded(loader.samples_per_s)} samples/s"
        if (share := loader.waited_s / seconds) < SLOW:
            return Log(message=f"{alone.capitalize()}; the device waited for data in {share:.0%} of the epoch.")
        if not loader.workers:
            fix = "Raise data.memory_share if there is room on the device, or use smaller samples."
        else:
            fix = f"Raise data.workers from {loader.workers}, use smaller samples, or move the files to a faster disk."
        said = f"The device waited for data in {share:.0%} of the epoch: {alone}. {fix}"
        return Log(level="warning", message=said)

    def close(self) -> None:
        """Stop reading ahead."""
        if isinstance(self._source, Loader):
            self._source.close()

    def _batches(
        self, order: Tensor, batch_size: int, skip: int, draws: Callable[[int], torch.Generator] | None = None
    ) -> Iterator[Batch]:
        """`draws`: number of a batch to the generator of its augmentation; None without augmentation."""
        parts = order.split(batch_size)[skip:] if len(order) else ()
        longest = self._longest(parts)
        if isinstance(self._source, Loader):
            read = self._source.batches(list(parts))
            for i, (indices, x) in enumerate(zip(parts, read, strict=True), start=skip):
                x = x.to(self.device, non_blocking=True)
                if len(x.shape) == 4:
                    x = x.contiguous(memory_format=self._format)
                at = indices.to(self.device, non_blocking=True)
                x = x if longest is None else x[:, : longest[i - skip]]
                yield self._batch(x, at, draws(i) if draws else None)
            return
        on_device = order.to(self.device)
        for i in range(len(parts)):
            indices = on_device[(skip + i) * batch_size : (skip + i + 1) * batch_size]
            x = self._gather(self._source, indices, longest[i] if longest else None)
            yield self._batch(x, indices, draws(skip + i) if draws else None)

    def _longest(self, parts: tuple[Tensor, ...]) -> list[int] | None:
        """Return the length of each batch's longest sequence, to cut padding. Known on the host, it syncs nothing."""
        if self.dataset.lengths is None:
            return None
        return [int(self.dataset.lengths[part].max()) for part in parts]

    def _gather(self, samples: Samples, indices: Tensor, longest: int | None) -> Tensor:
        """Return the samples (N, …) of these indices (N,); of sequences, the first `longest` tokens."""
        if longest is None:
            x = take(samples, indices)
            return x.permute(0, 3, 1, 2).contiguous(memory_format=self._format) if self._stored_channels_last else x
        if isinstance(samples, Ragged):
            return samples.padded(indices, longest)
        if isinstance(samples, Tensor):
            return samples[:, :longest].index_select(0, indices)  # cut first: padding is not copied
        return take(samples, indices)[:, :longest]

    def _batch(self, x: Tensor, indices: Tensor, draws: torch.Generator | None) -> Batch:
        x = self.dataset.preparation(x, draws=draws)
        target = take(self._y, indices)
        if not target.is_floating_point():
            target = target.long()
        if self._lengths is None:
            return Batch((x,), target, len(indices))
        return Batch((x, self._lengths.index_select(0, indices)), target, len(indices))


def _is_channels_last(x: Samples) -> bool:
    """Return whether images (N, C, H, W) are stored as (N, H, W, C) only: one channel has both orders."""
    return (
        isinstance(x, Tensor)
        and x.ndim == 4
        and x.is_contiguous(memory_format=torch.channels_last)
        and not x.is_contiguous()
    )


def _laid_out(x: Samples, channels_last: bool) -> Samples:
    """Return images (N, C, H, W) as (N, H, W, C) if `channels_last`; copied only where they are stored otherwise."""
    if channels_last and isinstance(x, Tensor):
        return x.permute(0, 2, 3, 1).contiguous()
    return x.contiguous() if isinstance(x, Tensor) else x


def _rounded(rate: float) -> str:
    """Round to two digits, since the measurement is rough."""
    return f"{float(f'{rate:.2g}'):,.0f}"
