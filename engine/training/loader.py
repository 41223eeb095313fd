"""Samples that do not lie on the device: read ahead of the steps, by processes or by a thread.

Only inputs come this way; targets are small, and lie on the device.
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
"""Batches that are read ahead, by each process."""

PRELOADED = ("torch", "engine.training.loader")


class CannotRead(Exception):
    """Samples that were there when the run began cannot be read any more; says which and why."""


class Loader:
    """Reads batches ahead. One epoch at a time: an iterator that is begun ends the one before.

    Args:
        samples: what is read; it goes to the processes by pickle between processes of one program, never from a file.
        workers: processes; 0 is a thread of this one.
        pin: whether batches are put where a GPU can fetch them from while it computes.
    """

    def __init__(self, samples: Samples, *, workers: int, pin: bool, batch_bytes: int) -> None:
        self.samples = samples
        self.pin = pin
        # A batch on its way lies in shared memory, which a container may have little of: half of it is left alone.
        fit = machine().shared_memory_room() // 2 // max(1, batch_bytes * (AHEAD + 1))
        self.workers = min(workers, fit)
        self.waited_s = 0.0
        """Time that whoever iterates has waited for batches."""
        self.read_s = 0.0
        """Time that reading took, of all processes together."""
        self.read = 0
        """Samples that were read."""
        self._plan = _Plan()
        self._loader: DataLoader[Any] | None = None
        self._closing: list[threading.Event] = []

    @property
    def samples_per_s(self) -> float:
        """What the data alone could give: the samples that all processes together read in a second."""
        return self.read / self.read_s * max(1, self.workers) if self.read_s else 0.0

    def batches(self, indices: Iterator[Tensor] | list[Tensor]) -> Iterator[Tensor]:
        """The samples of these batches of indices, in their order.

        Raises:
            CannotRead: a file is gone, or is not what it was.
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
        """Let the processes go."""
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
            # Its own, so that nothing is drawn from the run's generator.
            generator=torch.Generator().manual_seed(0),
        )

    def _by_thread(self) -> Iterator[tuple[Tensor | str, float]]:
        """A thread that is a few batches ahead. It ends with its iterator, however that ends."""
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
    """Which indices each batch of the epoch under way has; what a DataLoader calls a sampler."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class _Reader(Dataset[Any]):
    """Reads a whole batch at once; what went wrong comes back as a sentence, not as an exception of another process."""

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
"""Signals that a terminal or a scheduler sends to all processes of a job; the one that trains acts on them."""


def _begin(_worker: int) -> None:
    """Called in each process before it reads; the process that trains ends this one."""
    for number in _FOR_THE_TRAINER:
        signal.signal(number, signal.SIG_IGN)
    torch.set_num_threads(1)


@contextmanager
def _quiet_start() -> Iterator[None]:
    """Start processes so that they outlive the terminal, and where standard error is no file.

    The server that they are forked from inherits which signals are blocked: an interrupt or a hang-up of the terminal
    must not take it from a run that goes on. Python hands standard error on to it, which in a full-screen app is an
    object without a descriptor (https://github.com/Textualize/textual/issues/3593).
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
