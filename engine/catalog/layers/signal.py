"""What passes from layer to layer: the shape of one sample without the batch, and what its dimensions mean.

Letters: N batch, C channels, D depth, H height, W width, T time, F features.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Literal

Shape = tuple[int, ...]
Kind = Literal["volume", "image", "signal", "sequence", "tokens", "vector"]

DIMENSIONS: dict[Kind, str] = {
    "volume": "channels, depth, height, width",
    "image": "channels, height, width",
    "signal": "channels, time",
    "sequence": "time, features",
    "tokens": "time",
    "vector": "features",
}

NUMBERS: tuple[Kind, ...] = ("volume", "image", "signal", "sequence", "vector")
"""Every kind but tokens, which are indices."""

OVER_CHANNELS: tuple[Kind, ...] = ("volume", "image", "signal")
"""Kinds whose first dimension is channels."""

BY_DIMENSIONS: dict[int, Kind] = {1: "vector", 2: "signal", 3: "image", 4: "volume"}
"""The kind of a sample that a layer reshaped, by its number of dimensions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One sample between two layers.

    A volume (C, D, H, W), an image (C, H, W), a signal (C, T), a sequence (T, F), tokens (T,), or a vector (F,).
    """

    shape: Shape
    kind: Kind
    origin: Literal["the data", "the layer before"] = "the layer before"
    summarized_by: str = ""
    """The path of the recurrent layer that output one state for the whole sequence."""

    @property
    def numel(self) -> int:
        """Numbers in one sample."""
        return prod(self.shape)

    def of(self, shape: Shape, kind: Kind | None = None) -> Signal:
        """The output of a layer for this input."""
        return replace(self, shape=shape, kind=kind or self.kind, origin="the layer before")

    def __str__(self) -> str:
        """The sample as text: `an image 16×8×8 (channels, height, width)`."""
        if self.kind == "vector":
            return f"a vector of {self.shape[0]} features"
        article = "" if self.kind == "tokens" else "an " if self.kind == "image" else "a "
        return f"{article}{self.kind} {shape_text(self.shape)} ({DIMENSIONS[self.kind]})"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """What layers need to know of the data and the loss."""

    outputs: int
    """Numbers that the network has to output."""
    steps: int | None = None
    """Steps of a sequence, each with that many outputs; None where the outputs are for the whole sample."""
    wants: str
    """The reason in a clause: `the data has 10 classes`."""
    vocabulary_size: int | None
    padded: bool
    """Whether samples differ in length and are padded."""
    rows_parameter: bool
    """Whether the data source can read images row by row, as sequences."""
    one_of_two: str = ""
    """The loss that takes one output in place of two for two classes."""


def shape_text(shape: Shape) -> str:
    """A shape as text: `16×8×8`."""
    return "×".join(map(str, shape))


def per_dimension(value: int | Shape, dimensions: int) -> Shape:
    """One number for each dimension, from a number or a tuple."""
    return (value,) * dimensions if isinstance(value, int) else tuple(value)
