"""What a terminal supports, according to TERM, and output reduced to that."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tui.terminal.compact_output import PLAIN, SGR, style_after

_EVERY = frozenset({"1", "2", "3", "4", "5", "6", "7", "8", "9", "21", "51", "52", "53"})
_OF_A_VT = frozenset({"1", "4", "5", "7"})
"""Bold, underline, blink and reverse."""
_VT = re.compile(r"vt\d+.*|.*-m|.*-mono|lisaterm|wy\d+.*|wyse.*", re.ASCII)
_NO_BRAILLE = re.compile(r"linux.*|vt\d+.*|ansi.*|pcansi.*|cons\d+.*|sun.*|wy\d+.*|wyse.*|xterm-old", re.ASCII)
_BEYOND_A_VT = re.compile(r"\x1b\[(?:[<>=][0-9;]*u|\?(?:9|10[0-9]{2}|20[0-9]{2})(?:;[0-9]+)*[hl]|\?[0-9]+\$p|[0-9;]*t)")
"""The keyboard protocol, mouse, paste marks, alternate screen and mode queries: a VT supports none of these."""


@dataclass(frozen=True, slots=True)
class TerminalKind:
    """A kind of terminal."""

    colours: bool = True
    marker: Literal["ascii", "braille"] = "braille"
    """The characters that curves are drawn with."""
    attributes: frozenset[str] = _EVERY
    """The SGR parameters that it supports besides colours."""

    @property
    def is_vt(self) -> bool:
        """Whether it is like a DEC VT: no colours, and none of xterm's modes."""
        return self.attributes == _OF_A_VT


def terminal_kind(environ: Mapping[str, str] = os.environ) -> TerminalKind:
    """Return the kind of terminal that TERM names."""
    term = environ.get("TERM", "")
    is_vt = _VT.fullmatch(term) is not None
    return TerminalKind(
        colours=not is_vt,
        marker="ascii" if _NO_BRAILLE.fullmatch(term) else "braille",
        attributes=_OF_A_VT if is_vt else _EVERY,
    )


def limited(data: str, kind: TerminalKind, *, colours: bool) -> str:
    """Return output without colours, unless `colours` is set, and without what the terminal does not support.

    >>> limited("\\x1b[1;31mbad\\x1b[0m", TerminalKind(), colours=False)
    '\\x1b[0;1mbad\\x1b[0m'
    """
    if colours and kind.colours:
        return data
    style, shown = PLAIN, frozenset[str]()

    def without(found: re.Match[str]) -> str:
        nonlocal style, shown
        style = style_after(style, found[1])
        supported = style[2] & kind.attributes
        if supported == shown:
            return ""
        shown = supported
        return f"\x1b[{';'.join(['0', *sorted(supported)])}m"

    data = SGR.sub(without, data)
    if kind.is_vt:
        # A VT has no alternate screen, so the shell's screen is empty afterwards.
        data = data.replace("\x1b[?1049h", "\x1b[2J").replace("\x1b[?1049l", "\x1b[2J\x1b[H")
        data = _BEYOND_A_VT.sub("", data)
    return data
