"""Apply safe fixes to a file: `torchdeck check FILE --fix`."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine import apply_fix, is_file, read_document, reads_experiment
from tui.tables.text import plain
from tui.user_files import replace_text

if TYPE_CHECKING:
    from engine import Mistake


def fix_file(source: str, overrides: Sequence[str]) -> str:
    """Fix the errors of a file that have a safe fix, and print each fix; returns why not, or an empty string.

    Warnings stay: a person decides whether they are right.
    """
    if overrides:
        return "--fix changes the file, but --set changes only what is read from it. Remove one of them."
    if not is_file(source):
        return f"{source} is a preset. Print it to a file first: torchdeck presets {source} > {source}.toml."
    text = before = read_document(source).text
    if not text:
        return ""  # the check reports that the file cannot be read
    seen = {text}
    while (fixed := _fixed(text, seen)) is not None:
        mistake, new = fixed
        seen.add(new)
        print(plain(f"fixed {mistake}"), file=sys.stderr)
        for line in difflib.ndiff(text.splitlines(), new.splitlines()):
            if line[0] in "+-":
                print(plain(f"  {line}"), file=sys.stderr)
        text = new
    if text != before:
        try:
            replace_text(Path(source), text)
        except OSError as error:
            return f"{source} cannot be written: {error.strerror or error}."
    return ""


def _fixed(text: str, seen: set[str]) -> tuple[Mistake, str] | None:
    """The first mistake whose fix removes it, and the text with that fix.

    Args:
        seen: every text so far. A fix that leads back to one of them undoes another fix.
    """
    from engine import check

    for mistake in check(reads_experiment(text)).mistakes:
        if mistake.severity != "error" or (new := apply_fix(text, mistake)) is None or new in seen:
            continue
        if str(mistake) not in map(str, check(reads_experiment(new)).mistakes):
            return mistake, new
    return None
