"""What can be wrong with an image file."""

from __future__ import annotations


class Broken(Exception):
    """An image that cannot be used, as the clauses of a mistake."""

    def __init__(self, found: str, expected: str = "") -> None:
        super().__init__(found, expected)
        self.found = found
        self.expected = expected
