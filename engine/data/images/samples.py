"""Images that stay in their files, and are decoded when they are asked for.

N images, C channels, H W.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.data.images.decoding import Wanted, decode
from engine.data.images.faults import Broken
from engine.data.images.folder import Folder, shown
from engine.data.samples import Indexed
from engine.experiment.mistakes import Mistake, Refused


@dataclass(frozen=True, slots=True, eq=False)
class ImageFiles(Indexed):
    """Samples that are files; of each only its name is in memory. Goes to other processes by pickle."""

    root: str
    names: bytes
    """One behind the other, below the root."""
    ends: NDArray[np.int64]
    """(N,) where each name ends."""
    wanted: Wanted
    """With a size and a mode that leave nothing open."""

    @classmethod
    def of(cls, folder: Folder, rows: NDArray[np.int64], wanted: Wanted) -> ImageFiles:
        """Some of the files of a folder."""
        names = [os.fsencode(folder.names[i]) for i in rows]
        ends = np.cumsum(np.fromiter(map(len, names), np.int64, len(names)))
        return cls(folder.root, b"".join(names), ends, wanted)

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, H, W)."""
        assert self.wanted.size is not None
        return (len(self.ends), 1 if self.wanted.mode == "grey" else 3, *self.wanted.size)

    @property
    def dtype(self) -> torch.dtype:
        """Pixels are bytes."""
        return torch.uint8

    @property
    def nbytes(self) -> int:
        """Of all images, decoded."""
        return prod(self.shape)

    def gather(self, indices: Tensor) -> Tensor:
        """The images of these indices, (M, C, H, W).

        Raises:
            Refused: a file is not what it was when the folder was looked at.
        """
        _, channels, height, width = self.shape
        images = np.empty((len(indices), height, width, channels), dtype=np.uint8)
        for image, index in zip(images, indices.tolist(), strict=True):
            image[:] = self._decoded(index).reshape(image.shape)
        return torch.from_numpy(images).permute(0, 3, 1, 2)

    def to(self, device: str) -> Tensor:
        """All of them, decoded, on a device."""
        return self.gather(torch.arange(len(self))).to(device)

    def _decoded(self, index: int) -> NDArray[np.uint8]:
        begin = int(self.ends[index - 1]) if index else 0
        name = os.fsdecode(self.names[begin : int(self.ends[index])])
        try:
            return decode(os.path.join(self.root, name), self.wanted).pixels
        except Broken as broken:
            fix = "Put it back as it was, or begin again."
            raise Refused(Mistake("data.path", broken.found, broken.expected, fix, subject=shown(name))) from None
