"""From a folder of class folders to a data set: what cannot be used is refused or left out, the rest is parted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from engine.data.dataset import Dataset, dataset
from engine.data.images.decoding import Wanted, size_text
from engine.data.images.folder import TEST, TRAIN, VALIDATION, WHERE, Folder, listed, shown
from engine.data.images.reading import Found, fingerprint, look_at, mapped, size_of
from engine.data.images.samples import ImageFiles
from engine.data.splits import Indices, Parts, Split
from engine.experiment.mistakes import Mistake, Refused, put

NAMED = 20
"""Files that are named one by one; of the others, how many there are is said."""


def load_images(path: str, wanted: Wanted, split: Split, *, skip: bool, keep: bool) -> Dataset:
    """The data set of a folder.

    Args:
        skip: whether what cannot be used is left out instead of refused.
        keep: whether decoded pixels may be kept in the cache folder.

    Raises:
        Refused: with every file that cannot be used, or with what is wrong with the folder.
    """
    folder = listed(path)
    found = look_at(folder, wanted, keep=keep)
    faults = _faults(folder, found)
    mistakes = [] if skip else [_mistake(*fault) for fault in faults[:NAMED]]
    if not skip and len(faults) > NAMED:
        more = f"{len(faults) - NAMED:,} more files and folders cannot be used"
        mistakes.append(Mistake(WHERE, more, "", 'Mend or remove them, or set data.on_broken = "skip".'))
    if found.sizes:
        mistakes.append(_sizes_differ(folder, found))
    if mistakes:
        raise Refused(mistakes)
    return _data_set(folder, found, faults, path, wanted, split)


def _data_set(
    folder: Folder, found: Found, faults: list[tuple[str, str, str]], path: str, wanted: Wanted, split: Split
) -> Dataset:
    rows = found.rows(len(folder.names))
    labels = np.asarray(folder.labels, dtype=np.int64)[rows]
    edges = np.searchsorted(rows, [0, *folder.ends])
    of_part = [np.arange(begin, end, dtype=np.int64) for begin, end in pairwise(edges)]
    present = np.unique(labels[of_part[TRAIN]])
    if len(present) < 2:
        left = f"{len(of_part[TRAIN]):,} images of {len(present)} classes can be used"
        named = "; ".join(_clause(*fault) for fault in faults[:NAMED])
        raise Refused(
            Mistake(WHERE, left, "expected at least two classes to train on", f"{named}.", subject=shown(path))
        )
    parts, notes = _parts(folder, of_part, labels, present, split)
    assert found.size is not None
    x: Tensor | ImageFiles
    if found.pixels:
        x = torch.from_numpy(mapped(found, len(folder.names))).permute(0, 3, 1, 2)
        identity = ""
        notes.append("Decoded pixels are kept in the cache folder.")
    else:
        settled = replace(wanted, size=found.size, mode="grey" if found.channels == 1 else "colour")
        x = ImageFiles.of(folder, rows, settled)
        identity = fingerprint(folder, settled)
        notes.append(f"Images are decoded batch by batch: {found.why_not}.")
    return dataset(
        "images",
        "classification",
        "image",
        x,
        np.searchsorted(present, labels),
        parts,
        classes=tuple(folder.classes[i] for i in present),
        identity=identity,
        notes=(*notes, *_notes(folder, found, faults)),
    )


def _parts(
    folder: Folder, of_part: list[Indices], labels: Indices, present: Indices, split: Split
) -> tuple[Parts, list[str]]:
    """Folders of parts as they are; what has no folder is drawn from the training folder."""
    notes = []
    if folder.parted[VALIDATION]:
        split = replace(split, validation=0.0, fold=None)
        notes.append(f"The validation part is the folder {folder.parted[VALIDATION]}; data.validation is not used.")
    if folder.parted[TEST]:
        split = replace(split, test=0.0)
        notes.append(f"The test part is the folder {folder.parted[TEST]}; data.test is not used.")
    drawn = split.by_class(np.searchsorted(present, labels[of_part[TRAIN]]))
    known = [some[np.isin(labels[some], present)] for some in of_part]
    return (
        Parts(
            drawn.train,
            known[VALIDATION] if folder.parted[VALIDATION] else drawn.validation,
            known[TEST] if folder.parted[TEST] else drawn.test,
            drawn.notes,
        ),
        notes,
    )


def _faults(folder: Folder, found: Found) -> list[tuple[str, str, str]]:
    """What cannot be used, by name, with what was found and what was expected. Sizes that differ are another matter."""
    faults = [(fault.name, fault.found, fault.expected) for fault in folder.faults]
    faults += [(name, "it has no images", "expected at least one") for name in folder.empty]
    faults += [(folder.names[index], *fault) for index, fault in found.faults.items()]
    return [(shown(name), what, expected) for name, what, expected in faults]


def _mistake(name: str, what: str, expected: str) -> Mistake:
    return Mistake(WHERE, what, expected, 'Mend or remove it, or set data.on_broken = "skip".', subject=name)


def _clause(name: str, what: str, expected: str) -> str:
    return f"{name}: {what}" + (f", {expected}" if expected else "")


def _sizes_differ(folder: Folder, found: Found) -> Mistake:
    (one, (many, first)), (other, (_, second)), *_ = found.sizes.items()
    size, other_size = (size_of(text) for text in (one, other))
    total = sum(count for count, _ in found.sizes.values())
    return Mistake(
        "data.size",
        f"{shown(folder.names[first])} has {size_text(size)} pixels, as {many:,} of {total:,} images have, "
        f"{shown(folder.names[second])} has {size_text(other_size)}",
        "expected one size",
        f"Set data.size = {list(size)}, and all are brought to it.",
        remedy=put(list(size)),
    )


def _notes(folder: Folder, found: Found, faults: list[tuple[str, str, str]]) -> Iterable[str]:
    """What was left out, and what was done to images that are not as most are."""
    if faults:
        named = "; ".join(_clause(*fault) for fault in faults[:NAMED])
        yield f"Left out: {named}{_more(len(faults))}."
    if folder.left:
        named = ", ".join(shown(name) for name in folder.left[:NAMED])
        yield f"Not looked at, since they lie in no class folder or are no images by their names: {named}" + (
            f"{_more(len(folder.left))}."
        )
    by_kind: dict[str, list[int]] = {}
    for index, odd in found.odd.items():
        by_kind.setdefault(odd, []).append(index)
    for odd, files in by_kind.items():
        named = ", ".join(shown(folder.names[index]) for index in files[:3])
        yield f"Images that are {odd}: {len(files):,}, such as {named}."
    unprintable = [name for name in folder.names if not name.isprintable()]
    if unprintable:
        named = ", ".join(map(shown, unprintable[:NAMED]))
        yield f"Names that cannot be printed, of images that are used all the same: {named}{_more(len(unprintable))}."


def _more(count: int) -> str:
    return f"; and {count - NAMED:,} more" if count > NAMED else ""
