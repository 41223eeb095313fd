"""A screen as text: what stands in every cell, row by row, and how it compares with a text that was read and judged.

Set GOLDENS=write to write the texts again; then read them before you commit them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from textual.app import App

GOLDENS = Path(__file__).parent / "goldens"


def screen_text(app: App[Any]) -> str:
    """The rows of the screen on top, without the blanks at their ends."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips) + "\n"


def assert_golden(name: str, text: str) -> None:
    """Compare a screen's text with `goldens/NAME.txt`."""
    path = GOLDENS / f"{name}.txt"
    if os.environ.get("GOLDENS") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"the screen differs from {path.name}:\n{text}"
