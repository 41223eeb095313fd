"""Files that only their owner can read: written in one piece or not at all, and read without following links."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from errno import EINVAL, ENOTSUP
from pathlib import Path
from typing import BinaryIO


def replace_file(path: Path, content: bytes, *, sync: bool = False, mode: int = 0o600) -> None:
    """Write a file, or replace it, in one piece: to a temporary file next to it, which is then renamed.

    Args:
        sync: make sure that the content is on disk before the file is renamed.
        mode: the permissions of the file.

    Raises:
        OSError: it cannot be written; the file is as it was.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if sync:
                file.flush()
                os.fsync(descriptor)
            if mode != 0o600:  # which is the one of a temporary file
                os.fchmod(descriptor, mode)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def write_new(path: Path, content: bytes) -> None:
    """Create a file with the mode 0600, and make sure that its content is on disk.

    Raises:
        OSError: it exists, or cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        rest = memoryview(content)
        while rest:
            rest = rest[file.write(rest) :]
        os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Make sure that the names of a folder's files are on disk.

    Raises:
        OSError: that failed.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot sync a folder, and offer nothing else.
        if error.errno not in (EINVAL, ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def open_descriptor(path: Path, flags: int) -> int:
    """Open or create a regular file. A link is not followed, and a pipe is not waited for.

    Args:
        flags: as `os.open` takes them.

    Raises:
        OSError: it cannot be opened, or is not a regular file.
    """
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_written_by_a_run(path)
    return descriptor


def open_file(path: Path) -> BinaryIO:
    """Open a regular file for reading, see `open_descriptor`.

    Raises:
        OSError: it cannot be opened, or is not a regular file.
    """
    return os.fdopen(open_descriptor(path, os.O_RDONLY), "rb")


def read_file(path: Path, max_bytes: int) -> bytes:
    """The content of a regular file, see `open_descriptor`.

    Raises:
        OSError: it cannot be read, or has more than `max_bytes`.
    """
    with open_file(path) as file:
        if os.fstat(file.fileno()).st_size > max_bytes:
            raise _not_written_by_a_run(path)
        return file.read(max_bytes)


def _not_written_by_a_run(path: Path) -> OSError:
    return OSError(f"{path.name} is not a file that a run writes")
