"""What a run recorded of its data when it started, and what a resumed run keeps of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RecordedData:
    """The orders that a run recorded when it started. A resumed run keeps them, even if the default order changed."""

    classes: tuple[str, ...] = ()
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Categories by the name of their column."""
    rules: int = 2
    """Version of the rules that sources read files by. A new version may read the same files as other samples."""

    def __hash__(self) -> int:
        return hash((self.classes, tuple(self.categories.items()), self.rules))


NOTHING_RECORDED = RecordedData()
