"""Where the deck keeps what it remembers from one time to the next."""

from __future__ import annotations

import os
from pathlib import Path


def state_dir() -> Path:
    """$XDG_STATE_HOME/torchdeck or ~/.local/state/torchdeck, the owner's alone; made where it is not there.

    Raises:
        OSError: it cannot be made.
    """
    base = os.environ.get("XDG_STATE_HOME", "")
    folder = (Path(base) if os.path.isabs(base) else Path.home() / ".local" / "state") / "torchdeck"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
