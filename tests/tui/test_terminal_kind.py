"""The output for terminals without colours or braille, read from the bytes in a real terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_terminal import Terminal

from tui.preferences.themes import PLAIN, theme_name
from tui.terminal.kind import TerminalKind, limited, terminal_kind

SGR = re.compile(rb"\x1b\[([0-9;]*)m")
BRAILLE = re.compile("[\u2800-\u28ff]")


def codes(written: bytes) -> set[str]:
    """The parameters of the SGR sequences in it."""
    return {code for found in SGR.finditer(written) for code in (found[1].decode() or "0").split(";")}


def is_colour(code: str) -> bool:
    return 30 <= int(code) <= 49 or 90 <= int(code) <= 107


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[list[Terminal]]:
    there: list[Terminal] = []
    yield there
    for terminal in there:
        terminal.end()


def walk(terminal: Terminal) -> None:
    """Look at every screen that draws."""
    terminal.until("18,602")
    terminal.press("\r")
    terminal.until("╭─ Conv2d")
    terminal.press("p")
    terminal.until("Close")
    terminal.press("\x1b")
    terminal.until("Rate finder")
    terminal.press("t")
    terminal.until("training")
    terminal.read(1.0)
    terminal.press("s")
    terminal.until("Stop this run?")
    terminal.press("\x1b")
    terminal.until(lambda: "Stop this run?" not in terminal.text)


@pytest.mark.parametrize("how", ["setting", "NO_COLOR"])
def test_without_colours_no_colour_is_written(how: str, tmp_path: Path, opened: list[Terminal]) -> None:
    file = tmp_path / "config" / "torchdeck" / "settings.toml"
    file.parent.mkdir(parents=True)
    file.write_text('theme = "none"\n' if how == "setting" else "")
    terminal = Terminal(tmp_path, **({"NO_COLOR": "1"} if how == "NO_COLOR" else {}))
    opened.append(terminal)
    walk(terminal)
    assert not [code for code in codes(terminal.written) if is_colour(code)]
    assert codes(terminal.written) & {"1", "4", "7"}  # the cursor shows all the same
    assert BRAILLE.search(terminal.written.decode("utf-8", "replace"))


@pytest.mark.parametrize("term", ["vt100", "vt220", "xterm-mono"])
def test_a_vt_gets_only_what_it_supports(term: str, tmp_path: Path, opened: list[Terminal]) -> None:
    terminal = Terminal(tmp_path, TERM=term, COLORTERM="")
    opened.append(terminal)
    walk(terminal)
    assert codes(terminal.written) <= {"0", "1", "4", "5", "7"}
    private = set(re.findall(rb"\x1b\[([?<>=][0-9;]*[a-zA-Z])", terminal.written))
    assert private <= {b"?25l", b"?25h", b"?7l", b"?7h"}
    if term.startswith("vt"):
        assert not BRAILLE.search(terminal.written.decode("utf-8", "replace"))


def test_a_linux_console_has_colours_and_no_braille(tmp_path: Path, opened: list[Terminal]) -> None:
    terminal = Terminal(tmp_path, TERM="linux", COLORTERM="")
    opened.append(terminal)
    walk(terminal)
    assert any(is_colour(code) for code in codes(terminal.written))
    assert not BRAILLE.search(terminal.written.decode("utf-8", "replace"))


@pytest.mark.parametrize(
    ("term", "colours", "marker"),
    [
        ("xterm-256color", True, "braille"),
        ("screen", True, "braille"),
        ("", True, "braille"),
        ("linux", True, "ascii"),
        ("vt102", False, "ascii"),
        ("ansi", True, "ascii"),
        ("wy60", False, "ascii"),
        ("xterm-mono", False, "braille"),
    ],
)
def test_the_kind_of_a_terminal_follows_from_its_name(term: str, colours: bool, marker: str) -> None:
    kind = terminal_kind({"TERM": term})
    assert (kind.colours, kind.marker) == (colours, marker)
    assert (theme_name({"TERM": term}, "dark") == PLAIN.name) == (not colours)


def test_a_style_is_reduced_to_what_the_terminal_supports() -> None:
    vt = terminal_kind({"TERM": "vt100"})
    assert limited("\x1b[2;38;2;1;2;3;48;5;7mdim\x1b[0m", vt, colours=True) == "dim"
    assert limited("\x1b[7;91mX\x1b[27;1mY\x1b[0m", vt, colours=True) == "\x1b[0;7mX\x1b[0;1mY\x1b[0m"
    assert limited("\x1b[31mred\x1b[0m", TerminalKind(), colours=True) == "\x1b[31mred\x1b[0m"
    assert limited("\x1b[?1049h\x1b[?2004h\x1b[>1u\x1b[5;5H", vt, colours=False) == "\x1b[2J\x1b[5;5H"
