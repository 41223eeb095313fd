"""A run before it has a loop, with a loop, and without one while its device memory is released."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.data import Dataset
from engine.plan import Plan
from engine.training.checkpoint import CheckpointState, as_json, load_checkpoint, not_of_this_run
from engine.training.checkpoint_state import restore, restore_stopping
from engine.training.generation import TextGenerator
from engine.training.learner import Position
from engine.training.loop import Loop
from engine.training.memory import is_out_of_memory
from engine.training.runtime_config import RuntimeConfig
from engine.training.stopping import Stopping


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run without a state; its first loop is not built yet."""

    stopping: Stopping
    position: Position = field(default_factory=Position)
    averaged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveRun:
    """A run with a loop on its device."""

    loop: Loop
    generator: TextGenerator | None
    """Generates a sample after each epoch of a language model."""

    @property
    def position(self) -> Position:
        """The position of the loop."""
        return self.loop.position

    @property
    def stopping(self) -> Stopping:
        """The early stopping of the loop."""
        return self.loop.stopping

    @property
    def averaged(self) -> bool:
        """Whether there are averaged weights."""
        return self.loop.averaged


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspendedRun:
    """A run whose state is in host memory, with nothing on its device. A loop can be built from it."""

    saved: CheckpointState
    position: Position
    stopping: Stopping
    runtime: RuntimeConfig
    checkpoint: Path | None = None
    """The checkpoint that was read, or None if the state was captured from a loop."""

    @classmethod
    def capture(cls, loop: Loop, saved: CheckpointState) -> SuspendedRun:
        """Suspend the run of a loop that is about to be removed; `saved` is its state now."""
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


AnyStage = NewRun | ActiveRun | SuspendedRun


@contextmanager
def _of_this_run(checkpoint: Path | None) -> Iterator[None]:
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        if checkpoint is None or is_out_of_memory(error):
            raise
        raise not_of_this_run(checkpoint, error) from error
