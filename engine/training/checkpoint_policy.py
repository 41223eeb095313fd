"""Decides when a checkpoint is taken: of the best epoch, and of the last state at intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic

from engine.experiment import Mistake
from engine.protocol.events import Checkpoint, Event, Log
from engine.training.checkpoint import (
    CheckpointState,
    DamagedCheckpoint,
    Kind,
    load_checkpoint,
    newest_checkpoint,
    sort_key,
)
from engine.training.checkpoint_state import capture
from engine.training.checkpoint_writer import CheckpointWriter
from engine.training.loop import Loop


class CheckpointPolicy:
    """Captures the state of a loop and passes it to the writer's thread; training waits only for the copy.

    Args:
        checkpoints: The folder of the checkpoints.
        every_s: Minimum seconds between two checkpoints at ends of epochs.
        within_epoch_s: Seconds without a checkpoint after which one is taken in the middle of an epoch.
        emit: Called with an event for each checkpoint on disk, and for each that cannot be written.
        resumed_from: The checkpoint from which the run resumes.
        best_epoch: The best epoch up to that checkpoint. Best checkpoints of later epochs are ignored, because these
            epochs are trained again.
    """

    def __init__(
        self,
        checkpoints: Path,
        *,
        every_s: float,
        within_epoch_s: float,
        emit: Callable[[Event], None],
        resumed_from: Path | None = None,
        best_epoch: int | None = None,
    ) -> None:
        self.best: CheckpointState | None = None
        self._every_s, self._within_epoch_s = every_s, within_epoch_s
        self._emit = emit
        self._best_is_submitted = True
        self._saved_at = monotonic()
        self._saved: tuple[int, float] | None = None
        self._best_so_far: tuple[float | None, int | None] = None, None
        if best_epoch is not None:
            self.best = self._read_best(checkpoints, best_epoch)
        self._writer = CheckpointWriter(
            checkpoints,
            on_written=self._written,
            on_failed=self._failed,
            on_recovered=self._recovered,
            resumed_from=resumed_from,
        )

    def epoch_ended(self, loop: Loop, *, improved: bool) -> None:
        """Capture a new best epoch; save when a checkpoint is due."""
        if improved:
            self.best = capture(loop)
            self._best_is_submitted = False
        if monotonic() - self._saved_at >= self._every_s:
            self.save(loop)

    def between_steps(self, loop: Loop) -> None:
        """Save within a long epoch if the run has changed; retry failed writes."""
        self.retry()
        if monotonic() - self._saved_at >= self._within_epoch_s and self._saved != _moment(loop):
            self.save(loop)

    def save(self, loop: Loop) -> CheckpointState:
        """Save the state of the loop, and before it the best one, so that a resumed run finds the best.

        Returns the captured state. Do not change it; the writer may still need it.

        Raises:
            NotFinite: A weight is not finite, so the state is not worth saving.
        """
        loop.require_finite_weights()
        saved = capture(loop)
        self.save_state(saved)
        self._saved = _moment(loop)
        return saved

    def save_state(self, saved: CheckpointState) -> None:
        """Save a state that was captured before."""
        self._submit_best()
        self._submit("last", saved)
        self._saved_at = monotonic()

    def retry(self) -> None:
        """Retry failed writes, at most every few seconds."""
        self._writer.retry()

    def save_best_again(self) -> None:
        """Write the best checkpoint again at the next save, because the folder was emptied."""
        self._best_is_submitted = False

    def wait(self) -> bool:
        """Wait for pending writes; return whether everything that was saved is on disk."""
        return self._writer.wait()

    def close(self) -> bool:
        """Write the best state and everything pending; return whether all of it is on disk. May be called again."""
        self._submit_best()
        return self._writer.close()

    def _read_best(self, checkpoints: Path, epoch: int) -> CheckpointState | None:
        damaged: list[Mistake] = []
        folder = newest_checkpoint(checkpoints, kind="best", on_damaged=damaged.append)
        if folder is not None and sort_key(folder.name)[1] == epoch:
            try:
                return load_checkpoint(folder)
            except DamagedCheckpoint as damage:
                damaged.append(damage.mistake)
        if damaged:
            lost = replace(damaged[-1], fix="If no later epoch is better, the run keeps its last weights.")
            self._emit(Log(level="warning", message=f"The weights of epoch {epoch}, the best so far, are lost: {lost}"))
        return None

    def _submit_best(self) -> None:
        if self.best is not None and not self._best_is_submitted:
            self._submit("best", self.best)
            self._best_is_submitted = True

    def _submit(self, kind: Kind, saved: CheckpointState) -> None:
        at, stopping = saved.position, saved.state["stopping"]
        self._best_so_far = stopping["best"], stopping["best_epoch"]
        self._writer.submit(saved, kind, epoch=at.epochs_begun, step=at.step)

    def _written(self, kind: Kind, path: Path, epoch: int, step: int) -> None:
        best, best_epoch = self._best_so_far
        self._emit(Checkpoint(kind=kind, epoch=epoch, step=step, path=str(path), best=best, best_epoch=best_epoch))

    def _recovered(self, sentence: str) -> None:
        self._emit(Log(message=sentence))

    def _failed(self, sentence: str) -> None:
        self._emit(Log(level="warning", message=sentence))


def _moment(loop: Loop) -> tuple[int, float]:
    """A value that changes with each step, and when the learning rate is set by hand in a pause."""
    return loop.position.step, loop.rate.lr
