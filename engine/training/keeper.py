"""Which moments of a run are kept: the best epoch and the last state, in memory at once and on disk soon after."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import monotonic

from engine.training import state
from engine.training.checkpoint import Kind, load_checkpoint, newest_checkpoint, not_of_this_run
from engine.training.checkpoint_writer import CheckpointWriter
from engine.training.events import Checkpoint, Event, Log
from engine.training.loop import Loop
from engine.training.state import Snapshot


class Keeper:
    """Takes snapshots of a loop and hands them to the writer's thread; training waits for the copying alone.

    Args:
        checkpoints: the folder they are kept in.
        every_s: seconds between two checkpoints at epoch ends.
        within_epoch_s: seconds without one after which an epoch that is not over is interrupted for one.
        say: told of each checkpoint that lies on the disk, and of each that could not be written.
        resumed_from: the checkpoint that the loop has been put back to.
    """

    def __init__(
        self,
        loop: Loop,
        checkpoints: Path,
        *,
        every_s: float,
        within_epoch_s: float,
        say: Callable[[Event], None],
        resumed_from: Path | None = None,
    ) -> None:
        self.best: Snapshot | None = None
        self._loop = loop
        self._every_s, self._within_epoch_s = every_s, within_epoch_s
        self._say = say
        self._best_is_submitted = True
        self._saved_at = monotonic()
        self._saved: tuple[int, float] | None = None
        if resumed_from is not None and loop.stopping.best_epoch is not None:
            self.best = _best_of(checkpoints)
        self._writer = CheckpointWriter(
            checkpoints,
            on_written=self._written,
            on_failed=self._failed,
            on_recovered=self._recovered,
            resumed_from=resumed_from,
        )

    def epoch_ended(self, *, improved: bool) -> None:
        """Hold on to the best epoch; save when it is time."""
        if improved:
            self.best = state.take(self._loop)
            self._best_is_submitted = False
        if monotonic() - self._saved_at >= self._every_s:
            self.save()

    def between_steps(self) -> None:
        """Save when an epoch takes long, unless nothing was done since; try again what could not be written."""
        self._writer.try_again()
        if monotonic() - self._saved_at >= self._within_epoch_s and self._saved != self._moment():
            self.save()

    def save(self) -> None:
        """Save this moment; and before it the best one, so that a run that is resumed from here finds it.

        Raises:
            NotFinite: there is nothing worth saving.
        """
        self._loop.require_finite_weights()
        self._submit_best()
        self._submit("last", state.take(self._loop))
        self._saved_at, self._saved = monotonic(), self._moment()

    def _moment(self) -> tuple[int, float]:
        """What is another after a step, or after the rate was set by hand in a pause."""
        return self._loop.position.step, self._loop.rate.lr

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

    def _submit_best(self) -> None:
        if self.best is not None and not self._best_is_submitted:
            self._submit("best", self.best)
            self._best_is_submitted = True

    def _submit(self, kind: Kind, snapshot: Snapshot) -> None:
        position = state.position(snapshot)
        self._writer.submit(
            kind,
            epoch=position.epochs_begun,
            step=position.step,
            model=snapshot.model,
            trainer=snapshot.trainer,
            state=snapshot.state,
        )

    def _written(self, kind: Kind, path: Path, epoch: int, step: int) -> None:
        best, best_epoch = self._loop.stopping.best, self._loop.stopping.best_epoch
        self._say(Checkpoint(kind=kind, epoch=epoch, step=step, path=str(path), best=best, best_epoch=best_epoch))

    def _recovered(self, sentence: str) -> None:
        self._say(Log(message=sentence))

    def _failed(self, sentence: str) -> None:
        self._say(Log(level="warning", message=sentence))


def put_back(loop: Loop, checkpoint: Path) -> None:
    """Make `loop` go on exactly where a checkpoint was taken.

    Raises:
        DamagedCheckpoint: it is not what was written, or of another experiment.
    """
    loaded = load_checkpoint(checkpoint)
    try:
        state.put_back(loop, Snapshot(model=loaded.model, trainer=loaded.trainer, state=loaded.state))
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise not_of_this_run(checkpoint, error) from error


def _best_of(checkpoints: Path) -> Snapshot | None:
    folder = newest_checkpoint(checkpoints, kind="best")
    if folder is None:
        return None
    loaded = load_checkpoint(folder)
    return Snapshot(model=loaded.model, trainer=loaded.trainer, state=loaded.state)
