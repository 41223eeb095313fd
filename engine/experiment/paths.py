"""Paths of a document (`model.layers[0].type`) and ranges of layers (`"0..3"`, `"model.layers[4].layers[0..2]"`).

Both ends of a range are included.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_STEP = re.compile(r"(?:^|\.)([A-Za-z_][A-Za-z0-9_-]*)|\[(-?\d+)\]")
_RANGE = re.compile(
    r"(?:(?P<holder>(?:model\.)?layers[\w.\[\]]*)\[)?(?P<first>\d+)\.\.(?P<last>\d+)(?(holder)\])", re.ASCII
)


def parse_path(path: str) -> list[str | int] | None:
    """Split a path into its steps; None when it is not a path.

    >>> parse_path("model.layers[0].type")
    ['model', 'layers', 0, 'type']
    """
    steps: list[str | int] = []
    end = 0
    while end < len(path):
        match = _STEP.match(path, end)
        if match is None or match.end() == end:
            return None
        steps.append(match[1] if match[1] is not None else int(match[2]))
        end = match.end()
    return steps or None


def dotted(location: Sequence[int | str]) -> str:
    """Join the steps of a path.

    >>> dotted(("model", "layers", 0, "type"))
    'model.layers[0].type'
    """
    path = ""
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path


@dataclass(frozen=True, slots=True)
class LayerRange:
    """Consecutive layers of one list of layers."""

    holder: str
    """The path of that list: `model.layers`."""
    first: int
    last: int

    def path(self, index: int) -> str:
        """The path of one layer of the list."""
        return f"{self.holder}[{index}]"

    @property
    def paths(self) -> list[str]:
        """The paths of its layers."""
        return [self.path(index) for index in range(self.first, self.last + 1)]


def layer_range(name: str | int) -> LayerRange | None:
    """Parse a range of layers; None for a name of another kind.

    >>> layer_range("0..2").paths
    ['model.layers[0]', 'model.layers[1]', 'model.layers[2]']
    >>> layer_range("layers[4].layers[1..1]").paths
    ['model.layers[4].layers[1]']
    """
    found = _RANGE.fullmatch(name) if isinstance(name, str) and len(name) < 200 else None
    if found is None:
        return None
    holder = (found["holder"] or "layers").removeprefix("model.")
    return LayerRange(f"model.{holder}", int(found["first"]), int(found["last"]))
