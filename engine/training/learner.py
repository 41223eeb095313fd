"""Where a run stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Position:
    """Where a run stands: the epoch under way, the steps taken in it, and in all."""

    epoch: int = 1
    step_in_epoch: int = 0
    step: int = 0

    @property
    def epochs_begun(self) -> int:
        """The last epoch of which a step was taken; 0 before the first step."""
        return self.epoch if self.step_in_epoch else self.epoch - 1
