"""Read labelled texts from a folder of .txt files for each class, the layout of the Large Movie Review Dataset."""

from __future__ import annotations

import os
from collections import Counter
from itertools import pairwise

from engine.data.images.folder import WHERE, Folder, Kind, left_out_notes, listed, shown
from engine.data.progress import progress
from engine.data.tables.files import refuse_too_large
from engine.data.texts.labelled import BYTES_PER_BYTE, NAMED, Fault, Labelled
from engine.file_kinds import kind_of

TEXTS = Kind((".txt",), "a text", "texts")
_REPORT_EVERY = 500


def from_folder(
    path: str, classes: tuple[str, ...], exclude: tuple[str, ...] = (), recorded: tuple[str, ...] = ()
) -> Labelled:
    """Read every text, and record those that cannot be used.

    Args:
        classes: the class folders to use; empty for all.
        exclude: folders to leave out, by name or by path below the root.
        recorded: classes that come first, in this order.

    Raises:
        Refused: the folder cannot be listed, has fewer than two classes, or does not fit in memory.
    """
    folder = listed(path, TEXTS, classes, exclude, recorded)
    refuse_too_large(WHERE, path, sum(size for size, _ in folder.stamps) * BYTES_PER_BYTE)
    found = Labelled(folder.classes, own=("", folder.parted[1], folder.parted[2]))
    found.faults += [Fault(shown(fault.name), fault.found, fault.expected) for fault in folder.faults]
    found.faults += [Fault(shown(name), *_without_texts(folder, name)) for name in folder.empty]
    for part, (begin, end) in enumerate(pairwise([0, *folder.ends])):
        for index in range(begin, end):
            if index % _REPORT_EVERY == 0:
                progress("Reading texts", index, len(folder.names))
            _read(folder, index, part, found)
    found.notes += _notes(folder)
    return found


def _without_texts(folder: Folder, name: str) -> tuple[str, str]:
    """The clauses on a class folder without texts: it is empty, or all files have other endings."""
    inside = [left for left in folder.left if left.startswith(f"{name}/")]
    if not inside:
        return "it has no texts", "expected at least one"
    endings = Counter(os.path.splitext(left)[1] or "no ending" for left in inside)
    (ending, count), *others = endings.most_common()
    named = f"{count:,} with {ending}" + (f" and {len(inside) - count:,} others" if others else "")
    return f"no file in it ends in .txt ({named})", "expected texts that end in .txt"


def _read(folder: Folder, index: int, part: int, found: Labelled) -> None:
    name = shown(folder.names[index])
    try:
        with open(folder.path(index), "rb") as file:
            content = file.read()
        text = content.decode("utf-8-sig")
    except OSError as error:
        found.faults.append(Fault(name, f"it cannot be read ({error.strerror})"))
        return
    except UnicodeDecodeError as error:
        if (kind := kind_of(content)) is not None:
            found.faults.append(Fault(name, f"it is {kind.name}", "expected text in UTF-8"))
            return
        line = content.count(b"\n", 0, error.start) + 1
        what = f"byte {error.start:,} (line {line:,}) is {content[error.start]:#04x}, which is not UTF-8"
        found.faults.append(Fault(name, what, "expected text in UTF-8"))
        return
    if "\0" in text:
        found.faults.append(Fault(name, f"byte {content.index(0):,} is a null byte", "expected text in UTF-8"))
    elif not text.strip():
        found.faults.append(Fault(name, "it contains no text", "expected some"))
    else:
        found.texts.append(text)
        found.labels.append(folder.labels[index])
        found.parts.append(part)


def _notes(folder: Folder) -> list[str]:
    notes = []
    if folder.left:
        more = f"; and {len(folder.left) - NAMED:,} more" if len(folder.left) > NAMED else ""
        named = ", ".join(shown(name) for name in folder.left[:NAMED])
        said = "Not read, since they are in no class folder or do not end in .txt"
        notes.append(f"{said}: {named}{more}.")
    return [*notes, *left_out_notes(folder)]
