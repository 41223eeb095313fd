"""The deck on the real engine, with torch's import held up until the file `torch-may-come` is there.

held_torch_program.py FOLDER [--train]
"""

from __future__ import annotations

import importlib.abc
import sys
import time
from pathlib import Path
from typing import Any

from tui.launch import run_deck

FOLDER = Path(sys.argv[1])


class HeldTorch(importlib.abc.MetaPathFinder):
    """Writes a file when torch is imported, and delays the import."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> None:
        if name == "torch":
            (FOLDER / "torch-asked-for").touch()
            while not (FOLDER / "torch-may-come").exists():
                time.sleep(0.02)


if __name__ == "__main__":
    assert "torch" not in sys.modules
    sys.meta_path.insert(0, HeldTorch())
    if "--train" in sys.argv:
        from engine.experiment import read

        draft = read("digits-cnn", ["training.epochs=2"])
        sys.exit(run_deck(runs_dir=FOLDER / "runs", draft=draft, source="digits-cnn", train=True))
    sys.exit(run_deck(runs_dir=FOLDER / "runs"))
