"""What flows between two layers: its shape without the batch, and what the dimensions mean."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Literal

Kind = Literal["volume", "image", "signal", "sequence", "tokens", "vector"]

_DIMENSIONS: dict[Kind, str] = {
    "volume": "channels, depth, height, width",
    "image": "channels, height, width",
    "signal": "channels, time",
    "sequence": "time, features",
    "tokens": "time",
    "vector": "features",
}


OVER_CHANNELS: tuple[Kind, ...] = ("volume", "image", "signal")
"""What has its channels first."""

LAID_OUT: dict[int, Kind] = {1: "vector", 2: "signal", 3: "image", 4: "volume"}
"""What values are that were laid out anew, by their dimensions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One sample on its way.

    A volume (C, D, H, W), an image (C, H, W), a signal (C, T), a sequence (T, F), tokens (T,), a vector (F,).
    """

    shape: tuple[int, ...]
    kind: Kind
    origin: Literal["the data", "the layer before"] = "the layer before"
    summed_up_by: str = ""
    """The path of the recurrent layer that handed on one state for the whole sequence."""

    @property
    def numel(self) -> int:
        """Numbers in one sample."""
        return prod(self.shape)

    def of(self, shape: tuple[int, ...], kind: Kind | None = None) -> Signal:
        """What a layer made of it."""
        return replace(self, shape=shape, kind=kind or self.kind, origin="the layer before")

    def __str__(self) -> str:
        """As a sentence says it: `an image 16×8×8 (channels, height, width)`."""
        if self.kind == "vector":
            return f"a vector of {self.shape[0]} features"
        article = "" if self.kind == "tokens" else "an " if self.kind == "image" else "a "
        return f"{article}{self.kind} {size_text(self.shape)} ({_DIMENSIONS[self.kind]})"


def size_text(shape: tuple[int, ...]) -> str:
    """A shape as people write it: `16×8×8`."""
    return "×".join(map(str, shape))
