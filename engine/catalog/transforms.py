"""Transforms: fixed changes of every sample, in training, validation and test. https://docs.pytorch.org/vision/stable/transforms.html"""

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
        "Resizes images; a single number is the size of the shorter side.",
        "When the network should get more or fewer pixels than the images have.",
        when_not="For sizes larger than the images: it adds work and no detail.",
        formula="x ← interpolate(x, size), with antialiasing",
        types={"size": _Size, "interpolation": INTERPOLATION, "max_size": _Side},
        hidden=frozenset({"antialias"}),
    ),
    _transform(
        "CenterCrop",
        "Cuts out the centre of images.",
        "After Resize, for square images.",
        when_not="When the edges of the images matter.",
        formula="x ← x[:, t:t+h, l:l+w], t = (H-h)/2, l = (W-w)/2",
        types={"size": _Size},
    ),
    _transform(
        "Pad",
        "Adds a margin to images.",
        "For small images in networks with many pooling layers: 28×28 becomes 32×32 with padding 2.",
        when_not="When the padding of a Conv2d is enough.",
        formula="x ← x with a margin of padding pixels",
        types={
            "padding": _Count | tuple[_Count, _Count] | tuple[_Count, _Count, _Count, _Count],
            "fill": Annotated[float, Ge(0), Le(255)],
            "padding_mode": Literal["constant", "edge", "reflect", "symmetric"],
        },
    ),
    _transform(
        "Grayscale",
        "Converts images to grey.",
        "When the colour does not matter: images take a third of the memory.",
        when_not="When the classes differ by colour.",
        formula="x ← 0.2989·R + 0.587·G + 0.114·B",
        types={"num_output_channels": Literal[1, 3]},
        helps={"num_output_channels": "Channels of the output: 1, or 3 with equal values."},
    ),
    _transform(
        "RGB",
        "Repeats the channel of grey images three times.",
        "For networks that expect three channels, as those with published weights.",
        when_not="For other networks, which can take one channel.",
        formula="x[c] ← x[0] for c = 0, 1, 2",
    ),
    _transform(
        "JPEG",
        "Compresses images as JPEG and decompresses them.",
        "When the network will be used on compressed images.",
        when_not="For JPEG files, which are compressed already.",
        formula="x ← decode(encode(x, quality))",
        types={"quality": Annotated[int, Ge(1), Le(100)]},
    ),
)
