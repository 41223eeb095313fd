"""Results that are slow to compute, saved as JSON in the user's cache folder; only the owner can read them."""

from __future__ import annotations

import errno
import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine import user_folders
from engine.private_files import replace_file


def cache_folder() -> Path:
    """The user's cache folder, which may not exist yet.

    Raises:
        OSError: there is no home folder.
    """
    folder = user_folders.cache_folder()
    if folder is None:
        raise FileNotFoundError(errno.ENOENT, f"there is no cache folder: {user_folders.NO_HOME}")
    return folder


def read_cached(name: str, key: dict[str, Any]) -> Any | None:
    """Read what was saved under `name` for `key`; None if there is nothing, or it is for another key or damaged."""
    try:
        head, _, body = _file(name, key).read_bytes().partition(b"\n")
        if json.loads(head) != {**key, "sha256": hashlib.sha256(body).hexdigest()}:
            return None
        return json.loads(body)
    except (OSError, ValueError):
        return None


def save_cached(name: str, key: dict[str, Any], value: Any) -> None:
    """Save `value` under `name` for `key`. A folder that cannot be written is no error; nothing is saved."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    head = json.dumps({**key, "sha256": hashlib.sha256(body).hexdigest()}).encode()
    with suppress(OSError):
        file = _file(name, key)
        file.parent.parent.mkdir(parents=True, exist_ok=True)
        file.parent.mkdir(mode=0o700, exist_ok=True)
        replace_file(file, head + b"\n" + body)


def _file(name: str, key: dict[str, Any]) -> Path:
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    return cache_folder() / f"{name}-{digest}.json"
