"""The digits as the colour images of 3×32×32 that tutorials begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from engine.data.sources.digits import DARKEST, table
from engine.data.sources.source import Source

if TYPE_CHECKING:
    from engine.data.dataset import Dataset
    from engine.data.splits import Split

SIDE = 32


class DigitsRGB(Source):
    """The scans of `digits`, enlarged, each in an ink and on a paper of its own colour."""

    name: ClassVar[str] = "digits-rgb"
    summary: ClassVar[str] = "The 1,797 digits as colour images of 32×32 pixels, in random inks on random papers."
    when: ClassVar[str] = "To try a CNN for CIFAR-10's shape offline; the colours say nothing about the class."

    def load(self, split: Split) -> Dataset:
        """Images (3, 32, 32) between 0 and 1. The colours are drawn by the seed, dark ink on light paper."""
        import numpy as np

        from engine.data.dataset import dataset

        rows = table()
        y = rows[:, 64].astype(np.int64)
        ink = rows[:, :64].reshape(-1, 1, 8, 8).astype(np.float32) / DARKEST
        ink = ink.repeat(SIDE // 8, axis=2).repeat(SIDE // 8, axis=3)
        colours = np.random.default_rng(split.seed)
        paper = colours.uniform(0.6, 1.0, (len(y), 3, 1, 1)).astype(np.float32)
        pen = colours.uniform(0.0, 0.4, (len(y), 3, 1, 1)).astype(np.float32)
        x = paper + ink * (pen - paper)
        parts = split.by_class(y)
        return dataset(self.name, "classification", "image", x, y, parts, classes=tuple("0123456789"))
