"""Transforms: what is done once to every sample, of all parts. https://docs.pytorch.org/vision/stable/transforms.html"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Le

from engine.catalog.augmentations import INTERPOLATION, V2
from engine.catalog.entry import Entry

_Side = Annotated[int, Ge(1), Le(8192)]
_Size = _Side | tuple[_Side, _Side]
_Count = Annotated[int, Ge(0), Le(4096)]


def _transform(name: str, summary: str, when: str, **more: Any) -> Entry:
    return Entry(
        kind="transforms", name=name, torch_name=f"{V2}.{name}", group="images", summary=summary, when=when, **more
    )


ENTRIES = (
    _transform(
        "Resize",
        "Brings images to a size; a single number is the shorter side.",
        "When the network should see more or fewer pixels than there are.",
        when_not="To larger sizes than the images have: it adds work and no detail.",
        formula="x ← interpolate(x, size), with antialiasing",
        types={"size": _Size, "interpolation": INTERPOLATION, "max_size": _Side},
        hidden=frozenset({"antialias"}),
    ),
    _transform(
        "CenterCrop",
        "Cuts the middle out of images.",
        "After Resize, to a square.",
        when_not="Where what matters stands at the edge.",
        formula="x ← x[:, t:t+h, l:l+w], t = (H-h)/2, l = (W-w)/2",
        types={"size": _Size},
    ),
    _transform(
        "Pad",
        "Adds a margin to images.",
        "For small images in front of many poolings: 28×28 becomes 32×32 with padding 2.",
        when_not="Where a Conv2d can do it with its own padding.",
        formula="x ← x with a margin of padding pixels",
        types={
            "padding": _Count | tuple[_Count, _Count] | tuple[_Count, _Count, _Count, _Count],
            "fill": Annotated[float, Ge(0), Le(255)],
            "padding_mode": Literal["constant", "edge", "reflect", "symmetric"],
        },
    ),
    _transform(
        "Grayscale",
        "Takes the colour from images.",
        "Where colour says nothing: a third of the bytes.",
        when_not="Where the colour is what tells the classes apart.",
        formula="x ← 0.2989·R + 0.587·G + 0.114·B",
        types={"num_output_channels": Literal[1, 3]},
        helps={"num_output_channels": "Channels that come out: 1, or 3 that are alike."},
    ),
    _transform(
        "RGB",
        "Repeats the one channel of grey images as three.",
        "In front of a network that takes three channels.",
        when_not="For a network of your own, which can take one.",
        formula="x[c] ← x[0] for c = 0, 1, 2",
    ),
    _transform(
        "JPEG",
        "Compresses images and brings them back.",
        "When the network will meet images that were.",
        when_not="On JPEG files: they have been.",
        formula="x ← decode(encode(x, quality))",
        types={"quality": Annotated[int, Ge(1), Le(100)]},
    ),
)
