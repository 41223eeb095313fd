"""Which moments of a run are kept: the best epoch and the last state, in memory at once and on disk soon after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic

from engine.experiment import Mistake
from engine.protocol.events import Checkpoint, Event, Log
from engine.training import state
from engine.training.checkpoint import DamagedCheckpoint, Kind, load_checkpoint, newest_checkpoint, position
from engine.training.checkpoint_writer import CheckpointWriter
from engine.training.loop import Loop
from engine.training.state import Snapshot


class Keeper:
    """Takes snapshots of a loop and hands them to the writer's thread; training waits for the copying alone.

    Args:
        checkpoints: the folder they are kept in.
        every_s: seconds between two checkpoints at epoch ends.
        within_epoch_s: seconds without one after which an epoch that is not over is interrupted for one.
        say: told of each checkpoint that lies on the disk, and of each that could not be written.
        resumed_from: the checkpoint that the run goes on from.
        best_epoch: the best epoch by then, if there was one; a later one is of a future that will come anew.
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
        self.best: Snapshot | None = None
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
        """Hold on to the best epoch; save when it is time."""
        if improved:
            self.best = state.take(loop)
            self._best_is_submitted = False
        if monotonic() - self._saved_at >= self._every_s:
            self.save(loop)

    def between_steps(self, loop: Loop) -> None:
        """Save when an epoch takes long, unless nothing was done since; try again what could not be written."""
        self.try_again()
        if monotonic() - self._saved_at >= self._within_epoch_s and self._saved != _moment(loop):
            self.save(loop)

    def save(self, loop: Loop) -> Snapshot:
        """Save this moment; and before it the best one, so that a run that is resumed from here finds it.

        Returns what is saved, which is to be read only: it may still have to be written.

        Raises:
            NotFinite: there is nothing worth saving.
        """
        loop.require_finite_weights()
        snapshot = state.take(loop)
        self.keep(snapshot)
        self._saved = _moment(loop)
        return snapshot

    def keep(self, snapshot: Snapshot) -> None:
        """Save a moment of which there is a snapshot already."""
        self._submit_best()
        self._submit("last", snapshot)
        self._saved_at = monotonic()

    def try_again(self) -> None:
        """Try again what could not be written, if that is some seconds ago."""
        self._writer.try_again()

    def keep_all_again(self) -> None:
        """The folder is empty: the next save writes the best, too."""
        self._best_is_submitted = False

    def wait(self) -> bool:
        """Wait for what is being written; whether all that was saved lies on the disk."""
        return self._writer.wait()

    def close(self) -> bool:
        """Return when the best and everything that was saved lie on the disk, or could not be written; whether they do.

        May be called again.
        """
        self._submit_best()
        return self._writer.close()

    def _read_best(self, checkpoints: Path, epoch: int) -> Snapshot | None:
        damaged: list[Mistake] = []
        folder = newest_checkpoint(checkpoints, kind="best", on_damaged=damaged.append)
        if folder is not None and position(folder.name)[1] == epoch:
            try:
                loaded = load_checkpoint(folder)
            except DamagedCheckpoint as damage:
                damaged.append(damage.mistake)
            else:
                return Snapshot(model=loaded.model, trainer=loaded.trainer, state=loaded.state)
        if damaged:
            lost = replace(
                damaged[-1], fix="If no later epoch is better, the run hands over the weights that it ends with."
            )
            self._emit(Log(level="warning", message=f"The weights of epoch {epoch}, the best so far, are lost: {lost}"))
        return None

    def _submit_best(self) -> None:
        if self.best is not None and not self._best_is_submitted:
            self._submit("best", self.best)
            self._best_is_submitted = True

    def _submit(self, kind: Kind, snapshot: Snapshot) -> None:
        at, stopping = state.position(snapshot), snapshot.state["stopping"]
        self._best_so_far = stopping["best"], stopping["best_epoch"]
        self._writer.submit(
            kind,
            epoch=at.epochs_begun,
            step=at.step,
            model=snapshot.model,
            trainer=snapshot.trainer,
            state=snapshot.state,
        )

    def _written(self, kind: Kind, path: Path, epoch: int, step: int) -> None:
        best, best_epoch = self._best_so_far
        self._emit(Checkpoint(kind=kind, epoch=epoch, step=step, path=str(path), best=best, best_epoch=best_epoch))

    def _recovered(self, sentence: str) -> None:
        self._emit(Log(message=sentence))

    def _failed(self, sentence: str) -> None:
        self._emit(Log(level="warning", message=sentence))


def _moment(loop: Loop) -> tuple[int, float]:
    """What is another after a step, or after the rate was set by hand in a pause."""
    return loop.position.step, loop.rate.lr
