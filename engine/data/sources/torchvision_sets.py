"""torchvision's sets of labelled images as sources; `engine.data.published.sets` lists them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, create_model

from engine import user_folders
from engine.data.cache import cache_folder
from engine.data.published.sets import PUBLISHED_SETS, Counts, PublishedSet, Variant
from engine.data.source import Source
from engine.data.sources.images import Side
from engine.experiment.document import Data
from engine.experiment.mistakes import Mistake, Refused
from engine.user_folders import expanded

if TYPE_CHECKING:
    from engine.data.dataset import Dataset
    from engine.data.images.decoding import ImageFormat
    from engine.data.published.load import Published
    from engine.data.splits import Split

FOLDER = "datasets"
_SIZE = Side | Annotated[tuple[Side, Side], Field(strict=False)]
_SIZE_HELP = "Size in pixels that each image is resized to: a side, or [height, width]."


class TorchvisionSet(Source):
    """A set that torchvision can download. Published parts are used as published: the test part is the test part."""

    published: ClassVar[PublishedSet]

    root: Annotated[
        str | None,
        Field(
            min_length=1,
            description="The folder in which torchvision stores it; left out, datasets in torchdeck's cache folder.",
        ),
    ] = None
    download: Annotated[bool, Field(description="Download it before a run starts, if it is missing.")] = True
    validation_from: Annotated[
        Literal["train", "test"],
        Field(
            description="train: the validation part is drawn from the training part, or is the published one. "
            "test: it is the test part, as with validation = 0; there is no test part then."
        ),
    ] = "train"

    @classmethod
    def at_hand(cls) -> bool:
        """False: it has to be downloaded."""
        return False

    def files(self) -> tuple[str, ...]:
        """Paths that exist once the set is downloaded."""
        folder = self._folder()
        names = self._variant().files or self.published.files
        return tuple(str(folder / name) for name in names)

    def to_download(self) -> str:
        """A sentence that describes the download; empty if the set is on disk."""
        if all(map(os.path.exists, self.files())):
            return ""
        return f"Downloading {self.name}, about {self.published.megabytes:,.0f} MB, to {self._folder()}"

    def contradictions(self, data: Data) -> list[Mistake]:
        """A set that is missing and may not be downloaded."""
        if self.download or not self.to_download():
            return []
        found = f"{self.name} is not in {self._folder()}, and data.download is false"
        return [Mistake("data.root", found, "", "Set data.download = true, or name the folder that contains it.")]

    def fetch(self) -> None:
        """Download what is missing.

        Raises:
            Refused: the download failed.
        """
        from engine.data.published.load import fetch

        fetch(self._published(), self.published.megabytes)

    def load(self, split: Split) -> Dataset:
        """Images (C, H, W) of uint8."""
        from engine.data.published.load import load

        if self.to_download():
            found = f"{self.name} is not in {self._folder()} yet"
            size = f"{self.published.megabytes:,.0f} MB"
            fix = f"`torchdeck data {self.name}` downloads it (about {size}), as a run does."
            raise Refused(Mistake("data.root", found, "", fix))
        return load(
            self._published(), split, validate_on_test=self._validates_on_test(split), use_cache=self._uses_cache()
        )

    def outline(self, split: Split) -> Dataset:
        """What is known before it is downloaded."""
        from engine.data.published.load import outline

        return outline(
            self._published(),
            split,
            shape=self._shape(),
            classes=self._variant().classes or self.published.classes,
            samples=self._samples(),
            validate_on_test=self._validates_on_test(split),
        )

    def homeless(self) -> list[Mistake]:
        """Without `root`, the cache folder is required."""
        if self.root is not None or user_folders.cache_folder() is not None:
            return []
        found = f"there is no folder to download to: {user_folders.NO_HOME}"
        return [Mistake("data.root", found, "", "Set data.root to a folder: --set data.root=FOLDER.")]

    def _variant(self) -> Variant:
        option = self.published.option
        return option.variants.get(getattr(self, option.name), Variant()) if option is not None else Variant()

    def _samples(self) -> Counts:
        return self._variant().samples or self.published.samples

    def _shape(self) -> tuple[int, int, int]:
        """(C, H, W) of an image."""
        return self.published.shape or (3, self.published.size, self.published.size)

    def _uses_cache(self) -> bool:
        return True

    def _format(self) -> ImageFormat | None:
        """The format that image files are converted to; None for sets that come as arrays."""
        return None

    def _validates_on_test(self, split: Split) -> bool:
        if "test" not in self.published.parts:
            return False
        return self.validation_from == "test" or (split.validation == 0 and split.fold is None)

    def _folder(self) -> Path:
        return expanded(self.root) if self.root is not None else cache_folder() / FOLDER

    def _published(self) -> Published:
        from engine.data.published.load import Published

        option = self.published.option
        chosen = {option.argument: getattr(self, option.name)} if option is not None and option.argument else {}
        return Published(
            source=self.name,
            torch_name=self.published.torch_name,
            root=self._folder(),
            parts={part: {**chosen, **arguments} for part, arguments in self.published.parts.items()},
            target=self._variant().target,
            format=self._format(),
        )


class TorchvisionFiles(TorchvisionSet):
    """A set of image files of different sizes, which are resized to one."""

    size: Annotated[_SIZE, Field(description=_SIZE_HELP)] = 224
    fit: Annotated[
        Literal["stretch", "crop"],
        Field(description="stretch: the whole image, aspect ratio ignored. crop: the largest centre part that fits."),
    ] = "stretch"
    cache: Annotated[
        bool, Field(description="Save decoded pixels in the cache folder, under the same limits as those of images.")
    ] = True

    def _shape(self) -> tuple[int, int, int]:
        height, width = (self.size, self.size) if isinstance(self.size, int) else self.size
        return (3, height, width)

    def _uses_cache(self) -> bool:
        return self.cache

    def _format(self) -> ImageFormat:
        from engine.data.images.decoding import ImageFormat

        return ImageFormat(self._shape()[1:], "colour", crop=self.fit == "crop")


def source_of(row: PublishedSet) -> type[TorchvisionSet]:
    """The source that a row of the table declares."""
    fields: dict[str, Any] = {}
    if row.shape is None:
        fields["size"] = (Annotated[_SIZE, Field(description=_SIZE_HELP)], row.size)
    if (option := row.option) is not None:
        fields[option.name] = (Annotated[option.annotation, Field(description=option.description)], option.default)
    base = TorchvisionSet if row.shape is not None else TorchvisionFiles
    source = create_model(row.torch_name, __base__=base, __doc__=row.reference, __module__=__name__, **fields)
    source.name, source.summary, source.when, source.published = row.name, row.summary, row.when, row
    return source


TORCHVISION_SETS: tuple[type[TorchvisionSet], ...] = tuple(map(source_of, PUBLISHED_SETS))
