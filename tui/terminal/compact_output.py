"""Fewer bytes for the same screen: only cells and colours that changed are written.

Textual writes a changed span from the left edge of its widget, and each piece of text between its full style and a
reset. Over SSH, the bytes of a frame decide how long a person waits.
"""

from __future__ import annotations

import re

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate

SGR = re.compile(r"\x1b\[([0-9;]*)m")
_NOT_PRINTED = re.compile(r"(?:\x1b\[\d+;\d+H|\n)*")
"""Cursor movements, which look the same in any style."""
_SEEN_ON_BLANKS = frozenset({"4", "7", "9", "21", "51", "52", "53"})
"""Underline, reverse, strike and frames: they are visible on blanks."""
_OFF = {"1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "6": "25", "7": "27", "8": "28", "9": "29", "21": "24"}
_OFF |= {"51": "54", "52": "54", "53": "55"}

Style = tuple[str, str, frozenset[str]]
"""Foreground, background and attributes as SGR parameters; empty for the terminal's defaults."""
PLAIN: Style = ("", "", frozenset())


class ExactUpdate(ChopsUpdate):
    """Textual's update, but each changed span starts at its first cell, not at its widget's edge."""

    def render_segments(self, console: Console) -> str:
        """Return the escape sequences and the text to write."""
        written: list[str] = []
        for y, x1, x2 in self.spans:
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                if strip is None or x >= x2 or end <= x1:
                    continue
                start, stop = max(x, x1), min(end, x2)
                part = strip if (start, stop) == (x, end) else strip.crop(start - x, stop - x)
                written += [Control.move_to(start, y).segment.text, part.render(console)]
        return "".join(written)


def compact(data: str) -> str:
    """Return the same output with fewer SGR sequences. It starts and ends in the terminal's default style."""
    if "\x1b[" not in data:
        return data
    written: list[str] = []
    now = target = PLAIN
    at = 0
    for found in SGR.finditer(data):
        now = _write(written, data[at : found.start()], now, target)
        target = style_after(target, found[1])
        at = found.end()
    now = _write(written, data[at:], now, target)
    written.append(_change(now, target))
    return "".join(written)


def _write(written: list[str], text: str, now: Style, target: Style) -> Style:
    """Write a text in a style; returns the style that the terminal then has."""
    if not text:
        return now
    if not _NOT_PRINTED.fullmatch(text):
        if text.isspace() and not target[2] & _SEEN_ON_BLANKS and not now[2] & _SEEN_ON_BLANKS:
            target = (now[0], target[1], now[2])  # only the background of blanks is visible
        written.append(_change(now, target))
        now = target
    written.append(text)
    return now


def style_after(style: Style, parameters: str) -> Style:
    """Return the style after an SGR sequence."""
    foreground, background, attributes = style
    codes = parameters.split(";")
    at = 0
    while at < len(codes):
        code = codes[at] or "0"
        length = 1
        if code in ("38", "48"):
            length = 5 if codes[at + 1 : at + 2] == ["2"] else 3
            colour = ";".join(codes[at : at + length])
            foreground, background = (colour, background) if code == "38" else (foreground, colour)
        elif code == "0":
            foreground, background, attributes = PLAIN
        elif code == "39" or (len(code) == 2 and code[0] == "3") or (len(code) == 2 and code[0] == "9"):
            foreground = "" if code == "39" else code
        elif code == "49" or (len(code) == 2 and code[0] == "4") or (len(code) == 3 and code[:2] == "10"):
            background = "" if code == "49" else code
        elif code in _OFF:
            attributes = attributes | {code}
        else:
            attributes = frozenset(one for one in attributes if _OFF[one] != code)
        at += length
    return foreground, background, attributes


def _change(now: Style, target: Style) -> str:
    """Return the shortest SGR sequence that changes one style into another; empty if they are equal."""
    if now == target:
        return ""
    if target == PLAIN:
        return "\x1b[0m"
    gone = {_OFF[one] for one in now[2] - target[2]}
    kept = {one for one in now[2] & target[2] if _OFF[one] not in gone}
    codes = [*sorted(gone), *sorted(target[2] - kept)]
    if now[0] != target[0]:
        codes.append(target[0] or "39")
    if now[1] != target[1]:
        codes.append(target[1] or "49")
    reset = ["0", *sorted(target[2]), *filter(None, target[:2])]
    return min((f"\x1b[{';'.join(parts)}m" for parts in (codes, reset)), key=len)
