"""Plain text for a terminal: columns, bars, and nothing in it that the terminal would take as an order."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Sequence
from typing import Any

from rich.cells import cell_len

from engine.json_numbers import json_number

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def plain(text: str) -> str:
    """`text` with its control characters shown, not sent: a name or a label may hold a terminal's escape sequences.

    >>> plain("a\\x1b[2Jb")
    'a␛[2Jb'
    """
    return _CONTROL.sub(lambda m: chr(0x2400 + ord(m[0])) if ord(m[0]) < 0x20 else "␡", text)


def json_line(value: Any) -> str:
    """`value` as one line of JSON: letters as they are, and no control character in it, C1 and DEL neither.

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
    """A line of JSON with what JSON lets stand in strings, and a terminal would obey, escaped: C1 and DEL.

    >>> plain_json('{"name": "a\x9b2Jb"}')
    '{"name": "a\\u009b2Jb"}'
    """
    return _CONTROL.sub(lambda m: f"\\u{ord(m[0]):04x}", line)


def columns(rows: Iterable[Sequence[str]], *, right: Sequence[int] = (), gap: int = 2, indent: int = 0) -> str:
    """Rows under each other, each column as wide as its widest cell; `right` names the columns of numbers.

    The last column is wrapped to the width of the terminal.
    """
    table = [[plain(cell) for cell in row] for row in rows]
    if not table:
        return ""
    widths = [max(cell_len(row[i]) for row in table) for i in range(len(table[0]))]
    room = max(20, shutil.get_terminal_size((120, 24)).columns - indent - sum(widths[:-1]) - gap * (len(widths) - 1))
    lines = []
    for row in table:
        padded = [_pad(cell, width, i in right) for i, (cell, width) in enumerate(zip(row, widths, strict=True))]
        start = " " * indent + (" " * gap).join([*padded[:-1], ""])
        last = padded[-1] if len(row) - 1 in right else row[-1]
        first, *rest = wrapped(last, room) or [""]
        lines.append((start + first).rstrip())
        lines += [" " * cell_len(start) + line for line in rest]
    return "\n".join(lines)


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` cells, broken between words."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        if line and cell_len(line) + 1 + cell_len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line] if line else lines


def bar(share: float, width: int) -> str:
    """How much of something is done: `━━━━━───`."""
    full = round(min(max(share, 0.0), 1.0) * width)
    return "━" * full + "─" * (width - full)


def _pad(cell: str, width: int, right: bool) -> str:
    space = " " * (width - cell_len(cell))
    return space + cell if right else cell + space
