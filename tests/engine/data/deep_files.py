"""Images of 16 bits in the formats that hold them, byte by byte: Pillow writes no colours of 16 bits."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

Pixels = np.ndarray


def png(pixels: Pixels) -> bytes:
    """A PNG of 16 bits: (H, W) grey, (H, W, 2) grey and alpha, (H, W, 3) colours, (H, W, 4) colours and alpha."""
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[1 if pixels.ndim == 2 else pixels.shape[2]]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff(pixels: Pixels, order: str = "<", *, compressed: bool = False) -> bytes:
    """A TIFF of colours (H, W, 3) or colours and alpha (H, W, 4) of 16 bits, in an order of bytes."""
    height, width, channels = pixels.shape
    data = pixels.astype(f"{order}u2").tobytes()
    data = zlib.compress(data) if compressed else data
    data += b"\0" * (len(data) % 2)
    short, long = 3, 4
    tags: list[tuple[int, int, list[int]]] = [
        (256, long, [width]),
        (257, long, [height]),
        (258, short, [16] * channels),
        (259, short, [8 if compressed else 1]),
        (262, short, [2]),
        (273, long, [8]),
        (277, short, [channels]),
        (278, long, [height]),
        (279, long, [len(data)]),
        *([(338, short, [2])] if channels == 4 else []),
    ]
    begin, behind = 8 + len(data), b""
    end = begin + 2 + 12 * len(tags) + 4
    directory = struct.pack(f"{order}H", len(tags))
    for tag, kind, values in tags:
        content = b"".join(struct.pack(order + {short: "H", long: "I"}[kind], value) for value in values)
        if len(content) > 4:
            content, behind = struct.pack(f"{order}I", end + len(behind)), behind + content
        directory += struct.pack(f"{order}HHI", tag, kind, len(values)) + content.ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", begin)
    return head + data + directory + struct.pack(f"{order}I", 0) + behind


def ppm(pixels: Pixels, highest: int) -> bytes:
    """A PGM (H, W) or PPM (H, W, 3) of two bytes a value."""
    kind = "P5" if pixels.ndim == 2 else "P6"
    return f"{kind}\n{pixels.shape[1]} {pixels.shape[0]}\n{highest}\n".encode() + pixels.astype(">u2").tobytes()


def saved(pixels: Pixels, mode: str, file: Path) -> None:
    """By Pillow, in one of its modes: I;16, I;16B, I, F."""
    dtype = {"I;16": "<u2", "I;16B": ">u2", "I": "<i4", "F": "<f4"}[mode]
    content = np.ascontiguousarray(pixels.astype(dtype))
    Image.frombuffer(mode, (pixels.shape[1], pixels.shape[0]), content.tobytes(), "raw", mode, 0, 1).save(file)
