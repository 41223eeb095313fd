"""Plain text for a terminal: columns, bars and JSON, without control characters."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Sequence
from typing import Any

from rich.cells import cell_len

from engine import json_number
from tui.tables.column_widths import GAP, Column, widths

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def plain(text: str) -> str:
    """Return `text` with visible symbols for control characters: a name may contain escape sequences.

    >>> plain("a\\x1b[2Jb")
    'a␛[2Jb'
    """
    return _CONTROL.sub(lambda m: chr(0x2400 + ord(m[0])) if ord(m[0]) < 0x20 else "␡", text)


def json_line(value: Any) -> str:
    """Return `value` as one line of JSON with no control characters; other letters are not escaped.

    A number that is not finite is a string, as in events.

    >>> json_line({"best": float("-inf")})
    '{"best": "-Infinity"}'
    """
    return plain_json(json.dumps(_finite(value), default=str, ensure_ascii=False, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return json_number(value) if isinstance(value, float) else value


def plain_json(line: str) -> str:
    """Escape the control characters that JSON allows in strings: C1 and DEL.

    >>> plain_json('{"name": "a\x9b2Jb"}')
    '{"name": "a\\u009b2Jb"}'
    """
    return _CONTROL.sub(lambda m: f"\\u{ord(m[0]):04x}", line)


def columns(rows: Iterable[Sequence[str]], *, right: Sequence[int] = (), gap: int = GAP, indent: int = 0) -> str:
    """Return rows as lines, each column as wide as its widest cell; `right` lists the columns of numbers.

    In a narrow terminal texts are wrapped, the last column first. Nothing is cut: after a word that is longer than its
    column, the row continues on the next line.
    """
    table = [[plain(cell) for cell in row] for row in rows]
    if not table:
        return ""
    count, room = len(table[0]), shutil.get_terminal_size((120, 24)).columns - indent
    wraps = [i for i in range(count) if i not in right]
    for flexible in ([i for i in wraps if i == count - 1], wraps):
        columns = [Column(right=i in right, least=LEAST_TEXT if i in flexible else None) for i in range(count)]
        cells = widths(table, columns, room, gap)
        if all(cells[i] >= min(LEAST_TEXT, max(cell_len(row[i]) for row in table)) for i in range(count)):
            break
    lines: list[str] = []
    for row in table:
        blocks = [
            wrapped(cell, n) if i in wraps else [cell] for i, (cell, n) in enumerate(zip(row, cells, strict=True))
        ]
        lines += [f"{' ' * indent}{line}".rstrip() for line in _side_by_side(blocks, cells, right, gap)]
    return "\n".join(lines)


LEAST_TEXT = 20
"""The least width of a column of text before the column to its left is wrapped too."""


def _side_by_side(blocks: Sequence[Sequence[str]], cells: Sequence[int], right: Sequence[int], gap: int) -> list[str]:
    """Return the lines of a row: its cells next to each other, or below a cell that is too wide."""
    done: list[str] = []
    lines, at = [""], 0
    for i, (block, n) in enumerate(zip(blocks, cells, strict=True)):
        if not n:
            continue
        if any(cell_len(line) > at - gap for line in lines) and at:
            done, lines = [*done, *lines], [""]
        lines += [""] * (len(block) - len(lines))
        for k, text in enumerate(block):
            lines[k] = _pad(lines[k], at, False) + (_pad(text, n, True) if i in right else text)
        at += n + gap
    return [*done, *lines]


def wrapped(text: str, width: int) -> list[str]:
    """Wrap a text between words to at most `width` cells; every line has the indent of the text."""
    words = text.lstrip(" ")
    indent = " " * (len(text) - len(words))
    lines: list[str] = []
    line = ""
    for word in words.split(" "):
        if line and cell_len(indent + line) + 1 + cell_len(word) > width:
            lines.append(indent + line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, indent + line] if line else lines


def bar(share: float, width: int) -> str:
    """Return a progress bar: `━━━━━───`."""
    full = round(min(max(share, 0.0), 1.0) * width)
    return "━" * full + "─" * (width - full)


def _pad(cell: str, width: int, right: bool) -> str:
    space = " " * (width - cell_len(cell))
    return space + cell if right else cell + space
