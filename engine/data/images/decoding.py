"""One image file: its pixels in the size and the colours that are asked for, or what is wrong with it.

Bytes of strangers are decoded here: only formats that are asked for, no image larger than is stated, no animation.
H W height and width in pixels.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from engine.data.images.deep import Depth, Range, deep
from engine.data.images.faults import Broken

Pixels = NDArray[np.uint8]
"""(H, W) of grey, (H, W, 3) of red, green and blue."""
Size = tuple[int, int]
"""Height and width."""

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM")
NAMES = "PNG, JPEG, WebP, BMP, TIFF or PPM"
LARGEST_SIDE = 30_000
LARGEST_PIXELS = 64_000_000
"""With what converting takes beside them, half a gigabyte while they are decoded."""
LARGE_PIXELS = 4_000_000
"""Images beyond this are decoded one after the other, so that memory does not grow with the number of threads."""
_SIDEWAYS = range(5, 9)
"""Values of the EXIF orientation that turn height into width."""
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_GREY = ("1", "L", "LA", "La", "I")

# What Pillow finds odd about a file is said here, file by file, not by a warning in the middle of the screen.
warnings.filterwarnings("ignore", module=r"PIL\.")
_one_large = threading.Lock()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What each image is to become."""

    size: Size | None
    """None: as large as it is."""
    mode: Literal["auto", "grey", "colour"]
    """auto: grey if it is grey, else red, green and blue."""
    crop: bool = False
    """Where height and width are in another proportion: whether the middle is cut out, or the image is stretched."""
    range: Range | None = None
    """Of images of more than 8 bits: the values that become 0 and 255. None: of each image its own, to be measured."""
    sixteen: bool = False
    """Whether fractional numbers and those of more than 16 bits are refused, since other images have 8 bits."""
    upper: bool = False
    """Whether of 16 bits the upper 8 are used, whatever the range, and more are refused: as the first version did."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """An image, and in a few words what had to be done to it beyond its size; empty if nothing."""

    pixels: Pixels
    odd: str = ""
    depth: Depth | None = None
    """Of an image of more than 8 bits."""


class OtherSize(Broken):
    """An image that is whole, but not of the size that the others have."""

    def __init__(self, size: Size, expected: Size) -> None:
        super().__init__(f"it has {pixels_text(size)} pixels", f"expected {pixels_text(expected)}")
        self.size = size


def decode(file: str, wanted: Wanted, *, must_be: Size | None = None) -> Decoded:
    """The pixels of a file.

    JPEG is decoded at a fraction of its size where that is enough. Smaller images come about by averaging (bilinear,
    antialiased), turned as a camera has noted. What is transparent lies on white.

    Args:
        must_be: the size that the image has to have.

    Raises:
        Broken: it cannot be used.
    """
    try:
        with open(file, "rb") as opened:
            if os.fstat(opened.fileno()).st_size == 0:
                raise Broken("it is empty", "expected an image")
            with Image.open(opened, formats=FORMATS) as image, ExitStack() as others:

                def again() -> Image.Image:
                    return others.enter_context(Image.open(file, formats=FORMATS))

                return _decoded(image, wanted, must_be, again)
    except UnidentifiedImageError:
        raise Broken("it is no image that can be read", f"expected {NAMES}") from None
    except Image.DecompressionBombError:
        raise Broken("it has more than 178,956,970 pixels", f"expected at most {LARGEST_PIXELS:,}") from None
    except MemoryError:
        raise Broken("it does not fit into memory", "") from None
    except Broken:
        raise
    except OSError as error:
        if error.errno is not None:
            raise Broken(f"it cannot be read ({error.strerror})", "") from None
        raise Broken(f"it is damaged ({_reason(error)})", "") from None
    except Exception as error:  # a decoder that is handed nonsense may fail in any way
        raise Broken(f"it is damaged ({_reason(error)})", "") from None


def pixels_text(size: Size) -> str:
    """Height × width, as in `480×640`."""
    return f"{size[0]:,}×{size[1]:,}"


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return text[:80] if text else type(error).__name__


def _decoded(image: Image.Image, wanted: Wanted, must_be: Size | None, again: Callable[[], Image.Image]) -> Decoded:
    size = (image.height, image.width)
    if max(size) > LARGEST_SIDE:
        raise Broken(f"it has {pixels_text(size)} pixels", f"expected at most {LARGEST_SIDE:,} on a side")
    if size[0] * size[1] > LARGEST_PIXELS:
        raise Broken(f"it has {pixels_text(size)} pixels", f"expected at most {LARGEST_PIXELS:,} in all")
    # Cameras put a second picture, for a preview, behind the first one: that is no animation.
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if frames > 1:
        raise Broken(f"it has {frames:,} pictures", "expected one")
    with _one_large if size[0] * size[1] > LARGE_PIXELS else nullcontext():
        whole = None if wanted.upper else deep(image, again)  # before the rest, which may read the image
        turn = image.getexif().get(_ORIENTATION, 1)  # in a PNG it may stand last: Pillow decodes the image to find it
        turned = (size[1], size[0]) if turn in _SIDEWAYS else size
        if must_be is not None and turned != must_be:
            raise OtherSize(turned, must_be)
        if wanted.size is not None:
            height, width = reversed(wanted.size) if turn in _SIDEWAYS else wanted.size
            image.draft(None, (width, height))
        depth = None if whole is None else whole.depth
        if wanted.sixteen and depth is not None and not depth.is_sixteen:
            what = "are fractional numbers" if depth.kind == "fractional" else "go from {:,.0f} to {:,.0f}"
            raise Broken(f"its pixels {what.format(*depth.range)}", "expected 8 or 16 bits, as the others have")
        plain, odd = _plain(image if whole is None or depth is None else whole.scaled(wanted.range or depth.range))
        if turn in _TURNS:
            plain = plain.transpose(_TURNS[turn])
        plain = _resized(plain, wanted)
        if wanted.mode != "auto":
            plain = plain.convert("L" if wanted.mode == "grey" else "RGB")
        return Decoded(np.asarray(plain), odd, depth)


def _plain(image: Image.Image) -> tuple[Image.Image, str]:
    """The image as 8 bits of grey, or of red, green and blue; and what was done to it."""
    mode, grey = image.mode, image.mode in _GREY or image.mode.startswith("I;16")
    if mode == "I" or mode.startswith("I;16"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 0xFFFF:
            found = f"its pixels go from {values.min():,} to {values.max():,}"
            raise Broken(found, "expected 8 or 16 bits without a sign")
        return Image.fromarray((values >> 8).astype(np.uint8)), "16 bits a pixel, of which the upper 8 are used"
    if mode == "F":
        raise Broken("its pixels are fractional numbers", "expected 8 or 16 bits")
    if image.has_transparency_data:
        above = image.convert("RGBA")
        lies_on = Image.new("RGBA", above.size, "white")
        lies_on.alpha_composite(above)
        opacity = np.asarray(above)[..., 3]
        odd = "transparent in part, laid on white" if opacity.any() else "blank (every pixel is fully transparent)"
        return lies_on.convert("L" if grey else "RGB"), "" if (opacity == 255).all() else odd
    if mode in ("CMYK", "LAB", "HSV"):
        return image.convert("RGB"), f"{mode}, converted to red, green and blue"
    return image.convert("L" if grey else "RGB"), ""


def _resized(image: Image.Image, wanted: Wanted) -> Image.Image:
    if wanted.size is None or (image.height, image.width) == wanted.size:
        return image
    height, width = wanted.size
    box = None
    if wanted.crop:
        scale = min(image.height / height, image.width / width)
        left, top = (image.width - width * scale) / 2, (image.height - height * scale) / 2
        box = (left, top, image.width - left, image.height - top)
    return image.resize((width, height), Image.Resampling.BILINEAR, box=box)
