"""`torchdeck check FILE --fix`: the fixes that need no thought, applied to the file itself."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.editing.remedies import remedied
from engine.experiment import is_file, read, reads
from tui.deck.design import write_aside
from tui.printing.text import plain

if TYPE_CHECKING:
    from engine.experiment import Mistake


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
    seen = {text}
    while (mended := _mended(text, seen)) is not None:
        mistake, new = mended
        seen.add(new)
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


def _mended(text: str, seen: set[str]) -> tuple[Mistake, str] | None:
    """The first mistake whose fix takes it away, with the text without it.

    Args:
        seen: what the text has been: a fix that leads back there undoes another one.
    """
    from engine.plan import check

    for mistake in check(reads(text)).mistakes:
        if mistake.severity != "error" or (new := remedied(text, mistake)) is None or new in seen:
            continue
        if str(mistake) not in map(str, check(reads(new)).mistakes):
            return mistake, new
    return None
