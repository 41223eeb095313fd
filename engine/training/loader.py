"""Reads samples that are not on the device ahead of the steps, in processes or in a thread.

Only inputs are read so; targets are small and stay on the device.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from engine.data.samples import Samples, take
from engine.experiment.mistakes import Refused
from engine.machine import machine

AHEAD = 2
"""Batches that each process reads ahead."""

PRELOADED = ("torch", "engine.training.loader")


class CannotRead(Exception):
    """A sample that existed when the run started cannot be read; the message says which and why."""


class Loader:
    """Reads batches ahead, one epoch at a time: a new iterator ends the previous one.

    Args:
        samples: what to read. Pickle passes it between processes of this program, never from a file.
        workers: number of processes; 0 uses a thread of this process.
        pin: whether batches go to pinned memory, which a GPU can copy from while it computes.
        batch_bytes: size of the largest batch.
    """

    def __init__(self, samples: Samples, *, workers: int, pin: bool, batch_bytes: int) -> None:
        self.samples = samples
        self.pin = pin
        # A batch passes through shared memory, which a container may have little of: use at most half of it.
        fit = machine().shared_memory_room() // 2 // max(1, batch_bytes * (AHEAD + 1))
        self.workers = min(workers, fit)
        self.waited_s = 0.0
        """Seconds that the consumer waited for batches."""
        self.read_s = 0.0
        """Seconds that all processes together spent reading."""
        self.read = 0
        """Number of samples that were read."""
        self._plan = _Plan()
        self._loader: DataLoader[Any] | None = None
        self._closing: list[threading.Event] = []

    @property
    def samples_per_s(self) -> float:
        """Samples a second that all processes together can read."""
        return self.read / self.read_s * max(1, self.workers) if self.read_s else 0.0

    def batches(self, indices: Iterator[Tensor] | list[Tensor]) -> Iterator[Tensor]:
        """Yield the samples (N, …) of these batches of indices (N,), in their order.

        Raises:
            CannotRead: a file is missing, or was changed.
        """
        self._plan.batches = [some.tolist() for some in indices]
        source = self._by_processes() if self.workers else self._by_thread()
        while True:
            asked = monotonic()
            found = next(source, None)
            self.waited_s += monotonic() - asked
            if found is None:
                return
            x, seconds = found
            if isinstance(x, str):
                raise CannotRead(x)
            self.read_s += seconds
            self.read += len(x)
            yield x

    def close(self) -> None:
        """End the processes and threads."""
        self._loader = None
        for closing in self._closing:
            closing.set()

    def _by_processes(self) -> Iterator[tuple[Tensor | str, float]]:
        if self._loader is None:
            with _quiet_start():
                self._loader = self._made()
                return iter(self._loader)
        return iter(self._loader)

    def _made(self) -> DataLoader[Any]:
        return DataLoader(
            _Reader(self.samples),
            batch_size=None,
            sampler=self._plan,
            num_workers=self.workers,
            persistent_workers=True,
            prefetch_factor=AHEAD,
            pin_memory=self.pin,
            multiprocessing_context="forkserver",
            worker_init_fn=_begin,
            # A separate generator, so that nothing is drawn from the run's.
            generator=torch.Generator().manual_seed(0),
        )

    def _by_thread(self) -> Iterator[tuple[Tensor | str, float]]:
        """Read in a thread that is a few batches ahead. The thread ends with its iterator, however that ends."""
        ready: queue.Queue[tuple[Tensor | str, float] | None] = queue.Queue(AHEAD)
        over = threading.Event()
        self._closing = [event for event in self._closing if not event.is_set()] + [over]

        def put(item: tuple[Tensor | str, float] | None) -> bool:
            while not over.is_set():
                try:
                    ready.put(item, timeout=0.1)
                    return True
                except queue.Full:
                    pass
            return False

        def read() -> None:
            torch.set_num_threads(1)
            reader = _Reader(self.samples)
            for some in self._plan.batches:
                x, seconds = reader[some]
                if not put((x.pin_memory() if self.pin and isinstance(x, Tensor) else x, seconds)):
                    return
            put(None)

        thread = threading.Thread(target=read, name="loader", daemon=True)
        thread.start()
        try:
            while (item := ready.get()) is not None:
                yield item
        finally:
            over.set()
            thread.join()


class _Plan:
    """The indices of each batch of the current epoch; a DataLoader calls this a sampler."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class _Reader(Dataset[Any]):
    """Reads a whole batch at a time. An error is returned as a sentence, not raised in another process."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples

    def __getitem__(self, indices: list[int]) -> tuple[Tensor | str, float]:
        began = monotonic()
        try:
            return take(self.samples, torch.tensor(indices)), monotonic() - began
        except Refused as refused:
            return str(refused), monotonic() - began
        except OSError as error:
            return f"{error.filename or 'A file'} cannot be read: {error.strerror or error}.", monotonic() - began


_FOR_THE_TRAINER = {signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU}
"""Signals that a terminal or a job scheduler sends to all processes; only the process that trains handles them."""


def _begin(_worker: int) -> None:
    """Set up a process before it reads. The process that trains ends it."""
    for number in _FOR_THE_TRAINER:
        signal.signal(number, signal.SIG_IGN)
    torch.set_num_threads(1)


@contextmanager
def _quiet_start() -> Iterator[None]:
    """Start processes so that they survive the terminal, also where standard error is not a file.

    The server that they are forked from inherits the blocked signals: an interrupt or hang-up of the terminal must not
    end it while the run continues. Python passes standard error to it, which in a full-screen app is an object without
    a file descriptor (https://github.com/Textualize/textual/issues/3593).
    """
    import multiprocessing

    multiprocessing.get_context("forkserver").set_forkserver_preload(list(PRELOADED))
    shown = sys.stderr
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_THE_TRAINER)
    real = None
    try:
        if not _has_descriptor(shown):
            real = sys.__stderr__ if _has_descriptor(sys.__stderr__) else open(os.devnull, "w")  # noqa: SIM115
            sys.stderr = real
        yield
    finally:
        sys.stderr = shown
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _has_descriptor(stream: Any) -> bool:
    try:
        return bool(stream.fileno() >= 0)
    except (AttributeError, OSError, ValueError):
        return False
