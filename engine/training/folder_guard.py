"""Creates the folder of a run again if it is deleted or moved while the run is active."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from engine.experiment import Refused, dumps
from engine.plan import Plan
from engine.protocol.events import Event, Log
from engine.runs import RunDirectory
from engine.training.runtime_config import describe_environment

CHECK_S = 2.0
"""Seconds between two checks."""


class FolderGuard:
    """Checks whether the folder of a run exists, and creates it again.

    Args:
        directory: The run directory.
        plan: The plan of the run; its document and environment are written to a new folder.
        emit: Called with a warning when the folder is missing.
        on_recreated: Called when the folder exists again and contains only the document and the environment.
    """

    def __init__(
        self, directory: RunDirectory, plan: Plan, *, emit: Callable[[Event], None], on_recreated: Callable[[], None]
    ) -> None:
        self._directory, self._plan = directory, plan
        self._emit, self._on_recreated = emit, on_recreated
        self._checked_at = 0.0
        self._missing = False

    def check_if_due(self) -> None:
        """Check the folder, at most every `CHECK_S`."""
        if monotonic() - self._checked_at >= CHECK_S:
            self._checked_at = monotonic()
            self.check()

    def check(self) -> None:
        """Check the folder now."""
        if self._directory.is_there():
            return
        if not self._missing:
            self._missing = True
            message = (
                f"{self._directory.path} was deleted or moved, so nothing of the run can be saved. Training continues, "
                "and the folder is created again as soon as possible."
            )
            self._emit(Log(level="warning", message=message))
        try:
            self._directory.recreate(dumps(self._plan.experiment), describe_environment(self._plan))
        except (OSError, Refused):
            return
        self._missing = False
        self._on_recreated()
