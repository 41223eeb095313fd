"""A run that is paused and holds nothing on its device: all that it is lies on the host, until it is to go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from engine.data import Dataset
from engine.plan import Plan
from engine.training import state
from engine.training.checkpoint import as_json, load_checkpoint, not_of_this_run
from engine.training.learner import Position
from engine.training.loop import Loop
from engine.training.memory import is_out_of_memory
from engine.training.ran_with import RanWith
from engine.training.state import Snapshot
from engine.training.stopping import Stopping

RETRY_S = 10.0
"""Seconds after a run did not fit on its device until it is tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What a run is while it has no loop. A run that is gone on with begins so, and is put on its device from here."""

    snapshot: Snapshot
    position: Position
    stopping: Stopping
    ran_with: RanWith
    checkpoint: Path | None = None
    """Where the snapshot was read from, if it was."""

    @classmethod
    def of(cls, loop: Loop, snapshot: Snapshot) -> Rest:
        """The rest of a run that is about to leave its device; `snapshot` was taken of it at this moment."""
        plain = replace(snapshot, state=as_json(snapshot.state))  # as it would be read back from a checkpoint
        return cls(snapshot=plain, position=loop.position, stopping=loop.stopping, ran_with=loop.ran_with)

    @classmethod
    def read(cls, checkpoint: Path, ran_with: RanWith, plan: Plan, dataset: Dataset) -> Rest:
        """The rest of a run that ended, or was ended, after a checkpoint.

        Raises:
            DamagedCheckpoint: it is not what was written, or of another experiment.
        """
        loaded = load_checkpoint(checkpoint)
        snapshot = Snapshot(model=loaded.model, trainer=loaded.trainer, state=loaded.state)
        stopping = Stopping(plan.experiment.training.early_stopping, has_validation=len(dataset.validation) > 0)
        with _of_this_run(checkpoint):
            state.put_back_stopping(stopping, snapshot)
            position = state.position(snapshot)
        return cls(snapshot=snapshot, position=position, stopping=stopping, ran_with=ran_with, checkpoint=checkpoint)

    @property
    def averaged(self) -> bool:
        """Whether there are averaged weights by now."""
        average = self.snapshot.state["average"]
        return average is not None and average["count"] > 0

    def put_back(self, loop: Loop) -> None:
        """Make `loop` go on exactly here.

        Raises:
            DamagedCheckpoint: the checkpoint is of another experiment.
        """
        with _of_this_run(self.checkpoint):
            state.put_back(loop, self.snapshot)


@contextmanager
def _of_this_run(checkpoint: Path | None) -> Iterator[None]:
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        if checkpoint is None or is_out_of_memory(error):
            raise
        raise not_of_this_run(checkpoint, error) from error
