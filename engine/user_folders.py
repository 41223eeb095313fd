"""The folders of the user: what `~` stands for, and where settings, state and caches lie, decided in one place.

A user may have no home folder: a container that runs under a number of its own sets no HOME and lists no such user.
Then there is no folder, and what would lie in it is done without.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

NO_HOME = "HOME is not set, and this user has no home folder"
"""Why there is no folder, as a clause."""


def home(environ: Mapping[str, str] = os.environ) -> Path | None:
    """HOME, else the home folder that the system lists for this user; None where there is neither."""
    given = environ.get("HOME", "")
    return Path(given) if os.path.isabs(given) else _listed(None)


def _listed(name: str | None) -> Path | None:
    """The home folder that the system lists for a user, or for the one of this process."""
    try:
        import pwd

        folder = (pwd.getpwuid(os.getuid()) if name is None else pwd.getpwnam(name)).pw_dir
    except (ImportError, KeyError):  # a system without such a list, or without this user in it
        return None
    return Path(folder) if os.path.isabs(folder) else None


def expanded(path: str | Path) -> Path:
    """`path` with a leading `~` or `~user` as the home folder; as it stands where that is not known."""
    text = str(path)
    if not text.startswith("~"):
        return Path(text)
    user, _, rest = text.partition("/")
    folder = _listed(user[1:]) if user[1:] else home()
    return Path(text) if folder is None else folder / rest.lstrip("/")


def home_problem(path: str | Path) -> str:
    """Why a leading `~` or `~user` of a path stands for no folder, as a clause; empty where it does, or is not there.

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
    if os.path.isabs(base):  # the XDG specification has relative paths ignored
        return Path(base) / "torchdeck"
    folder = home(environ)
    return None if folder is None else folder / below_home / "torchdeck"
