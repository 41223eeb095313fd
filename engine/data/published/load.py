"""Load one of torchvision's sets as a dataset, with its published parts.

N images, C channels, H W.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.data.dataset import Dataset, dataset
from engine.data.description import Description
from engine.data.images.decoding import ImageFormat
from engine.data.images.folder import Folder
from engine.data.images.load import data_set_of
from engine.data.published.reading import Part, read_part
from engine.data.published.retrieving import patched_downloads, reason
from engine.data.published.sets import Counts
from engine.data.spans import held_back
from engine.data.splits import Parts, Split
from engine.experiment.mistakes import Mistake, Refused

PartName = str
"""train, validation or test."""
WHERE = "data.root"
REMOVE = "Remove the files of the set to download them again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One of torchvision's sets, with its parameters and its folder."""

    source: str
    torch_name: str
    root: Path
    parts: dict[PartName, dict[str, Any]]
    """Arguments of torchvision's class for each published part, in the order train, validation, test."""
    target: str = ""
    format: ImageFormat | None = None
    """The format that image files are converted to; None for sets that come as arrays."""

    def arguments(self, part: PartName) -> dict[str, Any]:
        """All arguments of torchvision's class for a part."""
        return {"root": str(self.root), **self.parts[part]}


def fetch(published: Published, megabytes: float) -> None:
    """Download what is missing.

    Raises:
        Refused: the download failed, or the files differ from the published ones.
    """
    try:
        published.root.mkdir(parents=True, exist_ok=True)
        with patched_downloads() as failed:
            for part in published.parts:
                try:
                    read_part(published.torch_name, published.arguments(part), published.target, download=True)
                except Exception as error:
                    raise Refused(_not_fetched(published, megabytes, failed[-1] if failed else error)) from None
    except OSError as error:
        found = f"{published.root} cannot be written ({error.strerror or error})"
        raise Refused(Mistake(WHERE, found, "", "Name another folder.", subject=published.source)) from None


def _not_fetched(published: Published, megabytes: float, error: Exception) -> Mistake:
    if isinstance(error, RuntimeError) and "corrupted" in str(error):
        found, expected = "the downloaded file differs from the published one", "its MD5 is different"
        return Mistake(WHERE, found, expected, "Try again later.", subject=published.source)
    return Mistake(
        WHERE,
        f"it could not be downloaded ({reason(error)})",
        f"it is not in {published.root}",
        f"Connect to the network (about {megabytes:,.0f} MB), or set data.root to the folder that torchvision.datasets."
        f"{published.torch_name} uses.",
        subject=published.source,
    )


def load(published: Published, split: Split, *, validate_on_test: bool, use_cache: bool) -> Dataset:
    """Load the dataset. If there is a published validation part, or the test part is used for it, none is drawn.

    Raises:
        Refused: the files are damaged, or differ from the published ones.
    """
    found: dict[PartName, Part] = {}
    for part in published.parts:
        try:
            found[part] = read_part(published.torch_name, published.arguments(part), published.target)
        except Exception as error:  # for damaged files torchvision and its readers may raise any exception
            raise Refused(_unreadable(published, error)) from None
    official: list[PartName] = ["train", "validation", "test"]
    if validate_on_test and "test" in found:
        official = ["train", "test"]
    ordered = [found.get(part) for part in official]
    fixed = [part is not None for part in ordered] + [False]
    labels = np.concatenate([part.labels for part in ordered if part is not None])
    ends = np.cumsum([0 if part is None else len(part.labels) for part in ordered]).tolist()
    ends += [ends[-1]] * (3 - len(ends))
    names = next((part.classes for part in found.values() if part.classes), ())
    classes = names if len(names) > labels.max() else tuple(map(str, range(int(labels.max()) + 1)))
    notes = _notes(official, fixed)
    if published.format is not None:
        folder = _folder(published, classes, [part for part in ordered if part is not None], ends)
        folder.parted = ("train", *("own" if there else "" for there in fixed[1:3]))
        return data_set_of(
            folder,
            published.format,
            split,
            source=published.source,
            where=WHERE,
            mend=REMOVE,
            skip=False,
            keep=use_cache,
            notes=notes,
        )
    pixels = [part.pixels for part in ordered if part is not None and part.pixels is not None]
    x = pixels[0] if len(pixels) == 1 else np.concatenate(pixels)
    parts = split.beside(ends, validation=fixed[1], test=fixed[2], labels=labels)
    return dataset(
        published.source,
        "classification",
        "image",
        np.ascontiguousarray(x),
        labels,
        parts,
        classes=classes,
        notes=notes,
    )


def _unreadable(published: Published, error: Exception) -> Mistake:
    text = " ".join(str(error).split()).rstrip(".")[:120]
    said = (
        text if isinstance(error, RuntimeError) else f"{type(error).__name__}: {text}" if text else type(error).__name__
    )
    return Mistake(
        WHERE,
        f"its files in {published.root} are not the published ones",
        f"torchvision reports: {said}",
        REMOVE,
        subject=published.source,
    )


def _notes(official: Sequence[PartName], fixed: Sequence[bool]) -> tuple[str, ...]:
    if official[1] == "test":
        return ("The validation part is the published test part, so its scores are no longer test scores.",)
    notes = []
    if fixed[1]:
        notes.append("The validation part is the published one; data.validation is not used.")
    if fixed[2]:
        notes.append("The test part is the published one; data.test is not used.")
    return tuple(notes)


def _folder(published: Published, classes: tuple[str, ...], parts: list[Part], ends: list[int]) -> Folder:
    """The files of all parts, as a folder of images."""
    root = os.path.abspath(published.root)
    folder = Folder(root, classes=classes, ends=ends)
    for part in parts:
        for file, label in zip(part.files, part.labels.tolist(), strict=True):
            try:
                status = os.stat(file)
                stamp = (status.st_size, status.st_mtime_ns)
            except OSError:
                stamp = (0, 0)  # a missing file is reported when it is decoded
            folder.names.append(os.path.relpath(file, root))
            folder.stamps.append(stamp)
            folder.labels.append(label)
    return folder


def outline(
    published: Published,
    split: Split,
    *,
    shape: tuple[int, int, int],
    classes: int,
    samples: Counts,
    validate_on_test: bool,
) -> Dataset:
    """Describe the dataset without its files: two black images, and the description of the whole."""
    own_validation = samples.test if validate_on_test else samples.validation
    own_test = 0 if validate_on_test else samples.test
    train = samples.train
    test = own_test or held_back(train, split.test)
    if own_validation:
        validation = own_validation
    elif split.fold is not None:
        validation = (train - (0 if own_test else test)) // split.fold.folds
    else:
        validation = held_back(train, split.validation)
    drawn = (0 if own_validation else validation) + (0 if own_test else test)
    empty = np.empty(0, dtype=np.int64)
    labels_bytes = empty.itemsize
    black = np.zeros((2, *shape), dtype=np.uint8)
    small = dataset(
        published.source,
        "classification",
        "image",
        black,
        np.arange(2),
        Parts(np.arange(2), empty, empty),
        classes=tuple(map(str, range(classes))),
    )
    description: Description = replace(
        small.description,
        train_samples=train - drawn,
        val_samples=validation,
        test_samples=test,
        bytes=sum(samples) * (int(np.prod(shape)) + labels_bytes),
        notes=("This is known before the download; classes are numbered until then.",),
    )
    return replace(small, description=description)
