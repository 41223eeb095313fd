"""Your own images: a folder with a folder for each class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from engine.data.description import Task
from engine.data.sources.source import Source
from engine.data.sources.table import Columns as Names
from engine.experiment.document import Data
from engine.experiment.mistakes import Mistake, value_text

if TYPE_CHECKING:
    from engine.data.dataset import Dataset
    from engine.data.splits import Split

Side = Annotated[int, Field(ge=1, le=4096)]


class Images(Source):
    """Class folders in the folder itself, or in folders train, val and test of it, which then are the parts.

    PNG, JPEG, WebP, BMP, TIFF and PPM, of any size and kind of pixel. Classes are named by their folders, in natural
    order: 2 before 10.
    """

    name: ClassVar[str] = "images"
    summary: ClassVar[str] = "A folder of your own that has a folder of images for each class."
    when: ClassVar[str] = "To train on pictures as they lie on a disk: torchvision's ImageFolder layout."

    only_task: ClassVar[Task | None] = "classification"

    path: Annotated[str, Field(min_length=1, description="The folder that the class folders lie in.")]
    size: Annotated[
        Side | Annotated[tuple[Side, Side], Field(strict=False)] | None,
        Field(
            description="Pixels that each image is brought to: a side, or [height, width]. Left out, all images must "
            "have one size."
        ),
    ] = None
    fit: Annotated[
        Literal["stretch", "crop"],
        Field(description="stretch: the whole image, whatever its proportions. crop: as much of its middle as fits."),
    ] = "stretch"
    mode: Annotated[
        Literal["auto", "grey", "colour"],
        Field(description="auto: grey if every image is grey, else red, green and blue."),
    ] = "auto"
    classes: Annotated[Names, Field(description="Class folders to take; left out, all.")] = ()
    exclude: Annotated[
        Names, Field(description="Folders to leave out wherever they lie: by name, or by path below the folder.")
    ] = ()
    pixel_range: Annotated[
        Annotated[tuple[float, float], Field(strict=False)] | None,
        Field(
            description="Of images of more than 8 bits: the two values that become black and white. Left out, the "
            "lowest and the highest value in the training part."
        ),
    ] = None
    on_broken: Annotated[
        Literal["refuse", "skip"],
        Field(description="refuse: say what cannot be used, and do nothing. skip: say it, and leave it out."),
    ] = "refuse"
    cache: Annotated[
        bool,
        Field(
            description="Keep decoded pixels in the cache folder, if they take at most a quarter of what is free on "
            "its disk and no more than 17 GB."
        ),
    ] = True

    def contradictions(self, data: Data) -> list[Mistake]:
        """A range without an extent."""
        if self.pixel_range is None or self.pixel_range[0] < self.pixel_range[1]:
            return []
        found, expected = f"found {value_text(self.pixel_range)}", "expected a lower and a higher number"
        return [Mistake("data.pixel_range", found, expected, "Write [0, 4095] for 12 bits.")]

    def files(self) -> tuple[str, ...]:
        """The folder and two levels below it: an image that comes or goes there is seen, one that changes is not."""
        from engine.data.images.folder import watched

        return watched(self.path)

    def load(self, split: Split) -> Dataset:
        """Images (C, H, W) of uint8."""
        from engine.data.images.decoding import Wanted
        from engine.data.images.load import load_images

        size = (self.size, self.size) if isinstance(self.size, int) else self.size
        wanted = Wanted(size, self.mode, crop=self.fit == "crop", range=self.pixel_range)
        return load_images(
            self.path,
            wanted,
            split,
            only=self.classes,
            exclude=self.exclude,
            skip=self.on_broken == "skip",
            keep=self.cache,
        )
