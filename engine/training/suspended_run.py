"""A run without a loop: its state is in host memory, and nothing of it is on its device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from engine.data import Dataset
from engine.plan import Plan
from engine.training.checkpoint import CheckpointState, as_json, load_checkpoint, not_of_this_run
from engine.training.checkpoint_state import restore, restore_stopping
from engine.training.learner import Position
from engine.training.loop import Loop
from engine.training.memory import is_out_of_memory
from engine.training.runtime_config import RuntimeConfig
from engine.training.stopping import Stopping

RETRY_S = 10.0
"""Seconds between two attempts to build a run on a device that has too little free memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspendedRun:
    """A run whose device memory is released. A resumed run starts as one, too; a loop is built from it."""

    saved: CheckpointState
    position: Position
    stopping: Stopping
    runtime: RuntimeConfig
    checkpoint: Path | None = None
    """The checkpoint that was read, or None if the state was captured from a loop."""

    @classmethod
    def capture(cls, loop: Loop, saved: CheckpointState) -> SuspendedRun:
        """Suspend the run of a loop that is about to be released; `saved` is its state now."""
        as_loaded = replace(saved, state=as_json(saved.state))
        return cls(saved=as_loaded, position=loop.position, stopping=loop.stopping, runtime=loop.runtime)

    @classmethod
    def read(cls, checkpoint: Path, runtime: RuntimeConfig, plan: Plan, dataset: Dataset) -> SuspendedRun:
        """Read the run from a checkpoint.

        Raises:
            DamagedCheckpoint: The checkpoint is damaged, or belongs to another experiment.
        """
        saved = load_checkpoint(checkpoint)
        stopping = Stopping(plan.experiment.training.early_stopping, has_validation=len(dataset.validation) > 0)
        with _of_this_run(checkpoint):
            restore_stopping(saved, stopping)
            position = saved.position
        return cls(saved=saved, position=position, stopping=stopping, runtime=runtime, checkpoint=checkpoint)

    @property
    def averaged(self) -> bool:
        """Whether there are averaged weights."""
        return self.saved.averaged

    def restore(self, loop: Loop) -> None:
        """Restore the state into `loop`, which then resumes exactly here.

        Raises:
            DamagedCheckpoint: The checkpoint belongs to another experiment.
        """
        with _of_this_run(self.checkpoint):
            restore(self.saved, loop)


@contextmanager
def _of_this_run(checkpoint: Path | None) -> Iterator[None]:
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        if checkpoint is None or is_out_of_memory(error):
            raise
        raise not_of_this_run(checkpoint, error) from error
