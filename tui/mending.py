"""`torchdeck check FILE --fix`: the fixes that need no thought, applied to the file itself."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.editing.remedies import remedied
from engine.experiment import is_file, read, reads
from tui.design import write_aside
from tui.printing.text import plain

MOST = 200
"""Fixes after which it is given up: one that brings back what another mended would go on for ever."""


def mend(source: str, overrides: Sequence[str]) -> str:
    """Apply fix after fix to a file until no error is left that has one, and say each; or why that cannot be.

    A warning is left alone: whether it is right is for a person to say.
    """
    if overrides:
        return "--fix changes the file, --set what is read from it: leave one of them out."
    if not is_file(source):
        return f"{source} is a preset: print it to a file first, torchdeck presets {source} > {source}.toml."
    text = before = read(source).text
    if not text:
        return ""  # the check itself says that it cannot be read
    from engine.plan import check

    for _ in range(MOST):
        fixes = [m for m in check(reads(text)).mistakes if m.remedy is not None and m.severity == "error"]
        mended = next(((m, new) for m in fixes if (new := remedied(text, m)) not in (None, text)), None)
        if mended is None:
            break
        mistake, new = mended
        assert new is not None
        print(plain(f"fixed {mistake}"), file=sys.stderr)
        for line in difflib.ndiff(text.splitlines(), new.splitlines()):
            if line[0] in "+-":
                print(plain(f"  {line}"), file=sys.stderr)
        text = new
    if text != before:
        try:
            write_aside(Path(source), text)
        except OSError as error:
            return f"{source} cannot be written: {error.strerror or error}."
    return ""
