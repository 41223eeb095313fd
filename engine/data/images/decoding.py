"""Decode one image file to pixels of a given size and colour mode, or report what is wrong with it.

Files are untrusted: only known formats are decoded, no image above a size limit, and no animation.
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
"""(H, W) grey, (H, W, 3) RGB."""
Size = tuple[int, int]
"""Height and width."""

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM")
NAMES = "PNG, JPEG, WebP, BMP, TIFF or PPM"
LARGEST_SIDE = 30_000
LARGEST_PIXELS = 64_000_000
"""With the memory for conversion, half a gigabyte while one is decoded."""
LARGE_PIXELS = 4_000_000
"""Larger images are decoded one at a time, so that memory does not grow with the number of threads."""
_SIDEWAYS = range(5, 9)
"""Values of the EXIF orientation that swap height and width."""
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

# Problems of a file are reported with its name; Pillow's own warnings would appear in the middle of the screen.
warnings.filterwarnings("ignore", module=r"PIL\.")
_one_large = threading.Lock()


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """The size, colours and value range that images are converted to."""

    size: Size | None
    """None: the size of the file."""
    mode: Literal["auto", "grey", "colour"]
    """auto: grey if the image is grey, else RGB."""
    crop: bool = False
    """For another aspect ratio: whether the centre is cropped; otherwise the image is stretched."""
    range: Range | None = None
    """For images of more than 8 bits: the values that become 0 and 255. None: each image's own range, to measure it."""
    sixteen: bool = False
    """Whether fractional pixels and pixels of more than 16 bits are refused, since other images have 8 bits."""
    upper: bool = False
    """Whether the upper 8 of 16 bits are used and more bits are refused, as in the first version."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded image, and a short text on conversions other than resizing; empty if there are none."""

    pixels: Pixels
    odd: str = ""
    depth: Depth | None = None
    """For an image of more than 8 bits."""


class OtherSize(Broken):
    """An intact image of another size than the others."""

    def __init__(self, size: Size, expected: Size) -> None:
        super().__init__(f"it has {pixels_text(size)} pixels", f"expected {pixels_text(expected)}")
        self.size = size


def decode(file: str, image_format: ImageFormat, *, must_be: Size | None = None) -> Decoded:
    """Decode a file.

    JPEG is decoded at a fraction of its size if that suffices. Images are resized with antialiased bilinear filtering,
    rotated by their EXIF orientation, and transparent pixels are blended with white.

    Args:
        must_be: the required size of the image.

    Raises:
        Broken: the file cannot be used.
    """
    try:
        with open(file, "rb") as opened:
            if os.fstat(opened.fileno()).st_size == 0:
                raise Broken("it is empty", "expected an image")
            with Image.open(opened, formats=FORMATS) as image, ExitStack() as others:

                def again() -> Image.Image:
                    return others.enter_context(Image.open(file, formats=FORMATS))

                return _decoded(image, image_format, must_be, again)
    except UnidentifiedImageError:
        raise Broken("it is not a readable image", f"expected {NAMES}") from None
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
    except Exception as error:  # a decoder of damaged data may raise any exception
        raise Broken(f"it is damaged ({_reason(error)})", "") from None


def pixels_text(size: Size) -> str:
    """Height × width, as in `480×640`."""
    return f"{size[0]:,}×{size[1]:,}"


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return text[:80] if text else type(error).__name__


def _decoded(
    image: Image.Image, image_format: ImageFormat, must_be: Size | None, again: Callable[[], Image.Image]
) -> Decoded:
    size = (image.height, image.width)
    if max(size) > LARGEST_SIDE:
        raise Broken(f"it has {pixels_text(size)} pixels", f"expected at most {LARGEST_SIDE:,} on a side")
    if size[0] * size[1] > LARGEST_PIXELS:
        raise Broken(f"it has {pixels_text(size)} pixels", f"expected at most {LARGEST_PIXELS:,} in all")
    # Cameras append a preview image to the file, which is no animation.
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if frames > 1:
        raise Broken(f"it has {frames:,} frames", "expected one")
    with _one_large if size[0] * size[1] > LARGE_PIXELS else nullcontext():
        whole = None if image_format.upper else deep(image, again)  # before other access, which may read the image
        turn = image.getexif().get(_ORIENTATION, 1)  # in a PNG it may be last, and Pillow decodes the image to find it
        turned = (size[1], size[0]) if turn in _SIDEWAYS else size
        if must_be is not None and turned != must_be:
            raise OtherSize(turned, must_be)
        if image_format.size is not None:
            height, width = reversed(image_format.size) if turn in _SIDEWAYS else image_format.size
            image.draft(None, (width, height))
        depth = None if whole is None else whole.depth
        if image_format.sixteen and depth is not None and not depth.is_sixteen:
            what = "are fractional numbers" if depth.kind == "fractional" else "go from {:,.0f} to {:,.0f}"
            raise Broken(f"its pixels {what.format(*depth.range)}", "expected 8 or 16 bits, like the other images")
        plain, odd = _plain(
            image if whole is None or depth is None else whole.scaled(image_format.range or depth.range)
        )
        if turn in _TURNS:
            plain = plain.transpose(_TURNS[turn])
        plain = _resized(plain, image_format)
        if image_format.mode != "auto":
            plain = plain.convert("L" if image_format.mode == "grey" else "RGB")
        return Decoded(np.asarray(plain), odd, depth)


def _plain(image: Image.Image) -> tuple[Image.Image, str]:
    """Convert an image to 8-bit grey or RGB, and describe the conversion."""
    mode, grey = image.mode, image.mode in _GREY or image.mode.startswith("I;16")
    if mode == "I" or mode.startswith("I;16"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 0xFFFF:
            found = f"its pixels range from {values.min():,} to {values.max():,}"
            raise Broken(found, "expected 8 or 16 bits without a sign")
        return Image.fromarray((values >> 8).astype(np.uint8)), "16 bits a pixel, reduced to the upper 8"
    if mode == "F":
        raise Broken("its pixels are fractional numbers", "expected 8 or 16 bits")
    if image.has_transparency_data:
        above = image.convert("RGBA")
        background = Image.new("RGBA", above.size, "white")
        background.alpha_composite(above)
        opacity = np.asarray(above)[..., 3]
        odd = "partly transparent, blended with white" if opacity.any() else "blank (every pixel is fully transparent)"
        return background.convert("L" if grey else "RGB"), "" if (opacity == 255).all() else odd
    if mode in ("CMYK", "LAB", "HSV"):
        return image.convert("RGB"), f"{mode}, converted to RGB"
    return image.convert("L" if grey else "RGB"), ""


def _resized(image: Image.Image, image_format: ImageFormat) -> Image.Image:
    if image_format.size is None or (image.height, image.width) == image_format.size:
        return image
    height, width = image_format.size
    box = None
    if image_format.crop:
        scale = min(image.height / height, image.width / width)
        left, top = (image.width - width * scale) / 2, (image.height - height * scale) / 2
        box = (left, top, image.width - left, image.height - top)
    return image.resize((width, height), Image.Resampling.BILINEAR, box=box)
