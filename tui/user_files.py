"""The user's files: the folder where the deck keeps its state, and replacing a file in one step."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from engine import NO_HOME, replace_file, state_folder


def state_dir() -> Path:
    """Return the user's state folder; create it, private to the user, if it does not exist.

    Raises:
        OSError: there is no home folder, or the folder cannot be created.
    """
    folder = state_path()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def state_path() -> Path:
    """Return the path of the user's state folder without creating it.

    Raises:
        OSError: there is no home folder.
    """
    folder = state_folder()
    if folder is None:
        raise FileNotFoundError(errno.ENOENT, NO_HOME)
    return folder


def replace_text(path: Path, text: str) -> None:
    """Replace a file's content in one step, and keep its permissions. A symbolic link is followed.

    Raises:
        OSError: the file cannot be written; it is unchanged.
    """
    path = path.resolve()
    mode = path.stat().st_mode & 0o7777 if path.exists() else 0o666 & ~_umask()
    replace_file(path, text.encode("utf-8"), sync=True, mode=mode)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
