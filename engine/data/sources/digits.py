"""Handwritten digits: the 1,797 scans that scikit-learn carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from engine.data.sources.scikit_learn_file import read_numbers
from engine.data.sources.source import Source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.data.dataset import Dataset
    from engine.data.splits import Split

DARKEST = 16  # a pixel counts the dark points of a 4×4 block of the scan


class Digits(Source):
    """E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998."""

    name: ClassVar[str] = "digits"
    summary: ClassVar[str] = "1,797 scanned handwritten digits of 8×8 grey pixels, in ten classes."
    when: ClassVar[str] = "To see a CNN, or an RNN over rows, learn images within seconds and without a download."

    as_rows: Annotated[bool, Field(description="Each image as a sequence of its 8 rows, for a recurrent network.")] = (
        False
    )

    def load(self, split: Split) -> Dataset:
        """Images (1, 8, 8), or sequences (T=8, F=8) of rows from top to bottom; 0 is white, 1 is black."""
        import numpy as np

        from engine.data.dataset import dataset

        rows = table()
        shape = (-1, 8, 8) if self.as_rows else (-1, 1, 8, 8)
        x = (rows[:, :64].astype(np.float32) / DARKEST).reshape(shape)
        y = rows[:, 64].astype(np.int64)
        return dataset(
            self.name,
            "classification",
            "sequence" if self.as_rows else "image",
            x,
            y,
            split.by_class(y),
            classes=tuple("0123456789"),
        )


def table() -> NDArray[np.uint8]:
    """(N, 65): the 64 pixels of each scan, 0 to 16, and the digit."""
    return read_numbers("digits.csv.gz", "load_digits").astype("uint8")
