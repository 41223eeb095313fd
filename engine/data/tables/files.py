"""Check a file before it is read (exists, regular, text), and collect the faults of its lines."""

from __future__ import annotations

import codecs
import stat
from pathlib import Path

from engine.data.progress import progress
from engine.experiment.mistakes import Mistake, Refused, nearest
from engine.file_kinds import kind_of
from engine.free_memory import free_host_memory
from engine.user_folders import expanded

_AT_ONCE = 1 << 20


def refused(where: str, path: str, found: str, expected: str, fix: str) -> Refused:
    """The mistake of a file that the field `where` names."""
    return Refused(Mistake(where, found, expected, fix, subject=path))


def size_of(where: str, path: str) -> int:
    """The size in bytes of a regular, readable file.

    Raises:
        Refused: it is missing, not regular, empty, or not readable.
    """
    file = expanded(path)
    try:
        status = file.stat()
        if stat.S_ISDIR(status.st_mode):
            like = next((f.name for f in sorted(file.iterdir()) if f.is_file()), None)
            fix = f"Name the file in it{f', such as {Path(path) / like}' if like else ''}."
            raise refused(where, path, "it is a folder", "expected a file", fix)
        if not stat.S_ISREG(status.st_mode):
            raise refused(where, path, "it is a device or a pipe", "expected a file", "Name a regular file.")
        file.open("rb").close()
    except (FileNotFoundError, NotADirectoryError):
        like = nearest(file.name, _beside(file))
        fix = f"Did you mean {Path(path).with_name(like)}?" if like else f"Correct the path; it starts at {Path.cwd()}."
        raise refused(where, path, "there is no such file", "", fix) from None
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise refused(where, path, f"it cannot be read ({said})", "", "Check the file and its permissions.") from None
    if not status.st_size:
        raise refused(where, path, "it is empty", "expected rows", "Name a file with rows.")
    return status.st_size


def refuse_too_large(where: str, path: str, bytes: int) -> None:
    """Refuse a file that needs more memory than is free, before it is read.

    Raises:
        Refused: with the required memory.
    """
    free = free_host_memory()
    if bytes > free:
        raise refused(
            where,
            path,
            f"reading it takes about {bytes / 1e6:,.0f} MB",
            f"{free / 1e6:,.0f} MB are free",
            "Reduce its rows or columns, or free memory.",
        )


def check_text(where: str, path: str, size: int) -> None:
    """Check that a file is UTF-8.

    Raises:
        Refused: it is not UTF-8, with line and byte, or it contains null bytes.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    done = lines = 0
    with open(expanded(path), "rb") as file:
        while chunk := file.read(_AT_ONCE):
            if not done and (kind := kind_of(chunk)) is not None:
                raise refused(where, path, f"it is {kind.name}", "expected text in UTF-8", kind.fix)
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk)
                if (at := chunk.find(0)) >= 0:
                    raise _not_text(where, path, "a null byte", done + at, lines + chunk.count(b"\n", 0, at))
            except UnicodeDecodeError as error:
                at = error.start - pending
                found = f"{error.object[error.start]:#04x}, which is no UTF-8,"
                raise _not_text(where, path, found, done + at, lines + chunk.count(b"\n", 0, max(0, at))) from None
            done += len(chunk)
            lines += chunk.count(b"\n")
            if done < size:
                progress("Checking text", done, size)
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise _not_text(where, path, "half a character", done - 1, lines) from None


def _not_text(where: str, path: str, found: str, byte: int, lines: int) -> Refused:
    return refused(
        where,
        path,
        f"line {lines + 1:,} has {found} at byte {byte:,} of the file",
        "expected text in UTF-8",
        "Save it as UTF-8.",
    )


def _beside(file: Path) -> list[str]:
    try:
        return [other.name for other in file.parent.iterdir()]
    except OSError:
        return []


NAMED = 20
"""Maximum number of faults that are listed; the others are counted."""
ROWS = 8192
"""Rows between two reports of progress."""

Row = list[str | None]


class LineFaults:
    """Collects faults of lines; the first ones are listed, the others counted."""

    def __init__(self, where: str, path: str) -> None:
        self.where, self.path = where, path
        self.mistakes: list[Mistake] = []
        self.more = 0

    def add(self, line: int, found: str, expected: str, fix: str) -> None:
        if len(self.mistakes) < NAMED:
            self.mistakes.append(Mistake(self.where, f"line {line:,} {found}", expected, fix, subject=self.path))
        else:
            self.more += 1

    def refuse(self) -> None:
        if self.more:
            found = f"{self.more:,} more lines have faults"
            self.mistakes.append(Mistake(self.where, found, "", "Fix these first.", subject=self.path))
        if self.mistakes:
            raise Refused(self.mistakes)

    def replace(self, found: str, expected: str, fix: str) -> None:
        """Replace the faults of lines by one mistake of the whole file."""
        self.mistakes, self.more = [Mistake(self.where, found, expected, fix, subject=self.path)], 0
