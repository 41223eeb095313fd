"""The folders of the user: the home folder, and those of settings, state and caches.

A user may have no home folder: a container with an arbitrary user id has no HOME and does not list the user. Then there
are no folders, and the program works without the files in them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

NO_HOME = "HOME is not set, and this user has no home folder"
"""Why there is no home folder, as a clause."""


def home(environ: Mapping[str, str] = os.environ) -> Path | None:
    """HOME, or else the home folder that the system lists for this user; None where there is neither."""
    folder = environ.get("HOME", "")
    return Path(folder) if os.path.isabs(folder) else _listed(None)


def _listed(name: str | None) -> Path | None:
    """The home folder that the system lists for a user, by default for the one of this process."""
    try:
        import pwd

        folder = (pwd.getpwuid(os.getuid()) if name is None else pwd.getpwnam(name)).pw_dir
    except (ImportError, KeyError):  # the system has no such list, or this user is not in it
        return None
    return Path(folder) if os.path.isabs(folder) else None


def expanded(path: str | Path) -> Path:
    """Replace a leading `~` or `~user` by the home folder, if there is one."""
    text = str(path)
    if not text.startswith("~"):
        return Path(text)
    user, _, rest = text.partition("/")
    folder = _listed(user[1:]) if user[1:] else home()
    return Path(text) if folder is None else folder / rest.lstrip("/")


def home_problem(path: str | Path) -> str:
    """Why a leading `~` or `~user` of a path has no home folder, as a clause; empty if it has, or if there is no `~`.

    >>> home_problem("/tmp/~")
    ''
    """
    text = str(path)
    if not text.startswith("~") or expanded(text) != Path(text):
        return ""
    user = text.partition("/")[0][1:]
    return f"there is no user {user}" if user else NO_HOME


def config_folder(environ: Mapping[str, str] = os.environ) -> Path | None:
    """`torchdeck` under XDG_CONFIG_HOME, or under ~/.config; None where there is no home folder."""
    return _own("XDG_CONFIG_HOME", ".config", environ)


def state_folder(environ: Mapping[str, str] = os.environ) -> Path | None:
    """`torchdeck` under XDG_STATE_HOME, or under ~/.local/state; None where there is no home folder."""
    return _own("XDG_STATE_HOME", ".local/state", environ)


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path | None:
    """`torchdeck` under XDG_CACHE_HOME, or under ~/.cache; None where there is no home folder."""
    return _own("XDG_CACHE_HOME", ".cache", environ)


def _own(variable: str, below_home: str, environ: Mapping[str, str]) -> Path | None:
    base = environ.get(variable, "")
    if os.path.isabs(base):  # by the XDG specification, relative paths are ignored
        return Path(base) / "torchdeck"
    folder = home(environ)
    return None if folder is None else folder / below_home / "torchdeck"
