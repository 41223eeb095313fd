"""Load a dataset from a folder of class folders: unusable files are refused or left out, the rest is split."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.data.dataset import Dataset, dataset
from engine.data.images.decoding import ImageFormat, pixels_text
from engine.data.images.folder import NAMED, TEST, VALIDATION, WHERE, Folder, left_out_notes, listed, shown
from engine.data.images.ranges import range_note, range_warnings, used_range
from engine.data.images.reading import Found, fingerprint, look_at, mapped, size_of
from engine.data.images.samples import ImageFiles
from engine.data.splits import Indices, Parts, Split
from engine.experiment.mistakes import Mistake, Refused, put
from engine.printable import is_printable

MEND = 'Fix or remove it, or set data.on_broken = "skip".'


def load_images(
    path: str,
    image_format: ImageFormat,
    split: Split,
    *,
    only: tuple[str, ...],
    exclude: tuple[str, ...],
    skip: bool,
    keep: bool,
) -> Dataset:
    """Load the dataset of a folder.

    Args:
        only: the class folders to use; empty for all.
        exclude: folders that are left out.
        skip: whether unusable files are left out instead of refused.
        keep: whether decoded pixels may be saved in the cache folder.

    Raises:
        Refused: with every file that cannot be used, or a mistake in the folder.
    """
    folder = listed(path, only=only, exclude=exclude, recorded=split.recorded.classes)
    notes = [
        f"The {part} part is the folder {name}; data.{part} is not used."
        for part, name in zip(("validation", "test"), folder.parted[1:], strict=True)
        if name
    ]
    return data_set_of(
        folder, image_format, split, source="images", where=WHERE, mend=MEND, skip=skip, keep=keep, notes=notes
    )


def data_set_of(
    folder: Folder,
    image_format: ImageFormat,
    split: Split,
    *,
    source: str,
    where: str,
    mend: str,
    skip: bool,
    keep: bool,
    notes: Iterable[str],
) -> Dataset:
    """Load the dataset of listed files.

    Args:
        where: the field of the document that mistakes name.
        mend: a sentence on how to fix a file that cannot be used.

    Raises:
        Refused: with every file that cannot be used.
    """
    image_format = replace(image_format, upper=split.recorded.rules == 1)
    found = look_at(folder, image_format, keep=keep)
    if found.depths and len(found.depths) < len(found.rows(len(folder.names))):
        image_format = replace(image_format, sixteen=True)
        if not all(depth.is_sixteen for depth in found.depths.values()):
            found = look_at(folder, image_format, keep=keep)
    faults = _faults(folder, found)
    mistakes = [] if skip else [Mistake(where, *fault[1:], mend, subject=fault[0]) for fault in faults[:NAMED]]
    if not skip and len(faults) > NAMED:
        mistakes.append(Mistake(where, f"{len(faults) - NAMED:,} more files and folders cannot be used", "", mend))
    if found.sizes:
        mistakes.append(_sizes_differ(folder, found))
    if mistakes:
        raise Refused(mistakes)

    rows = found.rows(len(folder.names))
    labels = np.asarray(folder.labels, dtype=np.int64)[rows]
    ends = np.searchsorted(rows, folder.ends).tolist()
    # If files are skipped, a class may have no training image left.
    classes = np.unique(labels[: ends[0]]) if skip else np.arange(len(folder.classes))
    if len(classes) < 2 or not ends[0]:
        left = f"{ends[0]:,} images of {len(classes)} classes can be used"
        named = "; ".join(_clause(*fault) for fault in faults[:NAMED])
        expected = "expected at least two classes to train on"
        raise Refused(Mistake(where, left, expected, f"{named}.", subject=shown(folder.root)))
    numbers = np.searchsorted(classes, labels)
    known = np.isin(labels, classes)
    own_validation, own_test = (bool(folder.parted[part]) for part in (VALIDATION, TEST))
    parted = split.beside(ends, validation=own_validation, test=own_test, labels=numbers)
    validation, test = (some[known[some]] for some in (parted.validation, parted.test))
    train = set(rows[parted.train].tolist())
    scaled: list[str] = []
    warnings = list(_warnings(folder, found, where))
    encoders: dict[str, Any] = {}
    if found.depths:
        range = image_format.range or used_range(found.depths, folder.names, train)
        scaled = [range_note(found.depths, folder.names, range, chosen=image_format.range is not None)]
        warnings += range_warnings(found.depths, range, train, len(rows))
        encoders = {"pixel_range": list(range)}
        if image_format.range is None:
            image_format = replace(image_format, range=range)
            found = look_at(folder, image_format, keep=keep)
    x, identity, how = _samples(folder, found, rows, image_format)
    return dataset(
        source,
        "classification",
        "image",
        x,
        numbers,
        Parts(parted.train, validation, test, parted.notes),
        classes=tuple(folder.classes[i] for i in classes),
        identity=identity,
        encoders=encoders,
        notes=(*notes, how, *scaled, *_notes(folder, found, faults)),
        warnings=tuple(warnings),
    )


def _samples(
    folder: Folder, found: Found, rows: Indices, image_format: ImageFormat
) -> tuple[Tensor | ImageFiles, str, str]:
    """Decoded pixels or files; their identity; and a sentence on which of the two it is."""
    assert found.size is not None
    if found.pixels:
        pixels = torch.from_numpy(mapped(found, len(folder.names))).permute(0, 3, 1, 2)
        return pixels, "", "Decoded pixels are saved in the cache folder."
    settled = replace(image_format, size=found.size, mode="grey" if found.channels == 1 else "colour")
    files = ImageFiles.of(folder, rows, settled)
    return files, fingerprint(folder, settled), f"Images are decoded for each batch: {found.why_not}."


def _faults(folder: Folder, found: Found) -> list[tuple[str, str, str]]:
    """Name, found and expected of everything that cannot be used, except for different sizes."""
    faults = [(fault.name, fault.found, fault.expected) for fault in folder.faults]
    faults += [(name, "it has no images", "expected at least one") for name in folder.empty]
    faults += [(folder.names[index], *fault) for index, fault in found.faults.items()]
    return [(shown(name), what, expected) for name, what, expected in faults]


def _clause(name: str, what: str, expected: str) -> str:
    return f"{name}: {what}" + (f", {expected}" if expected else "")


def _sizes_differ(folder: Folder, found: Found) -> Mistake:
    (one, (many, first)), (other, (_, second)), *_ = found.sizes.items()
    size, other_size = (size_of(text) for text in (one, other))
    total = sum(count for count, _ in found.sizes.values())
    return Mistake(
        "data.size",
        f"{shown(folder.names[first])} has {pixels_text(size)} pixels, like {many:,} of {total:,} images; "
        f"{shown(folder.names[second])} has {pixels_text(other_size)}",
        "expected one size",
        f"Set data.size = {list(size)} to resize all images.",
        remedy=put(list(size)),
    )


def _notes(folder: Folder, found: Found, faults: list[tuple[str, str, str]]) -> Iterable[str]:
    """Sentences on files that were left out, and on images that were converted."""
    if faults:
        named = "; ".join(_clause(*fault) for fault in faults[:NAMED])
        yield f"Left out: {named}{_more(len(faults))}."
    if folder.left:
        named = ", ".join(shown(name) for name in folder.left[:NAMED])
        yield f"Not read, since they are in no class folder or have other endings: {named}" + (
            f"{_more(len(folder.left))}."
        )
    by_kind: dict[str, list[int]] = {}
    for index, odd in found.odd.items():
        by_kind.setdefault(odd, []).append(index)
    for odd, files in by_kind.items():
        named = ", ".join(shown(folder.names[index]) for index in files[:3])
        yield f"Images that are {odd}: {len(files):,}, such as {named}."
    yield from left_out_notes(folder)
    unprintable = [name for name in folder.names if not is_printable(name)]
    if unprintable:
        named = ", ".join(map(shown, unprintable[:NAMED]))
        yield f"Images with unprintable names, which are used: {named}{_more(len(unprintable))}."


def _warnings(folder: Folder, found: Found, where: str) -> Iterable[Mistake]:
    """Warn about blank images."""
    if not found.constant:
        return
    named = ", ".join(shown(folder.names[index]) for index in found.constant[:3])
    of_all = f"{len(found.constant):,} of {len(folder.names) - len(found.faults):,} images"
    said = f"{of_all} have a single colour, such as {named}"
    fix = "Inspect them, and remove or replace blank ones."
    yield Mistake(where, said, "a network learns nothing from them", fix, severity="warning")


def _more(count: int) -> str:
    return f"; and {count - NAMED:,} more" if count > NAMED else ""
