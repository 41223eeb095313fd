"""Images in class folders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from engine.data.description import Task
from engine.data.source import Source
from engine.data.tables.settings import Columns as Names
from engine.experiment.document import Data
from engine.experiment.mistakes import Mistake, value_text

if TYPE_CHECKING:
    from engine.data.dataset import Dataset
    from engine.data.splits import Split

Side = Annotated[int, Field(ge=1, le=4096)]


class Images(Source):
    """Class folders in the folder itself, or in its folders train, val and test, which are the parts then.

    PNG, JPEG, WebP, BMP, TIFF and PPM of any size and pixel format. Folders name the classes, in natural order:
    2 before 10.
    """

    name: ClassVar[str] = "images"
    summary: ClassVar[str] = "Your own folder with a folder of images for each class."
    when: ClassVar[str] = "To train on image files in torchvision's ImageFolder layout."

    only_task: ClassVar[Task | None] = "classification"

    path: Annotated[str, Field(min_length=1, description="The folder that contains the class folders.")]
    size: Annotated[
        Side | Annotated[tuple[Side, Side], Field(strict=False)] | None,
        Field(
            description="Size in pixels that each image is resized to: a side, or [height, width]. Left out, all "
            "images must have one size."
        ),
    ] = None
    fit: Annotated[
        Literal["stretch", "crop"],
        Field(description="stretch: the whole image, aspect ratio ignored. crop: the largest centre part that fits."),
    ] = "stretch"
    mode: Annotated[
        Literal["auto", "grey", "colour"],
        Field(description="auto: grey if every image is grey, else RGB."),
    ] = "auto"
    classes: Annotated[Names, Field(description="Class folders to use; left out, all.")] = ()
    exclude: Annotated[
        Names, Field(description="Folders to leave out at any depth: by name, or by path below the folder.")
    ] = ()
    pixel_range: Annotated[
        Annotated[tuple[float, float], Field(strict=False)] | None,
        Field(
            description="For images of more than 8 bits: the values that become black and white. Left out, the lowest "
            "and the highest value in the training part."
        ),
    ] = None
    on_broken: Annotated[
        Literal["refuse", "skip"],
        Field(description="refuse: report files that cannot be used, and stop. skip: report them, and leave them out."),
    ] = "refuse"
    cache: Annotated[
        bool,
        Field(
            description="Save decoded pixels in the cache folder, if they take at most a quarter of the free disk "
            "space and at most 17 GB."
        ),
    ] = True

    def contradictions(self, data: Data) -> list[Mistake]:
        """An empty range."""
        if self.pixel_range is None or self.pixel_range[0] < self.pixel_range[1]:
            return []
        found, expected = f"found {value_text(self.pixel_range)}", "expected a lower and a higher number"
        return [Mistake("data.pixel_range", found, expected, "Write [0, 4095] for 12 bits.")]

    def files(self) -> tuple[str, ...]:
        """The folder and two levels below it, whose times change when images are added or removed (not when edited)."""
        from engine.data.images.folder import watched

        return watched(self.path)

    def load(self, split: Split) -> Dataset:
        """Images (C, H, W) of uint8."""
        from engine.data.images.decoding import ImageFormat
        from engine.data.images.load import load_images

        size = (self.size, self.size) if isinstance(self.size, int) else self.size
        image_format = ImageFormat(size, self.mode, crop=self.fit == "crop", range=self.pixel_range)
        return load_images(
            self.path,
            image_format,
            split,
            only=self.classes,
            exclude=self.exclude,
            skip=self.on_broken == "skip",
            keep=self.cache,
        )
