"""Writing checkpoints beside the training loop, and keeping of them the last two and the best."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.training.checkpoint import (
    BEST,
    MANIFEST,
    Kind,
    Tensors,
    as_json,
    checkpoint_name,
    checkpoints_in,
    mark_best,
    position,
    reason_of,
    remove_checkpoint,
    remove_leftovers,
    save_checkpoint,
)

RETRY_S = 10.0
"""Seconds after a write that failed until it is tried again, if nothing newer is to be written before."""


class CheckpointWriter:
    """Writes checkpoints on a thread of its own, so that saving costs the training loop no more than the snapshot.

    Keeps the last two and the best, and removes others only when the new one is whole. A snapshot that waits is
    replaced by a newer one of its kind; at most two wait while others are being written. Snapshots are written in the
    order of their steps, so that the best as a checkpoint knows it is on the disk before that checkpoint. A write that
    fails harms nothing: the snapshot is kept, and written at the next `submit` or at `close`.

    Args:
        checkpoints: The folder that holds them; made when it is missing.
        on_written: Called with the kind, folder, epoch and step when a checkpoint lies whole on the disk.
        on_failed: Called with one sentence when a write failed; not again for the same sentence until one succeeds.
        on_recovered: Called with one sentence when a write succeeds after one that failed.
        resumed_from: The checkpoint that this run goes on from. Later ones are of a future that will be written anew:
            they are the first to be removed.

    Both callbacks are called on the writer's thread.
    """

    def __init__(
        self,
        checkpoints: Path,
        *,
        on_written: Callable[[Kind, Path, int, int], None],
        on_failed: Callable[[str], None],
        on_recovered: Callable[[str], None] = lambda sentence: None,
        resumed_from: Path | None = None,
    ) -> None:
        self._checkpoints = checkpoints
        self._on_written = on_written
        self._on_failed = on_failed
        self._on_recovered = on_recovered
        self._failed_at = 0.0
        self._lock = threading.Lock()
        self._waiting: dict[Kind, _Snapshot] = {}
        self._unsaved: dict[Kind, _Snapshot] = {}
        self._thread: threading.Thread | None = None
        self._failure = ""
        self._closing = False
        self._states: dict[str, dict[str, Any]] = {}
        self._abandoned: set[str] = set()
        remove_leftovers(checkpoints)
        if resumed_from is not None:
            resumed_at = position(resumed_from.name.removesuffix("~"))
            self._abandoned = {f.name for f in checkpoints_in(checkpoints) if position(f.name) > resumed_at}

    def submit(
        self, *kinds: Kind, epoch: int, step: int, model: Tensors, trainer: Tensors, state: Mapping[str, Any]
    ) -> None:
        """Take a snapshot to be written as the last, the best or both, and return at once.

        The tensors are the writer's from now on: copies on the CPU that nobody changes. `state` is read before this
        returns. The same epoch and step given as `last` and later as `best` is one folder all the same.

        Raises:
            TypeError: `state` holds what JSON cannot.
        """
        snapshot = _Snapshot(epoch, step, model, trainer, as_json(state))
        with self._lock:
            self._waiting |= dict.fromkeys(kinds, snapshot)
            self._start()

    def try_again(self) -> None:
        """Write what could not be written, if that is some seconds ago. Costs next to nothing when there is nothing."""
        if self._unsaved and time.monotonic() - self._failed_at >= RETRY_S:
            with self._lock:
                self._start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until nothing is being written. True when everything that was submitted lies on the disk."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            with self._lock:
                thread = self._thread
                if thread is None:
                    return not self._unsaved
            thread.join(None if until is None else max(0.0, until - time.monotonic()))
            if until is not None and time.monotonic() >= until:
                return False

    def close(self) -> bool:
        """Write what waits, and once more what failed before. True when everything submitted lies on the disk."""
        self.wait()
        with self._lock:
            if self._unsaved:
                self._closing = True
                self._failed_at = 0.0
                self._waiting, self._unsaved = self._unsaved, {}
                self._start()
        return self.wait()

    def _start(self) -> None:
        # Not a daemon: the interpreter waits for a write that has begun. The thread ends when nothing waits, so a
        # writer that was never closed keeps no process alive.
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="checkpoint writer")
            self._thread.start()

    def _run(self) -> None:
        try:
            while batch := self._next_batch():
                while batch:
                    # The best before the last of its step: what is replaced keeps its mark.
                    first = min(batch, key=lambda kind: (batch[kind].step, kind))
                    snapshot = batch[first]
                    kinds = [kind for kind, other in batch.items() if other.is_same_moment(snapshot)]
                    if not self._save(snapshot, kinds):
                        with self._lock:
                            self._unsaved = batch
                        break
                    for kind in kinds:
                        del batch[kind]
        finally:
            with self._lock:
                if self._thread is threading.current_thread():
                    self._thread = None

    def _next_batch(self) -> dict[Kind, _Snapshot]:
        with self._lock:
            again = self._unsaved and time.monotonic() - self._failed_at >= RETRY_S
            if not (self._waiting or again):
                self._thread = None  # Under the lock: a submit after this starts another.
                return {}
            batch = self._unsaved | self._waiting
            self._waiting, self._unsaved = {}, {}
            return batch

    def _save(self, snapshot: _Snapshot, kinds: list[Kind]) -> bool:
        try:
            folder = self._write(snapshot, best="best" in kinds)
        except Exception as error:  # Whatever a write can raise, training goes on.
            sentence = (
                f"The checkpoint could not be written to {self._checkpoints}: {reason_of(error)}. "
                f"Those before it are kept{'' if self._closing else f', and it is tried again every {RETRY_S:g} s'}."
            )
            self._failed_at = time.monotonic()
            if sentence != self._failure:
                self._failure = sentence
                self._on_failed(sentence)
            return False
        if self._failure:
            self._failure = ""
            self._on_recovered(f"Checkpoints are written to {self._checkpoints} again.")
        for kind in kinds:
            self._on_written(kind, folder, snapshot.epoch, snapshot.step)
        return True

    def _write(self, snapshot: _Snapshot, *, best: bool) -> Path:
        folder = self._checkpoints / checkpoint_name(snapshot.epoch, snapshot.step)
        if self._states.get(folder.name) == snapshot.state and (folder / MANIFEST).exists():
            if best:
                mark_best(folder)
        else:
            with suppress(FileExistsError):
                self._checkpoints.mkdir(mode=0o700)
            best = best or (folder.name not in self._abandoned and (folder / BEST).exists())
            save_checkpoint(folder, model=snapshot.model, trainer=snapshot.trainer, state=snapshot.state, best=best)
            self._abandoned.discard(folder.name)
            self._states[folder.name] = snapshot.state
        self._prune()
        return folder

    def _prune(self) -> None:
        folders = checkpoints_in(self._checkpoints)
        whole = {f.name for f in folders}
        replaced = {name for name in whole if name.endswith("~") and name[:-1] in whole}
        current = [f for f in folders if f.name not in self._abandoned | replaced]
        keep = {*current[-2:], *[f for f in current if (f / BEST).exists()][-1:]}
        for folder in folders:
            if folder not in keep:
                remove_checkpoint(folder)
                self._states.pop(folder.name, None)


@dataclass(frozen=True, slots=True)
class _Snapshot:
    epoch: int
    step: int
    model: Tensors
    trainer: Tensors
    state: dict[str, Any]

    def is_same_moment(self, other: _Snapshot) -> bool:
        return (self.epoch, self.step, self.state) == (other.epoch, other.step, other.state)
