"""Images that are decoded from their files on access.

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

from engine.data.images.decoding import ImageFormat, decode
from engine.data.images.faults import Broken
from engine.data.images.folder import Folder, shown
from engine.data.samples import Indexed
from engine.experiment.mistakes import Mistake, Refused


@dataclass(frozen=True, slots=True, eq=False)
class ImageFiles(Indexed):
    """Samples in image files; memory holds only their names. It can be pickled for other processes."""

    root: str
    names: bytes
    """Concatenated paths below the root."""
    ends: NDArray[np.int64]
    """(N,) the end of each name."""
    image_format: ImageFormat
    """A format with a fixed size and mode."""

    @classmethod
    def of(cls, folder: Folder, rows: NDArray[np.int64], image_format: ImageFormat) -> ImageFiles:
        """Some of the files of a folder."""
        names = [os.fsencode(folder.names[i]) for i in rows]
        ends = np.cumsum(np.fromiter(map(len, names), np.int64, len(names)))
        return cls(folder.root, b"".join(names), ends, image_format)

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, H, W)."""
        assert self.image_format.size is not None
        return (len(self.ends), 1 if self.image_format.mode == "grey" else 3, *self.image_format.size)

    @property
    def dtype(self) -> torch.dtype:
        """Pixels are bytes."""
        return torch.uint8

    @property
    def nbytes(self) -> int:
        """Bytes of all decoded images."""
        return prod(self.shape)

    def gather(self, indices: Tensor) -> Tensor:
        """The images of these indices, (M, C, H, W).

        Raises:
            Refused: a file has changed since the folder was checked.
        """
        _, channels, height, width = self.shape
        images = np.empty((len(indices), height, width, channels), dtype=np.uint8)
        for image, index in zip(images, indices.tolist(), strict=True):
            image[:] = self._decoded(index).reshape(image.shape)
        return torch.from_numpy(images).permute(0, 3, 1, 2)

    def to(self, device: str) -> Tensor:
        """All decoded images on a device."""
        return self.gather(torch.arange(len(self))).to(device)

    def _decoded(self, index: int) -> NDArray[np.uint8]:
        begin = int(self.ends[index - 1]) if index else 0
        name = os.fsdecode(self.names[begin : int(self.ends[index])])
        try:
            return decode(os.path.join(self.root, name), self.image_format).pixels
        except Broken as broken:
            fix = "Restore the file, or start again."
            raise Refused(Mistake("data.path", broken.found, broken.expected, fix, subject=shown(name))) from None
