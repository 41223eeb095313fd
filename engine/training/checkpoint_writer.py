"""Write checkpoints in a thread next to the training loop; keep the last two and the best."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.training.checkpoint import (
    BEST,
    MANIFEST,
    CheckpointState,
    Kind,
    as_json,
    checkpoint_name,
    checkpoints_in,
    mark_best,
    reason_of,
    remove_checkpoint,
    remove_leftovers,
    save_checkpoint,
    sort_key,
)

RETRY_S = 10.0
"""Seconds between a failed write and its retry, unless a newer state is submitted before."""


class CheckpointWriter:
    """Writes checkpoints in its own thread, so that saving costs the training loop only a copy of the state.

    Keeps the last two and the best checkpoints, and removes others only after the new one is complete. A pending state
    is replaced by a newer one of its kind; at most two states are pending while others are written. States are written
    in the order of their steps, so the best checkpoint that a state refers to is on disk before that state. A failed
    write does no harm: the state stays pending, and is written at the next `submit`, `retry` or `close`.

    Args:
        checkpoints: The folder of the checkpoints; created if it is missing.
        on_written: Called with the kind, folder, epoch and step when a checkpoint is complete on disk.
        on_failed: Called with one sentence when a write fails; not again with the same sentence until one succeeds.
        on_recovered: Called with one sentence when a write succeeds after a failed one.
        resumed_from: The checkpoint from which this run resumes. Later checkpoints are of steps that will be trained
            again; they are removed first.

    The callbacks are called in the writer's thread.
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
        self._waiting: dict[Kind, _Pending] = {}
        self._unsaved: dict[Kind, _Pending] = {}
        self._thread: threading.Thread | None = None
        self._failure = ""
        self._closing = False
        self._states: dict[str, dict[str, Any]] = {}
        self._abandoned: set[str] = set()
        remove_leftovers(checkpoints)
        if resumed_from is not None:
            resumed_at = sort_key(resumed_from.name.removesuffix("~"))
            self._abandoned = {f.name for f in checkpoints_in(checkpoints) if sort_key(f.name) > resumed_at}

    def submit(self, saved: CheckpointState, *kinds: Kind, epoch: int, step: int) -> None:
        """Schedule a state to be written as the last checkpoint, the best or both; return immediately.

        The tensors must not change from now on. `saved.state` is copied before this returns. A state that is submitted
        first as `last` and later as `best` makes one folder.

        Raises:
            TypeError: `saved.state` contains a value that JSON cannot represent.
        """
        pending = _Pending(epoch, step, replace(saved, state=as_json(saved.state)))
        with self._lock:
            self._waiting |= dict.fromkeys(kinds, pending)
            self._start()

    def retry(self) -> None:
        """Retry a failed write, at most every `RETRY_S`. Costs almost nothing if no write has failed."""
        if self._unsaved and time.monotonic() - self._failed_at >= RETRY_S:
            with self._lock:
                self._start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for pending writes; return whether everything that was submitted is on disk."""
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
        """Write everything pending, including failed writes; return whether everything is on disk."""
        self.wait()
        with self._lock:
            if self._unsaved:
                self._closing = True
                self._failed_at = 0.0
                self._waiting, self._unsaved = self._unsaved, {}
                self._start()
        return self.wait()

    def _start(self) -> None:
        # Not a daemon thread, so the interpreter waits for a write that has started. The thread ends when nothing is
        # pending, so a writer that was never closed does not keep the process alive.
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="checkpoint writer")
            self._thread.start()

    def _run(self) -> None:
        try:
            while batch := self._next_batch():
                while batch:
                    # The best before the last of the same step: a replaced checkpoint keeps its mark.
                    first = min(batch, key=lambda kind: (batch[kind].step, kind))
                    pending = batch[first]
                    kinds = [kind for kind, other in batch.items() if other.is_same_moment(pending)]
                    if not self._save(pending, kinds):
                        with self._lock:
                            self._unsaved = batch
                        break
                    for kind in kinds:
                        del batch[kind]
        finally:
            with self._lock:
                if self._thread is threading.current_thread():
                    self._thread = None

    def _next_batch(self) -> dict[Kind, _Pending]:
        with self._lock:
            again = self._unsaved and time.monotonic() - self._failed_at >= RETRY_S
            if not (self._waiting or again):
                self._thread = None  # Under the lock, so that a later submit starts another thread.
                return {}
            batch = self._unsaved | self._waiting
            self._waiting, self._unsaved = {}, {}
            return batch

    def _save(self, pending: _Pending, kinds: list[Kind]) -> bool:
        try:
            folder = self._write(pending, best="best" in kinds)
        except Exception as error:  # Whatever a write raises, training continues.
            sentence = (
                f"The checkpoint could not be written to {self._checkpoints}: {reason_of(error)}. "
                f"Earlier checkpoints are kept{'' if self._closing else f'; writing is retried every {RETRY_S:g} s'}."
            )
            self._failed_at = time.monotonic()
            if sentence != self._failure:
                self._failure = sentence
                self._on_failed(sentence)
            return False
        if self._failure:
            self._failure = ""
            self._on_recovered(f"Checkpoints can be written to {self._checkpoints} again.")
        for kind in kinds:
            self._on_written(kind, folder, pending.epoch, pending.step)
        return True

    def _write(self, pending: _Pending, *, best: bool) -> Path:
        folder = self._checkpoints / checkpoint_name(pending.epoch, pending.step)
        if self._states.get(folder.name) == pending.saved.state and (folder / MANIFEST).exists():
            if best:
                mark_best(folder)
        else:
            with suppress(FileExistsError):
                self._checkpoints.mkdir(mode=0o700)
            best = best or (folder.name not in self._abandoned and (folder / BEST).exists())
            save_checkpoint(folder, pending.saved, best=best)
            self._abandoned.discard(folder.name)
            self._states[folder.name] = pending.saved.state
        self._prune()
        return folder

    def _prune(self) -> None:
        folders = checkpoints_in(self._checkpoints)
        names = {f.name for f in folders}
        replaced = {name for name in names if name.endswith("~") and name[:-1] in names}
        current = [f for f in folders if f.name not in self._abandoned | replaced]
        keep = {*current[-2:], *[f for f in current if (f / BEST).exists()][-1:]}
        for folder in folders:
            if folder not in keep:
                remove_checkpoint(folder)
                self._states.pop(folder.name, None)


@dataclass(frozen=True, slots=True)
class _Pending:
    epoch: int
    step: int
    saved: CheckpointState

    def is_same_moment(self, other: _Pending) -> bool:
        return (self.epoch, self.step, self.saved.state) == (other.epoch, other.step, other.saved.state)
