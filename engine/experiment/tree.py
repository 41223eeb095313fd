"""Walk over the tree of layers of a document's model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from engine.experiment.document import Layer

CONTAINER_FIELDS = ("layers", "shortcut", "branches")
"""The fields of a layer that contain layers."""

DEEPEST = 16
"""Maximum depth of nested layers."""


class Place(NamedTuple):
    """One layer of the tree and its position."""

    path: str
    """`model.layers[4].layers[0]`"""
    number: str
    """The short path: `4.0`; in the second branch of a Concat `4.1.0`, in a shortcut `4.s.0`."""
    depth: int
    layer: Layer


def walk(layers: Sequence[Layer]) -> Iterator[Place]:
    """Every layer in order, a container before its layers."""
    yield from _walk(layers, "model.layers", "", 0)


def _walk(layers: Sequence[Layer], path: str, number: str, depth: int) -> Iterator[Place]:
    for i, layer in enumerate(layers):
        here, short = f"{path}[{i}]", f"{number}{i}"
        yield Place(here, short, depth, layer)
        if depth >= DEEPEST:
            continue
        yield from _walk(layer.layers or (), f"{here}.layers", f"{short}.", depth + 1)
        for b, branch in enumerate(layer.branches or ()):
            yield from _walk(branch, f"{here}.branches[{b}]", f"{short}.{b}.", depth + 1)
        yield from _walk(layer.shortcut or (), f"{here}.shortcut", f"{short}.s.", depth + 1)


def by_path(layers: Sequence[Layer]) -> dict[str, Layer]:
    """Every layer by its path."""
    return {place.path: place.layer for place in walk(layers)}


def backwards(layers: Sequence[Layer], path: str = "model.layers") -> Iterator[Place]:
    """The layers on the way to the output, the last one first.

    This includes the layers of a Sequential or Repeat. A Residual or Concat, which adds or concatenates outputs, is
    yielded itself instead of its layers.
    """
    for i in reversed(range(len(layers))):
        layer, here = layers[i], f"{path}[{i}]"
        if layer.type in ("Sequential", "Repeat") and layer.layers:
            yield from backwards(layer.layers, f"{here}.layers")
        else:
            yield Place(here, "", 0, layer)
