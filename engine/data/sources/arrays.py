"""Arrays of an .npz file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from engine.data.source import Source

if TYPE_CHECKING:
    from engine.data.dataset import Dataset
    from engine.data.splits import Split


class Arrays(Source):
    """x is (N, F), (N, T, F), (N, C, H, W) or (N, H, W, C) numbers, or (N, T) whole numbers for tokens.

    y is (N,) whole numbers from 0 for classes, or (N,) or (N, outputs) fractional numbers for regression.
    If the file has x_val and y_val, they are the validation part and `validation` is not used.
    """

    name: ClassVar[str] = "arrays"
    summary: ClassVar[str] = "The arrays x and y of your own .npz file."
    when: ClassVar[str] = "To train on any NumPy arrays: images, sequences, tokens or rows of a table."

    endings: ClassVar[tuple[str, ...]] = (".npz",)

    path: Annotated[str, Field(min_length=1, description="The .npz file, saved by numpy.savez(path, x=x, y=y).")]

    channels: Annotated[
        Literal["auto", "first", "last"],
        Field(
            description="The axis of an image's channels. first: (N, C, H, W). last: (N, H, W, C). auto: "
            "first, but arrays that look like last are refused."
        ),
    ] = "auto"
    task: Annotated[
        Literal["auto", "classification", "regression"],
        Field(
            description="What y holds. auto: what the loss expects; otherwise integers are classes and floats are "
            "numbers to predict. classification: classes, also as floats or one-hot."
        ),
    ] = "auto"

    def load(self, split: Split) -> Dataset:
        """Load x and y as the class describes; float arrays become float32, uint8 images stay uint8."""
        from engine.data.arrays import load_arrays

        return load_arrays(self.path, split, channels=self.channels, task=self.task)
