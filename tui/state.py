"""Where the deck keeps what it remembers from one time to the next."""

from __future__ import annotations

import os
from pathlib import Path


def state_dir() -> Path:
    """$XDG_STATE_HOME/torchdeck or ~/.local/state/torchdeck, the owner's alone; made where it is not there.

    Raises:
        OSError: it cannot be made.
    """
    folder = state_path()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def state_path() -> Path:
    """The same, made or not.

    Raises:
        RuntimeError: there is no home folder.
    """
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".local" / "state") / "torchdeck"
