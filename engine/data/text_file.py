"""Text from a person's file: UTF-8, within memory, or a sentence on what is wrong."""

from __future__ import annotations

from pathlib import Path

from engine.experiment.mistakes import Mistake, Refused, nearest
from engine.file_kinds import kind_of
from engine.free_memory import free_host_memory
from engine.user_folders import expanded

BYTES_PER_BYTE = 24
"""Memory that reading a byte of text takes at most, with its numbers and windows."""


def read_text(path: str, at: str = "data.path") -> str:
    """The whole text of a file, without a byte order mark.

    Raises:
        Refused: it is not there, no regular file, too large for memory, empty, or not UTF-8.
    """
    file = expanded(path)

    def refused(found: str, expected: str, fix: str) -> Refused:
        return Refused(Mistake(at, found, expected, fix, subject=path))

    try:
        if file.is_dir():
            raise refused("it is a folder", "expected a text file", "Name a file in it.")
        if file.exists() and not file.is_file():
            raise refused("it is a device or a pipe", "expected a text file", "Name a regular file.")
        size, room = file.stat().st_size, free_host_memory() // BYTES_PER_BYTE
        if size > room:
            found = f"it has {size / 1e9:.1f} GB"
            raise refused(found, f"there is memory for a text of {room / 1e9:.1f} GB", "Take a part of it.")
        content = file.read_bytes()
    except FileNotFoundError:
        like = nearest(file.name, (f.name for f in file.parent.glob("*"))) if file.parent.is_dir() else None
        fix = f"Did you mean {file.with_name(like)}?" if like else f"Correct the path; it starts at {Path.cwd()}."
        raise refused("there is no such file", "", fix) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise refused(f"it cannot be read ({why})", "", "Check the file and its permissions.") from None
    if (kind := kind_of(content)) is not None:
        raise refused(f"it is {kind.name}", "expected text in UTF-8", kind.fix)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = f"byte {error.start:,} (line {line:,}) is {content[error.start]:#04x}, which is not UTF-8"
        raise refused(found, "expected text in UTF-8", "Save it as UTF-8 text.") from None
    if not text.strip():
        raise refused("it holds no text", "", "Name a file with text in it.")
    return text
