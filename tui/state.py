"""Where the deck keeps what it remembers from one time to the next."""

from __future__ import annotations

import errno
from pathlib import Path

from engine.user_folders import NO_HOME, state_folder


def state_dir() -> Path:
    """The user's state folder, the owner's alone; made where it is not there.

    Raises:
        OSError: there is no home folder, or it cannot be made.
    """
    folder = state_path()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def state_path() -> Path:
    """The same, made or not.

    Raises:
        OSError: there is no home folder.
    """
    folder = state_folder()
    if folder is None:
        raise FileNotFoundError(errno.ENOENT, NO_HOME)
    return folder
