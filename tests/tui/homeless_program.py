"""torchdeck as a user has it that the system does not list: no passwd entry, whatever HOME says."""

from __future__ import annotations

import pwd
import sys
from typing import NoReturn


def not_listed(who: object) -> NoReturn:
    raise KeyError(f"{who}: there is no such user")


pwd.getpwuid = pwd.getpwnam = not_listed

if __name__ == "__main__":
    from tui.cli import main

    sys.exit(main())
