"""List a folder of class folders: every file that may be a sample, with its class and its part.

No file is opened. Links are followed, except for links to folders within a class folder, so that listing cannot loop.
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
    """The kind of files in class folders."""

    suffixes: tuple[str, ...]
    one: str
    """In a sentence: `an image`."""
    many: str


IMAGES = Kind(SUFFIXES, "an image", "images")
PARTS = (("train", "training"), ("val", "validation", "valid"), ("test", "testing"))
"""Names, in any case, of folders that contain the class folders of a part."""
TRAIN, VALIDATION, TEST = range(3)
JUNK = frozenset(
    {
        *("@eadir", "#recycle", "@recycle", "@tmp"),  # network storage
        *("__macosx", ".ds_store", "icon\r"),
        *("thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "recycler", "system volume information"),
        *("lost+found", ".ipynb_checkpoints", "__pycache__"),
    }
)
"""Lower-case names of files and folders that operating systems and programs create anywhere."""
REPORT_EVERY = 1000
LONGEST_NAME = 200
NAMED = 20
"""Maximum number of files that are listed by name; the others are counted."""

WHERE = "data.path"


@dataclass(frozen=True, slots=True)
class Fault:
    """The clauses of a mistake in a file or folder that cannot be used."""

    name: str
    found: str
    expected: str = ""


@dataclass(slots=True)
class Folder:
    """The N files of all parts, class after class, sorted by name."""

    root: str
    classes: tuple[str, ...] = ()
    names: list[str] = field(default_factory=list)
    """Paths below the root."""
    stamps: list[tuple[int, int]] = field(default_factory=list)
    """Size in bytes and modification time in ns; a file with equal values counts as unchanged."""
    labels: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    """The end of each of the three parts among the files."""
    faults: list[Fault] = field(default_factory=list)
    """Paths that cannot be listed or are not files."""
    empty: list[str] = field(default_factory=list)
    """Class folders without a suitable file."""
    left: list[str] = field(default_factory=list)
    """Files with other endings, and suitable files outside class folders."""
    parted: tuple[str, ...] = ("", "", "")
    """The folder of each part below the root; all empty if the root contains the class folders."""
    kind: Kind = IMAGES
    only: tuple[str, ...] = ()
    """Selected classes; empty for all."""
    exclude: tuple[str, ...] = ()
    """Folders to leave out, by name or by path below the root."""
    excluded: dict[str, str] = field(default_factory=dict)
    """Maps the path of each folder that was left out to its entry in `exclude`."""
    junk: dict[str, None] = field(default_factory=dict)
    """Paths of junk files."""
    recorded: tuple[str, ...] = ()
    """Classes that come first, in this order."""
    beside: set[str] = field(default_factory=set)
    """Class folders that are not selected."""
    united: dict[str, str] = field(default_factory=dict)
    """Maps class folders to those that differ only in their Unicode form."""

    def path(self, index: int) -> str:
        """The path of a file."""
        return os.path.join(self.root, self.names[index])


def listed(
    path: str,
    kind: Kind = IMAGES,
    only: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
    recorded: tuple[str, ...] = (),
) -> Folder:
    """List the folder at a path, which may start with `~` or be relative.

    Args:
        only: the classes to use; empty for all.
        exclude: folders to leave out, by name or by path below the root.
        recorded: classes that come first, in this order; the others are in natural order.

    Raises:
        Refused: it cannot be listed, or it has fewer than two classes.
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
    _refuse_unusable(folder, path)
    return folder


def watched(path: str) -> tuple[str, ...]:
    """The folders whose modification times change when files are added or removed: the root and two levels below."""
    root = str(expanded(path))
    found = [root]
    for level in (_subfolders(root), (inner for folder in _subfolders(root) for inner in _subfolders(folder))):
        found += level
    return tuple(found)


def shown(name: str) -> str:
    """A printable name: without line breaks and undecodable bytes, and at most a line long."""
    text = printable(name)
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME // 2]}…{text[-LONGEST_NAME // 2 :]}"


def _subfolders(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.path for entry in entries if not entry.name.startswith(".") and _is_folder(entry))
    except (OSError, ValueError):
        return []


def _entries(folder: Folder, at: str) -> list[os.DirEntry[str]]:
    """The entries of a folder below the root, sorted by name, without junk and excluded folders."""
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
        raise refused("it is not a folder", expected, "Name the folder that contains it.") from None
    except ValueError:
        raise refused("it is not a path", expected, "Remove the null character.") from None
    except OSError as error:
        raise refused(f"it cannot be listed ({error.strerror})", expected, "Check its permissions.") from None


def _names_of_folders(parent: Path) -> list[str]:
    return [os.path.basename(folder) for folder in _subfolders(str(parent))]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_of(kind: Kind, name: str) -> bool:
    return name.lower().endswith(kind.suffixes) and not name.startswith(".")


def _parts(folders: list[str]) -> tuple[str, ...]:
    """The folder of each part, or an empty name; all empty unless there is a training folder and another one."""
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
                folder.faults.append(Fault(name, "it is a broken link, or a link to itself"))
            continue
        label = labels[entry.name]
        if folder.only and one_form(label) not in map(one_form, folder.only):
            folder.beside.add(entry.name)
            continue
        if not is_printable(entry.name):
            folder.faults.append(Fault(name, "the name of its class is not printable", "expected letters and digits"))
        elif entry.is_symlink() and _leads_back(base, entry):
            folder.faults.append(Fault(name, "it is a link to a folder that contains it"))
        elif part != folder.parted[TRAIN] and label not in numbers:
            what = f"its class has no training {folder.kind.many}"
            folder.faults.append(
                Fault(name, what, look_alike(label, numbers) or "expected a class of the training part")
            )
        else:
            _list_class(folder, name, numbers.setdefault(label, len(numbers)))
    folder.classes = tuple(numbers)


def _list_class(folder: Folder, name: str, number: int) -> None:
    before = len(folder.names)
    for file, stamp in _files(folder, name):
        folder.names.append(file)
        folder.stamps.append(stamp)
        folder.labels.append(number)
        if len(folder.names) % REPORT_EVERY == 0:
            progress(f"Listing {folder.kind.many}", len(folder.names))
    if len(folder.names) == before:
        folder.empty.append(name)


def _leads_back(base: str, entry: os.DirEntry[str]) -> bool:
    real = os.path.realpath(entry.path)
    return os.path.commonpath([real, os.path.realpath(base)]) == real


def _files(folder: Folder, name: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Files below a class folder, before those of its subfolders; unsuitable ones are recorded."""
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
    """Size and modification time of a suitable file."""
    if not _is_of(folder.kind, entry.name):
        folder.left.append(name)
        return None
    try:
        status = entry.stat()
    except OSError as error:
        why = "to a missing file" if error.errno == errno.ENOENT else "to itself"
        folder.faults.append(Fault(name, f"it is a link {why}" if entry.is_symlink() else f"{error.strerror}"))
        return None
    if not stat.S_ISREG(status.st_mode):
        folder.faults.append(Fault(name, "it is a device or a pipe", "expected a file"))
        return None
    return status.st_size, status.st_mtime_ns


def left_out_notes(folder: Folder) -> list[str]:
    """Sentences on folders and files that are not used."""
    notes = []
    listed_: dict[str, Collection[str]] = {
        "Left out by data.exclude": folder.excluded,
        "Left out, since operating systems or programs created them": folder.junk,
        "Class folders that are not in data.classes": sorted(folder.beside),
    }
    for said, paths in listed_.items():
        names = [shown(path) for path in list(paths)[:NAMED]]
        more = f"; and {len(paths) - NAMED:,} more" if len(paths) > NAMED else ""
        notes += [f"{said}: {', '.join(names)}{more}."] if names else []
    if note := united_note("Class folders", folder.united):
        notes.append(note)
    return notes


def _refuse_unusable(folder: Folder, path: str) -> None:
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
    raise refused(found, "expected a folder for each class", f"Put the {many} into folders named after their classes.")
