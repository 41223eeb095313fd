"""Images of more than 8 bits a channel: their full values, and their conversion to 8 bits by a range.

Pillow alone would use the upper 8 of 16 bits of colours; for a 12-bit camera these hold only 4 bits.
H W height and width in pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from engine.data.images.faults import Broken

Range = tuple[float, float]
"""The lowest and the highest value; they become 0 and 255."""
Kind = Literal["whole", "fractional"]

_SWAPPED = {"L": "B", "B": "L", "N": "B" if np.little_endian else "L"}
"""The byte order that reads the lower byte where the other reads the upper one."""
_BITS, _SAMPLE_FORMAT, _UNSIGNED = 258, 339, 1
"""Tags of TIFF."""
HIGHEST = 0xFFFF
_SAMPLED = 1 << 16
TAIL = 0.01
"""Share of the pixels at each end of the range that `Depth.most` ignores."""


@dataclass(frozen=True, slots=True)
class Depth:
    """The values of one image, ignoring fully transparent pixels."""

    kind: Kind
    bits: int
    """Bits of a value in the file."""
    low: float
    high: float
    most: Range
    """The range of the pixels without the lowest and the highest hundredth."""

    @property
    def range(self) -> Range:
        """The range of this image."""
        return (self.low, self.high)

    @property
    def is_sixteen(self) -> bool:
        """Whether its values are whole numbers of 16 bits."""
        return self.kind == "whole" and self.low >= 0 and self.high <= HIGHEST


@dataclass(frozen=True, slots=True)
class Deep:
    """An image of more than 8 bits."""

    values: NDArray[Any]
    """(H, W) grey, (H, W, 3) RGB."""
    bits: int
    alpha: NDArray[np.uint8] | None = None
    """(H, W) from 0 (transparent) to 255 (opaque)."""

    @property
    def depth(self) -> Depth:
        """A summary of its values."""
        seen = self.values if self.alpha is None else self.values[self.alpha > 0]
        seen = seen.reshape(-1)
        if not seen.size:
            seen = np.zeros(1, self.values.dtype)
        some = seen[:: max(1, seen.size // _SAMPLED)]
        first, last = np.quantile(some, (TAIL, 1 - TAIL), method="nearest")
        kind: Kind = "fractional" if self.values.dtype.kind == "f" else "whole"
        return Depth(kind, self.bits, float(seen.min()), float(seen.max()), (float(first), float(last)))

    def scaled(self, range: Range) -> Image.Image:
        """Scale the values of a range to 0 … 255; values outside it are clipped."""
        low, high = range
        precise: Any = np.float32 if self.bits <= 16 else np.float64
        share: NDArray[Any] = (self.values.astype(precise) - low) / max(high - low, 1e-30)
        pixels = Image.fromarray((share.clip(0, 1) * 255 + 0.5).astype(np.uint8))
        if self.alpha is not None:
            pixels.putalpha(Image.fromarray(self.alpha))
        return pixels


def deep(image: Image.Image, again: Callable[[], Image.Image]) -> Deep | None:
    """Read the values of an opened image; None if no channel has more than 8 bits.

    Args:
        again: opens the same file again.

    Raises:
        Broken: its values cannot be read completely, or are not finite.
    """
    raw = _raw_mode(image)
    if image.mode == "F":
        values = np.asarray(image)
        if not np.isfinite(values).all():
            count = int((~np.isfinite(values)).sum())
            raise Broken(f"{count:,} of its pixels are not finite", "expected finite numbers")
        return Deep(values, 32)
    if image.format == "PPM" and (found := _portable(image)) is not None:
        return found
    if image.mode == "I" or image.mode.startswith("I;16"):
        values = np.asarray(image)
        tags: Any = getattr(image, "tag_v2", {})
        bits = 16 if raw.startswith("I;16") else 32
        if tags.get(_BITS) == (32,) and tags.get(_SAMPLE_FORMAT, (_UNSIGNED,)) == (_UNSIGNED,):
            values = values.view(np.uint32)
        return Deep(values, bits)
    if ";16" not in raw:
        return None
    if raw == "LA;16B":  # four bytes a pixel, unchanged
        bytes_ = np.asarray(_reading(image, lambda _: "RGBA")).astype(np.uint16)
        return Deep(bytes_[..., 0] << 8 | bytes_[..., 1], 16, bytes_[..., 2].astype(np.uint8))
    if image.mode not in ("RGB", "RGBA"):
        raise Broken(f"its channels have 16 bits in an unsupported format ({raw})", "expected grey, RGB or RGBA")
    lower = np.asarray(_reading(again(), lambda mode: mode[:-1] + _SWAPPED[mode[-1]]))
    upper = np.asarray(image)
    values = upper[..., :3].astype(np.uint16) << 8 | lower[..., :3]
    return Deep(values, 16, upper[..., 3] if image.mode == "RGBA" else None)


def _raw_mode(image: Image.Image) -> str:
    """Pillow's name for the pixel format of the file: `RGB;16B`."""
    tile: Any = image.tile[0] if isinstance(image, ImageFile.ImageFile) and image.tile else None
    arguments = tile.args if tile is not None else ""
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _reading(image: Image.Image, other: Callable[[str], str]) -> Image.Image:
    """An image that is not read yet, set to interpret its bytes in another raw mode."""
    assert isinstance(image, ImageFile.ImageFile)
    tiles: list[Any] = []
    for tile in image.tile:
        given: Any = tile.args
        args = (other(given[0]), *given[1:]) if isinstance(given, tuple) else other(given)
        tiles.append(tile._replace(args=args))
    image.tile = tiles
    return image


def _portable(image: Image.Image) -> Deep | None:
    """Read PPM and PGM with two bytes a value, which Pillow would scale; None for one byte a value."""
    assert isinstance(image, ImageFile.ImageFile)
    tile: Any = image.tile[0]
    highest = tile.args[1] if isinstance(tile.args, tuple) and len(tile.args) > 1 else 0
    if not isinstance(highest, int) or highest <= 255:
        return None
    if tile.codec_name != "ppm":
        raise Broken("its numbers are stored as text and exceed 255", "expected binary numbers (P5 or P6)")
    channels = 3 if image.mode == "RGB" else 1
    count = image.width * image.height * channels
    assert image.fp is not None
    image.fp.seek(tile.offset)
    content = image.fp.read(2 * count)
    if len(content) < 2 * count:
        raise Broken("it is damaged (image file is truncated)")
    values = np.frombuffer(content, ">u2").astype(np.uint16)
    return Deep(values.reshape(image.height, image.width, *((3,) if channels == 3 else ())), 16)
