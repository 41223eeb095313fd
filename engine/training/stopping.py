"""Early stopping: which epoch is the best, and when to end the run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from engine.catalog.metrics import goal
from engine.experiment.document import EarlyStopping


def direction(monitor: str, mode: str = "auto") -> str:
    """Return whether a lower ("min") or a higher ("max") value of a loss or metric is better."""
    return goal(monitor) if mode == "auto" else mode


class Stopping:
    """Follows the monitored metric. Without early stopping it only finds the best epoch, by validation loss.

    A value that is not finite is never the best. An epoch without the metric (no sample of the validation part counts
    in the loss) is neither the best nor uses patience.
    """

    def __init__(self, settings: EarlyStopping | None, *, has_validation: bool = True) -> None:
        self.monitor = settings.monitor if settings else "val_loss" if has_validation else "train_loss"
        self.mode = direction(self.monitor, settings.mode if settings else "auto")
        self.patience = settings.patience if settings else None
        self.min_delta = settings.min_delta if settings else 0.0
        self.threshold = settings.threshold if settings else None
        self.restore_best = settings is not None and settings.restore_best
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.patience_used = 0
        self.reached: float | None = None
        """The value that reached the threshold."""
        self.missing = False
        """Whether the metric was not measured in the last epoch."""
        self.not_finite_on = ""
        """The samples whose loss is not finite, where they are known: `validation sample 5`."""

    def update(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Update with the metrics of an epoch, values by name."""
        value = metrics.get(self.monitor)
        self.missing = value is None
        if value is None:
            return
        if not math.isfinite(value):
            self.patience_used += 1
            return
        if self.threshold is not None and self._gain(value, self.threshold) >= 0:
            self.reached = value
        # A value that reaches the threshold is the best, however small the gain.
        min_gain = self.min_delta if self.reached is None else 0.0
        if self.best is None or self._gain(value, self.best) > min_gain:
            self.best, self.best_epoch, self.patience_used = value, epoch, 0
        else:
            self.patience_used += 1

    @property
    def over(self) -> bool:
        """Whether the threshold is reached, or patience has run out."""
        return self.reached is not None or (self.patience is not None and self.patience_used >= self.patience)

    @property
    def why(self) -> str:
        """Why the run stops, as a clause: `no better val_loss for 5 epochs`."""
        if self.reached is not None:
            return f"{self.monitor} is {self.reached:.4g}, which reaches the threshold of {self.threshold:.4g}"
        epochs = f"{self.patience_used} epoch{'s' * (self.patience_used > 1)}"
        return f"no better {self.monitor} for {epochs}" if self.best is not None else self.without_best

    @property
    def without_best(self) -> str:
        """Why there is no best epoch, as a clause: `val_loss was not finite in 3 epochs`; empty if there is one."""
        if self.best is not None:
            return ""
        if self.missing:
            return f"no epoch is best, because no validation sample counts in {self.monitor}"
        if not self.patience_used:
            return ""  # no epoch has ended
        on = f" ({self.not_finite_on})" if self.not_finite_on else ""
        return f"{self.monitor} was not finite in {self.patience_used} epoch{'s' * (self.patience_used > 1)}{on}"

    def _gain(self, value: float, best: float) -> float:
        return best - value if self.mode == "min" else value - best

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs to decide as if it had never ended, as JSON values."""
        return {
            "best": self.best,
            "best_epoch": self.best_epoch,
            "patience_used": self.patience_used,
            "reached": self.reached,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore `state_dict()`."""
        self.best, self.best_epoch, self.patience_used = state["best"], state["best_epoch"], state["patience_used"]
        reached = state["reached"]
        # The threshold may have changed, so that the old value does not reach it.
        met = reached is not None and self.threshold is not None and self._gain(reached, self.threshold) >= 0
        self.reached = reached if met else None
