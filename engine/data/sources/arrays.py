"""Your own arrays, from an .npz file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from engine.data.sources.source import Source

if TYPE_CHECKING:
    from engine.data.dataset import Dataset
    from engine.data.splits import Split


class Arrays(Source):
    """x is (N, F), (N, T, F), (N, C, H, W) or (N, H, W, C) numbers, or (N, T) whole numbers for tokens.

    y is (N,) whole numbers from 0 for classes, or (N,) or (N, outputs) fractional numbers for regression.
    With x_val and y_val in the file these are the validation part, and `validation` is not used.
    """

    name: ClassVar[str] = "arrays"
    summary: ClassVar[str] = "The arrays x and y of an .npz file of your own."
    when: ClassVar[str] = "To train on anything that NumPy can hold: images, sequences, tokens or rows of a table."

    endings: ClassVar[tuple[str, ...]] = (".npz",)

    path: Annotated[str, Field(min_length=1, description="The .npz file, saved by numpy.savez(path, x=x, y=y).")]

    channels: Annotated[
        Literal["auto", "first", "last"],
        Field(
            description="Which axis of images holds their channels. first: (N, C, H, W). last: (N, H, W, C). auto: "
            "first, but what looks like last is refused."
        ),
    ] = "auto"
    task: Annotated[
        Literal["auto", "classification", "regression"],
        Field(
            description="What y is for. auto: what the loss is for, else classes where y holds integers and numbers to "
            "predict where it holds floats. classification: classes, also as floats or one-hot."
        ),
    ] = "auto"

    def load(self, split: Split) -> Dataset:
        """As the class says; fractional numbers as float32, images of uint8 as they are."""
        from engine.data.arrays import load_arrays

        return load_arrays(self.path, split, channels=self.channels, task=self.task)
