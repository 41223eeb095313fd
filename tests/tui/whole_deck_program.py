"""The deck as `torchdeck` opens it, in a folder of its own."""

import os
import sys
from pathlib import Path

from tui.launch import run_deck

if __name__ == "__main__":
    os.chdir(sys.argv[1])
    sys.exit(run_deck(runs_dir=Path("runs")))
