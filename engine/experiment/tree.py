"""Layers that hold layers: a walk over the tree that a document's model is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from engine.experiment.document import Layer

HELD = ("layers", "shortcut", "branches")
"""The fields of a layer that hold layers."""

DEEPEST = 16
"""Levels of layers in layers that a model may have."""


class Place(NamedTuple):
    """One layer of the tree and where it stands."""

    path: str
    """`model.layers[4].layers[0]`"""
    number: str
    """The same, short: `4.0`; in the second branch of a Concat `4.1.0`, in a shortcut `4.s.0`."""
    depth: int
    layer: Layer


def walk(layers: Sequence[Layer]) -> Iterator[Place]:
    """Every layer in reading order, one that holds others before those."""
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
    """The layers that the output comes out of one after the other, the last one first.

    What a Sequential or a Repeat holds is among them; the layers of a Residual and a Concat are not, whose outputs are
    added or joined: there the container itself is.
    """
    for i in reversed(range(len(layers))):
        layer, here = layers[i], f"{path}[{i}]"
        if layer.type in ("Sequential", "Repeat") and layer.layers:
            yield from backwards(layer.layers, f"{here}.layers")
        else:
            yield Place(here, "", 0, layer)
