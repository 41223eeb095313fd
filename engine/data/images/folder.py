"""What lies in a folder of class folders: every file that may be a sample, with its class and its part.

Nothing is opened. Links lead where they lead, except for links within a class folder to other folders: without them
no listing can go round in circles.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from engine.data.class_order import in_order
from engine.data.progress import progress
from engine.data.spellings import look_alike, united, united_note
from engine.data.words import one_form
from engine.experiment.mistakes import Mistake, Refused, nearest, unknown_name
from engine.printable import is_printable, printable
from engine.user_folders import expanded

SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".ppm")


@dataclass(frozen=True, slots=True)
class Kind:
    """What the files in class folders are."""

    suffixes: tuple[str, ...]
    one: str
    """In a sentence: `an image`."""
    many: str


IMAGES = Kind(SUFFIXES, "an image", "images")
PARTS = (("train", "training"), ("val", "validation", "valid"), ("test", "testing"))
"""Names, in any case, of folders that hold the class folders of a part."""
TRAIN, VALIDATION, TEST = range(3)
JUNK = frozenset(
    {
        *("@eadir", "#recycle", "@recycle", "@tmp"),  # network storage
        *("__macosx", ".ds_store", "icon\r"),
        *("thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "recycler", "system volume information"),
        *("lost+found", ".ipynb_checkpoints", "__pycache__"),
    }
)
"""Names, in small letters, of files and folders that systems and programs put anywhere."""
SAY_EVERY = 1000
LONGEST_NAME = 200
NAMED = 20
"""Files that are named one by one; of the others, how many there are is said."""

WHERE = "data.path"


@dataclass(frozen=True, slots=True)
class Fault:
    """A file or folder that cannot be used, as the clauses of a mistake."""

    name: str
    found: str
    expected: str = ""


@dataclass(slots=True)
class Folder:
    """The files of each part, class after class, in the order of their names. N files."""

    root: str
    classes: tuple[str, ...] = ()
    names: list[str] = field(default_factory=list)
    """Below the root."""
    stamps: list[tuple[int, int]] = field(default_factory=list)
    """Bytes, and when it was changed, in ns: a file with the same is taken for the same."""
    labels: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    """Where each of the three parts ends among the files."""
    faults: list[Fault] = field(default_factory=list)
    """What cannot be listed or is no file."""
    empty: list[str] = field(default_factory=list)
    """Class folders without a file of the kind."""
    left: list[str] = field(default_factory=list)
    """Files that are not of the kind by their names, and files of it that lie in no class folder."""
    parted: tuple[str, ...] = ("", "", "")
    """The folder of each part below the root; all empty where the class folders lie in the root itself."""
    kind: Kind = IMAGES
    only: tuple[str, ...] = ()
    """Classes that are asked for; empty where all are."""
    exclude: tuple[str, ...] = ()
    """Folders that are left out, by their names or by their paths below the root."""
    excluded: dict[str, str] = field(default_factory=dict)
    """Paths of those that are there, and by which of `exclude`."""
    junk: dict[str, None] = field(default_factory=dict)
    """Paths of what systems and programs have put there."""
    recorded: tuple[str, ...] = ()
    """Classes that come first, in this order."""
    beside: set[str] = field(default_factory=set)
    """Class folders that are not asked for."""
    united: dict[str, str] = field(default_factory=dict)
    """What class folders became that are another one in all but their Unicode form."""

    def path(self, index: int) -> str:
        """Where a file is."""
        return os.path.join(self.root, self.names[index])


def listed(
    path: str,
    kind: Kind = IMAGES,
    only: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
    recorded: tuple[str, ...] = (),
) -> Folder:
    """The folder at a path that may begin with `~` or at the current folder.

    Args:
        only: the classes to take; empty for all.
        exclude: folders that are left out, by their names or by their paths below the root.
        recorded: classes that come first, in this order; the others are in natural order.

    Raises:
        Refused: it cannot be listed, or there are no classes in it to be told apart.
    """
    root = os.path.abspath(expanded(path))
    folder = Folder(root, kind=kind, only=only, exclude=exclude, recorded=recorded)
    entries = _entries_of_root(folder, path)
    folders = [entry.name for entry in entries if _is_folder(entry)]
    parts = folder.parted = _parts(folders)
    parted = any(parts)
    beside = [name for name in folders if parted and name not in parts]
    folder.left += [f"{name}/" for name in sorted(beside) if not name.startswith(".")]
    folder.left += sorted(e.name for e in entries if not _is_folder(e) and _is_of(kind, e.name))
    for number, part in enumerate(parts):
        if part or (number == TRAIN and not parted):
            _list_part(folder, part)
        folder.ends.append(len(folder.names))
    _refuse_what_is_no_task(folder, path)
    return folder


def watched(path: str) -> tuple[str, ...]:
    """The folders whose time of change tells that files have come or gone: the root and two levels below it."""
    root = str(expanded(path))
    found = [root]
    for level in (_subfolders(root), (inner for folder in _subfolders(root) for inner in _subfolders(folder))):
        found += level
    return tuple(found)


def shown(name: str) -> str:
    """A name as it can be printed: without line breaks, without bytes that are no text, and not longer than a line."""
    text = printable(name)
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME // 2]}…{text[-LONGEST_NAME // 2 :]}"


def _subfolders(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.path for entry in entries if not entry.name.startswith(".") and _is_folder(entry))
    except (OSError, ValueError):
        return []


def _entries(folder: Folder, at: str) -> list[os.DirEntry[str]]:
    """What lies in a folder below the root, by name, without junk and without what is excluded."""
    with os.scandir(os.path.join(folder.root, at)) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    kept = []
    for entry in entries:
        path = os.path.join(at, entry.name)
        named = {name.strip("/"): name for name in folder.exclude}
        if entry.name.lower() in JUNK and entry.name not in folder.only:
            folder.junk[path] = None
        elif named and (by := named.get(entry.name, named.get(path))) is not None and _is_folder(entry):
            folder.excluded[path] = by
        else:
            kept.append(entry)
    return kept


def _entries_of_root(folder: Folder, path: str) -> list[os.DirEntry[str]]:
    root, kind = folder.root, folder.kind

    def refused(found: str, expected: str, fix: str) -> Refused:
        return Refused(Mistake(WHERE, found, expected, fix, subject=shown(path)))

    expected = f"expected a folder with a folder of {kind.many} for each class"
    try:
        return _entries(folder, "")
    except FileNotFoundError:
        parent = Path(root).parent
        like = nearest(Path(root).name, _names_of_folders(parent))
        fix = f"Did you mean {shown(str(parent / like))}?" if like else f"Correct the path; it starts at {Path.cwd()}."
        raise refused("there is no such folder", "", fix) from None
    except NotADirectoryError:
        raise refused("it is no folder", expected, "Name the folder that it lies in.") from None
    except ValueError:
        raise refused("it is no path", expected, "Leave out the character of the number 0.") from None
    except OSError as error:
        raise refused(f"it cannot be listed ({error.strerror})", expected, "Check its permissions.") from None


def _names_of_folders(parent: Path) -> list[str]:
    return [os.path.basename(folder) for folder in _subfolders(str(parent))]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _is_of(kind: Kind, name: str) -> bool:
    return name.lower().endswith(kind.suffixes) and not name.startswith(".")


def _parts(folders: list[str]) -> tuple[str, ...]:
    """The folder of each part, empty where there is none; all empty unless there is one to train on and another."""
    found = tuple(next((f for f in sorted(folders) if f.lower() in names), "") for names in PARTS)
    visible = [name for name in folders if not name.startswith(".")]
    if found[TRAIN] and (any(found[1:]) or len(visible) == 1):
        return found
    return ("", "", "")


def _list_part(folder: Folder, part: str) -> None:
    base = os.path.join(folder.root, part)
    try:
        by_name = {entry.name: entry for entry in _entries(folder, part)}
    except OSError as error:
        folder.faults.append(Fault(part, f"it cannot be listed ({error.strerror})"))
        return
    others = sorted(name for name, entry in by_name.items() if not _is_folder(entry))
    folders = [name for name, entry in by_name.items() if _is_folder(entry)]
    changed = united([*folder.classes, *folders], folder.recorded or folder.classes)
    folder.united |= changed
    labels = {name: changed.get(name, name) for name in folders}
    ordered = in_order(labels.values(), folder.recorded)
    folders.sort(key=lambda name: (ordered.index(labels[name]), name))
    entries = [by_name[name] for name in (*folders, *others)]
    if part:
        folder.left += [
            os.path.join(part, e.name) for e in entries if not _is_folder(e) and _is_of(folder.kind, e.name)
        ]
    numbers = {name: number for number, name in enumerate(folder.classes)}
    for entry in entries:
        name = os.path.join(part, entry.name)
        if not _is_folder(entry) or entry.name.startswith("."):
            if entry.is_symlink() and not os.path.exists(entry.path):
                folder.faults.append(Fault(name, "it is a link that leads nowhere, or to itself"))
            continue
        label = labels[entry.name]
        if folder.only and one_form(label) not in map(one_form, folder.only):
            folder.beside.add(entry.name)
            continue
        if not is_printable(entry.name):
            folder.faults.append(Fault(name, "the name of its class cannot be printed", "expected letters and digits"))
        elif entry.is_symlink() and _leads_back(base, entry):
            folder.faults.append(Fault(name, "it is a link that leads back to a folder that it lies in"))
        elif part != folder.parted[TRAIN] and label not in numbers:
            what = "its class is not among those to train on"
            folder.faults.append(Fault(name, what, look_alike(label, numbers) or "expected one of them"))
        else:
            _list_class(folder, name, numbers.setdefault(label, len(numbers)))
    folder.classes = tuple(numbers)


def _list_class(folder: Folder, name: str, number: int) -> None:
    before = len(folder.names)
    for file, stamp in _files(folder, name):
        folder.names.append(file)
        folder.stamps.append(stamp)
        folder.labels.append(number)
        if len(folder.names) % SAY_EVERY == 0:
            progress(f"Listing {folder.kind.many}", len(folder.names))
    if len(folder.names) == before:
        folder.empty.append(name)


def _leads_back(base: str, entry: os.DirEntry[str]) -> bool:
    real = os.path.realpath(entry.path)
    return os.path.commonpath([real, os.path.realpath(base)]) == real


def _files(folder: Folder, name: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Below a class folder, files before the folders beside them; what cannot be of the kind is noted."""
    pending = [name]
    while pending:
        at = pending.pop()
        try:
            entries = _entries(folder, at)
        except OSError as error:
            folder.faults.append(Fault(at, f"it cannot be listed ({error.strerror})"))
            continue
        inner: list[str] = []
        for entry in entries:
            below = os.path.join(at, entry.name)
            if entry.name.startswith("."):
                continue
            if not _is_folder(entry):
                stamp = _stamp(folder, below, entry)
                if stamp is not None:
                    yield below, stamp
            elif entry.is_symlink():
                folder.faults.append(
                    Fault(below, "it is a link to a folder", f"expected a folder or {folder.kind.one}")
                )
            else:
                inner.append(below)
        pending += reversed(inner)


def _stamp(folder: Folder, name: str, entry: os.DirEntry[str]) -> tuple[int, int] | None:
    """Bytes and time of change of what may be of the kind."""
    if not _is_of(folder.kind, entry.name):
        folder.left.append(name)
        return None
    try:
        status = entry.stat()
    except OSError as error:
        why = "leads to a file that is not there" if error.errno == errno.ENOENT else "leads to itself"
        folder.faults.append(Fault(name, f"it is a link that {why}" if entry.is_symlink() else f"{error.strerror}"))
        return None
    if not stat.S_ISREG(status.st_mode):
        folder.faults.append(Fault(name, "it is a device or a pipe", "expected a file"))
        return None
    return status.st_size, status.st_mtime_ns


def left_out_notes(folder: Folder) -> list[str]:
    """Sentences on folders and files that are there and are not looked at."""
    notes = []
    listed_: dict[str, Collection[str]] = {
        "Left out by data.exclude": folder.excluded,
        "Left out, since systems and programs put them there": folder.junk,
        "Class folders that are not in data.classes": sorted(folder.beside),
    }
    for said, paths in listed_.items():
        names = [shown(path) for path in list(paths)[:NAMED]]
        more = f"; and {len(paths) - NAMED:,} more" if len(paths) > NAMED else ""
        notes += [f"{said}: {', '.join(names)}{more}."] if names else []
    if note := united_note("Class folders", folder.united):
        notes.append(note)
    return notes


def _refuse_what_is_no_task(folder: Folder, path: str) -> None:
    def refused(found: str, expected: str, fix: str) -> Refused:
        return Refused(Mistake(WHERE, found, expected, fix, subject=shown(path)))

    mistakes = [
        unknown_name("data.classes", name, sorted({*folder.classes, *folder.beside}), "a class folder")
        for name in folder.only
        if one_form(name) not in map(one_form, folder.classes)
    ]
    there = sorted({*folder.classes, *folder.beside, *folder.excluded.values()})
    mistakes += [
        unknown_name("data.exclude", name, there, "a folder")
        for name in folder.exclude
        if name not in folder.excluded.values()
    ]
    if mistakes:
        raise Refused(mistakes)
    if len(folder.classes) >= 2 or folder.faults:
        return
    if len(folder.classes) == 1:
        raise refused(
            f"it has one class folder, {folder.classes[0]}", "expected at least two", "Add a folder of another class."
        )
    files, many = sum(not name.endswith("/") for name in folder.left), folder.kind.many
    found = f"it has {files:,} {many} and no class folders" if files else "it has no class folders"
    raise refused(found, "expected a folder for each class", f"Put the {many} into folders named by their classes.")
