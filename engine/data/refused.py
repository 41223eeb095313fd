"""Data that cannot be had, with what is known of it all the same: the rest of a document is checked against that."""

from __future__ import annotations

from collections.abc import Iterable

from engine.data.description import Task
from engine.experiment.mistakes import Mistake, Refused


class DataRefused(Refused):
    """What is wrong with the data; beside it the task, and the number of classes, where they could be told."""

    def __init__(self, mistakes: Iterable[Mistake], task: Task | None = None, classes: int | None = None) -> None:
        super().__init__(mistakes)
        self.task, self.classes = task, classes
