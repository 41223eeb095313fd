"""Files of torchdeck's own: replaced as a whole, the owner's alone, and read only where they are what was written."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO


def replace_file(path: Path, content: bytes, *, sync: bool = False) -> None:
    """Put `content` in the place of a file: written aside with the mode 0600, and renamed.

    Args:
        sync: whether it is to lie on the disk before it takes the other's place.

    Raises:
        OSError: it cannot be written; the file is as it was.
    """
    descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if sync:
                file.flush()
                os.fsync(descriptor)
        os.replace(aside, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(aside)
        raise


def open_descriptor(path: Path, flags: int) -> int:
    """Open a file of the folder that it is looked for in, or make it: no link, and no pipe that would be waited on.

    Args:
        flags: how, as `os.open` takes them.

    Raises:
        OSError: it is none.
    """
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_written_by_a_run(path)
    return descriptor


def open_file(path: Path) -> BinaryIO:
    """Such a file, see `open_descriptor`, to be read.

    Raises:
        OSError: it is none.
    """
    return os.fdopen(open_descriptor(path, os.O_RDONLY), "rb")


def read_file(path: Path, most_bytes: int) -> bytes:
    """The content of such a file, see `open_file`.

    Raises:
        OSError: it is none, or has more than `most_bytes`.
    """
    with open_file(path) as file:
        if os.fstat(file.fileno()).st_size > most_bytes:
            raise _not_written_by_a_run(path)
        return file.read(most_bytes)


def _not_written_by_a_run(path: Path) -> OSError:
    return OSError(f"{path.name} is no file that a run writes")
