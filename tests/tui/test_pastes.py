"""Pasted text is never treated as keys; single and repeated keys always are."""

from __future__ import annotations

import itertools
import os
import signal
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real_terminal import Terminal

from tui.terminal.pastes import BEGIN, END, QUIET_S, Pasted, PasteSorter, Typed

EXAMPLES = 2000 if os.environ.get("TORCHDECK_THOROUGH") else 80


def sorted_as(*reads: str, gap_s: float = 1.0) -> list[Typed | Pasted]:
    sorter, now_s, parts = PasteSorter(), 0.0, []
    for read in reads:
        parts += list(sorter.sort(read, now_s))
        now_s += gap_s
    return [*parts, *sorter.waited()]


def said(parts: list[Typed | Pasted], kind: type) -> str:
    return "".join(part.text for part in parts if isinstance(part, kind))


@pytest.mark.parametrize(
    "command", ["ls\r", "ls -la\n", "torchdeck train wine", "git pull && make\r", "rm -rf x\rt\r", "日本語のコマンド"]
)
def test_a_command_in_one_read_is_a_paste(command: str) -> None:
    (part,) = sorted_as(command)
    assert isinstance(part, Pasted) and part.text == command and not part.marked


@pytest.mark.parametrize(
    "read",
    [
        "t",
        "s\r",
        "jk",
        "jjjjjjjjj",
        "++++",
        "\x1b[A" * 20,
        "\x1b[B\x1b[B\r",
        "\x1b",
        "\x1b\x1b",
        "\x03",
        "\x1bOP",
        "\t\t\t",
        "\x1b[<35;10;10M" * 30,
        "\x1b[?2026;2$y\x1b[48;24;80;480;640t",
        "\x1b]11;rgb:ffff/ffff/ffff\x07",
        "\x1b[1;2A",
    ],
)
def test_keys_a_pressed_key_and_answers_of_the_terminal_are_not_a_paste(read: str) -> None:
    assert [part.text for part in sorted_as(read)] == [read]
    assert isinstance(sorted_as(read)[0], Typed)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=("Cs", "Cc")), max_size=40))
@settings(max_examples=EXAMPLES, deadline=None)
def test_keys_one_by_one_are_typed(text: str) -> None:
    assert said(sorted_as(*text), Typed) == text


MOUSE = "\x1b[<35;10;1"


@given(
    text=st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=("Cs", "Cc")), max_size=60),
    cuts=st.lists(st.integers(1, 70), max_size=5),
    before=st.sampled_from(("", "t", "\x1b[A", MOUSE + "0M")),
    after=st.sampled_from(("", "q", "\x1b[B")),
)
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_marked_paste_is_complete_wherever_reads_split_it(
    text: str, cuts: list[int], before: str, after: str
) -> None:
    whole = before + BEGIN + text + END + after
    places = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    reads = [whole[a:b] for a, b in itertools.pairwise(places)]
    if any(read.endswith("\x1b") for read in reads):
        return  # Escape alone is a key, and is not kept waiting for what may follow
    parts = sorted_as(*reads)
    assert said(parts, Pasted) == text and said(parts, Typed) == before + after
    assert all(part.marked for part in parts if isinstance(part, Pasted))


def test_an_escape_sequence_split_between_two_reads_is_one() -> None:
    assert [part.text for part in sorted_as(MOUSE, "0M" + MOUSE + "1M")] == [MOUSE + "0M" + MOUSE + "1M"]
    assert [part.text for part in sorted_as("\x1b[", gap_s=0)] == ["\x1b["]  # nothing followed


def test_later_pieces_of_a_paste_are_not_keys_and_a_key_after_them_is() -> None:
    assert said(sorted_as("torchdeck tr", "a", "in wine", gap_s=0.02), Typed) == ""
    assert said(sorted_as("torchdeck tr", "t"), Typed) == "t"


def test_text_after_a_programs_typing_is_typing_however_soon() -> None:
    sorter = PasteSorter()
    (part,) = sorter.sort("conv2d", 1.0)
    assert isinstance(part, Pasted)
    part.was_typing()
    assert [type(part) for part in sorter.sort("\r", 1.001)] == [Typed]


def test_control_characters_pass_unchanged() -> None:
    assert [part.text for part in sorted_as("\x15\x1b[Amake all\x03")] == ["\x15\x1b[A", "make all", "\x03"]
    parts = sorted_as("make\x1b[A all\x03")
    assert said(parts, Pasted) == "make all" and said(parts, Typed) == "\x1b[A\x03"


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path)
    opened.until("18,602")
    yield opened
    opened.end()


def test_a_paste_outside_a_field_is_ignored_with_a_notification(terminal: Terminal, tmp_path: Path) -> None:
    terminal.press("torchdeck train wine\r")
    terminal.until("Text was pasted outside a field")
    terminal.press(f"{BEGIN}torchdeck train wine\r{END}")
    terminal.until(lambda: terminal.text.count("Text was pasted outside a field") == 2)
    time.sleep(2 * QUIET_S)  # as any person waits: a letter within that time may be the end of the paste
    assert "1 Design  2 Train" in terminal.text and "Presets" in terminal.text
    assert not (tmp_path / "started").exists()
    terminal.press("t")
    terminal.until(lambda: (tmp_path / "started").exists())


def test_a_field_accepts_a_line_of_a_paste_in_one_piece(terminal: Terminal) -> None:
    terminal.press("\x0f")
    terminal.until("type to filter")
    began = time.monotonic()
    terminal.press(BEGIN + "a" * (1 << 20) + END)
    terminal.until("the first 10,000 of 1,048,576")
    assert time.monotonic() - began < 10
    terminal.press("\x15")  # ctrl+u
    terminal.until("type to filter")
    terminal.press(f"{BEGIN}one\ntwo{END}")
    terminal.until("the first line of the pasted text")
    assert "one" in terminal.text and "two" not in terminal.text
    terminal.press("\x15")
    terminal.until("type to filter")
    terminal.press("nothing is called so")  # as a program types
    terminal.until("nothing is called so")


def test_ctrl_z_gives_the_shell_a_clean_terminal_and_the_deck_returns_at_the_new_size(terminal: Terminal) -> None:
    deck = terminal.deck()
    terminal.press("\x1a")
    terminal.until(lambda: "\tT" in Path(f"/proc/{deck}/status").read_text() or _state(deck) == "T")
    terminal.read(0.3)
    assert terminal.is_restored()
    terminal.screen.resize(30, 100)
    termios.tcsetwinsize(terminal.descriptor, (30, 100))
    terminal.screen.reset()
    os.killpg(terminal.pid, signal.SIGCONT)
    terminal.until(lambda: "Presets" in terminal.text and "18,602" in terminal.text and "Help" in terminal.text)
    terminal.until(lambda: "palette" in terminal.screen.display[29])
    terminal.press("q")
    assert terminal.status() == 0


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_ctrl_l_draws_again_what_another_program_overwrote(terminal: Terminal) -> None:
    terminal.until("palette")
    terminal.read(0.5)
    before = terminal.text
    terminal._stream.feed(b"\x1b[2J\x1b[5;5Hwall: the machine goes down")
    assert terminal.text != before
    terminal.press("\x0c")
    terminal.until(lambda: terminal.text == before)
