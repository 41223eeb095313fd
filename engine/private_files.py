"""Files of torchdeck's own: replaced as a whole, the owner's alone, and read only where they are what was written."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path


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


def read_file(path: Path, most_bytes: int) -> bytes:
    """The content of a file of the folder that it is looked for in: no link, and no pipe that would be waited on.

    Raises:
        OSError: it is none, or has more than `most_bytes`.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > most_bytes:
            raise OSError(f"{path.name} is no file that a run writes")
        return file.read(most_bytes)
