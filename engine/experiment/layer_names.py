"""Ranges of layers as a document names them: `"0..3"`, `"model.layers[4].layers[0..2]"`, both ends included."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RANGE = re.compile(
    r"(?:(?P<holder>(?:model\.)?layers[\w.\[\]]*)\[)?(?P<first>\d+)\.\.(?P<last>\d+)(?(holder)\])", re.ASCII
)


@dataclass(frozen=True, slots=True)
class LayerRange:
    """Layers that stand one after the other in one list of layers."""

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
    """The range that a name means; None for a name of another kind.

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
