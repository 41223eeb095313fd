"""What is wrong with the lines of a file."""

from __future__ import annotations

from engine.experiment.mistakes import Mistake, Refused

NAMED = 20
"""Faults that are named one by one; of the others, how many there are is said."""
ROWS = 8192
"""Rows that are read before it is said how far it is."""

Row = list[str | None]


class LineFaults:
    """Rows that are not as they should be, the first of them one by one."""

    def __init__(self, where: str, path: str) -> None:
        self.where, self.path = where, path
        self.mistakes: list[Mistake] = []
        self.more = 0

    def add(self, line: int, found: str, expected: str, fix: str) -> None:
        if len(self.mistakes) < NAMED:
            self.mistakes.append(Mistake(self.where, f"line {line:,} {found}", expected, fix, subject=self.path))
        else:
            self.more += 1

    def refuse(self) -> None:
        if self.more:
            found = f"{self.more:,} more lines have faults"
            self.mistakes.append(Mistake(self.where, found, "", "Mend these first.", subject=self.path))
        if self.mistakes:
            raise Refused(self.mistakes)

    def replace(self, found: str, expected: str, fix: str) -> None:
        """One sentence on the whole file in place of those on its lines."""
        self.mistakes, self.more = [Mistake(self.where, found, expected, fix, subject=self.path)], 0
