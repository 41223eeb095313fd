"""Data made by hand, for pictures that must not depend on the running Python's library or on chance."""

from __future__ import annotations

import numpy as np

from engine.data.dataset import dataset
from engine.data.preview import Preview, preview_of
from engine.data.splits import Parts

_TEXTS = (
    ("email", "read and write messages of the internet , with attachments and headers in any character set"),
    ("tkinter", "a window of the screen with its widgets"),
    ("asyncio", "run this coroutine until it is done ; <unknown> what it <unknown>"),
    ("tkinter", "draw a line on the canvas from one point to another and give its number back , so that it can be "
     "moved , hidden or taken away again later on by whoever keeps that number"),
    ("tkinter", "the button that was pressed last"),
    ("email", "the sender"),
    ("tkinter", "whether the mouse is over it"),
    ("tkinter", "put it into the grid of its parent"),
)  # fmt: skip


def texts(texts: tuple[tuple[str, str], ...] = _TEXTS) -> Preview:
    """Short texts with a class each; the last two are for validation."""
    classes = tuple(sorted({label for label, _ in texts}))
    words = ["<padding>", "<unknown>", *sorted({word for _, text in texts for word in text.split()} - {"<unknown>"})]
    numbers = [[words.index(word) for word in text.split()] for _, text in texts]
    longest = max(map(len, numbers))
    count = len(texts)
    return preview_of(
        dataset(
            "stdlib-docs",
            "classification",
            "tokens",
            np.array([row + [0] * (longest - len(row)) for row in numbers], dtype=np.int64),
            np.array([classes.index(label) for label, _ in texts], dtype=np.int64),
            Parts(np.arange(count - 2), np.arange(count - 2, count), np.arange(0)),
            classes=classes,
            lengths=np.array([len(row) for row in numbers], dtype=np.int64),
            vocabulary=tuple(words),
        )
    )


def images(channels: int, height: int, width: int, classes: tuple[str, ...] = ("left", "right")) -> Preview:
    """Two kinds of gradients."""
    ramp = np.linspace(0, 1, width, dtype=np.float32)
    both = np.stack([ramp, ramp[::-1]])
    x = np.broadcast_to(both[:, None, None, :], (2, channels, height, width)).repeat(4, 0).copy()
    y = np.arange(2, dtype=np.int64).repeat(4)
    parts = Parts(np.array([0, 1, 2, 4]), np.array([3, 5, 6, 7]), np.arange(0))
    return preview_of(dataset("images", "classification", "image", x, y, parts, classes=classes))
