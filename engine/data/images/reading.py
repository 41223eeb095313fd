"""Check every image of a folder in one pass and cache the result: the next time, the folder is only listed.

Decoded pixels are saved if they fit, as one file of N images (H, W, C) of bytes, which is memory-mapped. C is 1 for
grey and 3 for RGB.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import PIL
from numpy.typing import NDArray

from engine.data.cache import cache_folder, read_cached, save_cached
from engine.data.images.decoding import Decoded, ImageFormat, OtherSize, Pixels, Size, decode
from engine.data.images.deep import Depth
from engine.data.images.faults import Broken
from engine.data.images.folder import Folder
from engine.data.parallel_map import parallel_map
from engine.data.progress import progress
from engine.machine import machine

NAME = "images"
VERSION = 2
"""Incremented when decoding gives other pixels than before."""
CACHE_SHARE = 0.25
CACHE_BYTES = 16 * 2**30
"""Decoded pixels are saved if they take at most this share of the free disk space, and at most this many bytes."""
AT_ONCE_BYTES = 8 * 2**20
AT_ONCE = 256
"""A thread decodes a chunk of images of at most this many bytes, and at most this many images."""
STALE_S = 24 * 3600
"""Age at which unfinished files of killed programs are removed."""


@dataclass(slots=True)
class Found:
    """The result of the pass."""

    size: Size | None
    """The size of every image; None if no image can be used, or sizes differ."""
    channels: int
    faults: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Found and expected, by the number of the file."""
    odd: dict[int, str] = field(default_factory=dict)
    depths: dict[int, Depth] = field(default_factory=dict)
    """The depth of images of more than 8 bits a channel."""
    constant: list[int] = field(default_factory=list)
    """Images of a single colour."""
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    """If sizes differ but must not: the count and the first image of each size."""
    pixels: str = ""
    """The file of pixels in the cache folder, with a row for each usable image; empty if there is none."""
    why_not: str = ""
    """Why there is no file of pixels."""

    def rows(self, files: int) -> NDArray[np.int64]:
        """Numbers of the usable files: row i of the pixels is file rows[i]."""
        return np.setdiff1d(np.arange(files, dtype=np.int64), np.fromiter(self.faults, np.int64, len(self.faults)))


def look_at(folder: Folder, image_format: ImageFormat, *, keep: bool) -> Found:
    """Decode every file, or read the cached result.

    Args:
        keep: whether decoded pixels may be saved.
    """
    # One file of pixels for each folder and format: pixels of another range replace these.
    way = _as_json(image_format)
    key = {"root": folder.root, "wanted": way | {"range": True} if image_format.range else way, "keep": keep}
    listing = fingerprint(folder, image_format)
    kept = read_cached(NAME, key)
    if kept is not None and kept["listing"] == listing:
        found = _found(kept["found"])
        if not found.pixels or _is_whole(found, len(folder.names)):
            return found
    found = _pass(folder, image_format, f"{NAME}-{listing[:32]}.pixels" if keep else "")
    save_cached(NAME, key, {"listing": listing, "found": asdict(found)})
    if kept is not None and (before := kept["found"]["pixels"]) not in ("", found.pixels):
        with suppress(OSError):
            (cache_folder() / Path(before).name).unlink()
    return found


def mapped(found: Found, files: int) -> NDArray[np.uint8]:
    """The saved pixels (N, H, W, C), memory-mapped; writing to the array does not change the file."""
    assert found.size is not None
    shape = (len(found.rows(files)), *found.size, found.channels)
    return np.memmap(cache_folder() / found.pixels, dtype=np.uint8, mode="c", shape=shape)


def size_of(text: str) -> Size:
    """A size from a key of `sizes`."""
    height, _, width = text.partition(",")
    return int(height), int(width)


def fingerprint(folder: Folder, image_format: ImageFormat) -> str:
    """A hash that identifies the pixels of a folder's current files in one format."""
    digest = hashlib.sha256(json.dumps([VERSION, PIL.__version__, folder.root, _as_json(image_format)]).encode())
    for name, (bytes_, changed) in zip(folder.names, folder.stamps, strict=True):
        digest.update(f"{name}\0{bytes_}\0{changed}\0".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _as_json(image_format: ImageFormat) -> dict[str, Any]:
    # Defaults are left out, so that results of older versions are found and replaced.
    usual = {"range": None, "sixteen": False, "upper": False}
    asked = {**asdict(image_format), "size": image_format.size and list(image_format.size)}
    return {name: value for name, value in asked.items() if name not in usual or value != usual[name]}


def _found(kept: dict[str, Any]) -> Found:
    by_number = {name: {int(i): value for i, value in kept[name].items()} for name in ("faults", "odd")}
    by_number["depths"] = {int(i): Depth(**{**d, "most": tuple(d["most"])}) for i, d in kept["depths"].items()}
    size = tuple(kept["size"]) if kept["size"] else None
    return Found(**{**kept, **by_number, "size": size})


def _is_whole(found: Found, files: int) -> bool:
    assert found.size is not None
    bytes_ = (files - len(found.faults)) * found.size[0] * found.size[1] * found.channels
    with suppress(OSError):
        return (cache_folder() / found.pixels).stat().st_size == bytes_
    return False


def _pass(folder: Folder, image_format: ImageFormat, name: str) -> Found:
    """Decode all files in order. Memory holds only the images that a few threads are decoding."""
    found = Found(size=None, channels=3 if image_format.mode == "colour" else 1)
    sizes: Counter[Size] = Counter()
    first: dict[Size, int] = {}
    file = None
    total = len(folder.names)
    try:
        for index, got in enumerate(_decoded(folder, image_format)):
            if isinstance(got, Decoded):
                size = got.pixels.shape[:2]
                if found.size is None:
                    found.size = size
                    file = _opened(found, total, size, image_format, name)
                if got.odd:
                    found.odd[index] = got.odd
                if _is_constant(got.pixels):
                    found.constant.append(index)
                if got.depth is not None:
                    found.depths[index] = got.depth
                    if image_format.range is None and file is not None:
                        file.close()  # its pixels are not scaled by the range of the training part
                        file = None
                found.channels = max(found.channels, 3 if got.pixels.ndim == 3 else 1)
                if file is not None and not file.add(got.pixels):
                    found.why_not, file = "its disk is full", None
            elif isinstance(got, OtherSize):
                size = got.size
            else:
                found.faults[index] = (got.found, got.expected)
                size = None
            if size is not None and image_format.size is None:
                sizes[size] += 1
                first.setdefault(size, index)
        if len(sizes) > 1:
            found.sizes = {f"{h},{w}": (count, first[h, w]) for (h, w), count in sizes.most_common()}
        elif file is not None and file.keep(name):
            found.pixels = name
        elif file is not None:
            found.why_not = "its disk is full"
    finally:
        if file is not None:
            file.close()
    return found


def _is_constant(pixels: Pixels) -> bool:
    first = pixels[:1, :1]
    return bool((pixels[0] == first[0]).all() and (pixels == first).all())  # most images differ in the first row


def _decoded(folder: Folder, image_format: ImageFormat) -> Iterator[Decoded | Broken]:
    """Decode each file in order, in threads, since Pillow releases the interpreter lock."""
    total = len(folder.names)
    must_be: Size | None = None
    at = 0
    got: Decoded | Broken
    while at < total:  # the first usable image sets the size of all
        got = _one(folder.path(at), image_format, None)
        at += 1
        yield got
        progress("Checking images", at, total)
        if isinstance(got, Decoded):
            must_be = got.pixels.shape[:2] if image_format.size is None else None
            break
    else:
        return
    step = max(1, min(AT_ONCE, AT_ONCE_BYTES // (got.pixels.shape[0] * got.pixels.shape[1] * 3)))

    def some(begin: int) -> list[Decoded | Broken]:
        return [_one(folder.path(i), image_format, must_be) for i in range(begin, min(begin + step, total))]

    for few in parallel_map(some, range(at, total, step)):
        yield from few
        at += len(few)
        progress("Checking images", at, total)


def _one(file: str, image_format: ImageFormat, must_be: Size | None) -> Decoded | Broken:
    try:
        return decode(file, image_format, must_be=must_be)
    except Broken as broken:
        return broken


def _opened(found: Found, total: int, size: Size, image_format: ImageFormat, name: str) -> _PixelFile | None:
    """Open the file of pixels, if it is allowed and fits."""
    if not name:
        found.why_not = "data.cache is false"
        return None
    bytes_ = total * size[0] * size[1] * (1 if image_format.mode == "grey" else 3)
    try:
        folder = cache_folder()
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        _remove_stale(folder)
        free = machine().free_disk(folder)
        if bytes_ > min(CACHE_BYTES, CACHE_SHARE * free):
            found.why_not = (
                f"they take {bytes_ / 1e9:,.1f} GB; the limit is {CACHE_SHARE:.0%} of the {free / 1e9:,.1f} GB "
                f"that are free on its disk, and {CACHE_BYTES / 1e9:,.0f} GB"
            )
            return None
        return _PixelFile(folder, found.channels)
    except OSError as error:
        found.why_not = f"the cache folder cannot be written ({error.strerror or error})"
        return None


def _remove_stale(folder: Path) -> None:
    for aside in folder.glob(f".{NAME}-*.part"):
        with suppress(OSError):
            if time.time() - aside.stat().st_mtime > STALE_S:
                aside.unlink()


class _PixelFile:
    """Consecutive images in a temporary file, which is renamed once it is complete."""

    def __init__(self, folder: Path, channels: int) -> None:
        self._folder = folder
        self._channels = channels
        self._out, self._path = self._aside()

    def add(self, pixels: Pixels) -> bool:
        """Write an image; on a full disk, delete the file and return False."""
        try:
            if pixels.ndim == 3 and self._channels == 1:
                self._widen()
            if pixels.ndim == 2 and self._channels == 3:
                pixels = np.repeat(pixels[:, :, None], 3, axis=2)
            self._out.write(pixels.tobytes())
        except OSError:
            self.close()
            return False
        return True

    def _widen(self) -> None:
        """Convert the images so far from grey to three equal channels."""
        grey, path = self._out, self._path
        self._out, self._path = self._aside()
        self._channels = 3
        with grey:
            os.unlink(path)
            grey.seek(0)
            while block := grey.read(1 << 20):
                self._out.write(np.repeat(np.frombuffer(block, np.uint8), 3).tobytes())

    def keep(self, name: str) -> bool:
        """Rename the file to its final name."""
        try:
            self._out.flush()
            os.replace(self._path, self._folder / name)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close and delete the temporary file, unless it was renamed."""
        with suppress(OSError):
            self._out.close()
        with suppress(OSError):
            os.unlink(self._path)

    def _aside(self) -> tuple[IO[bytes], str]:
        handle, path = tempfile.mkstemp(dir=self._folder, prefix=f".{NAME}-", suffix=".part")  # 0600
        return os.fdopen(handle, "w+b", buffering=1 << 20), path
