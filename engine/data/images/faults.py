"""The exception of an image file that cannot be used."""

from __future__ import annotations


class Broken(Exception):
    """An image cannot be used; carries the clauses of a mistake."""

    def __init__(self, found: str, expected: str = "") -> None:
        super().__init__(found, expected)
        self.found = found
        self.expected = expected
