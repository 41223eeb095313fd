"""The deck in a real terminal: its first frame, its keys, and what it leaves behind however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pexpect
import pyte
import pytest

PROGRAM = Path(__file__).parent / "deck_program.py"
HELD_TORCH = Path(__file__).parent / "held_torch_program.py"
AS_A_SHELL = 'trap : HUP; "$@"; echo "status=$?"; sleep 60'
"""What stands between terminal and deck in life: it keeps the terminal, so that its state can be read afterwards."""
PATIENCE_S = 25

LEFT_SCREEN = b"\x1b[?1049l"
CURSOR_SHOWN = b"\x1b[?25h"


class Terminal:
    """A pseudo-terminal with the deck in it, and what stands on its screen."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        size: tuple[int, int] = (120, 36),
        program: Path = PROGRAM,
        **environ: str,
    ) -> None:
        self.screen = pyte.Screen(*size)
        self.written = b""
        self._stream = pyte.ByteStream(self.screen)
        state = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "XDG_STATE_HOME": str(folder / "state")}
        clean = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        self.child = pexpect.spawn(
            "/bin/sh",
            ["-c", AS_A_SHELL, "sh", sys.executable, str(program), str(folder), *options],
            dimensions=(size[1], size[0]),
            env=clean | state | environ,
        )
        self.before = termios.tcgetattr(self.child.child_fd)

    def read(self, seconds: float = 0.1) -> None:
        try:
            data = self.child.read_nonblocking(1 << 16, timeout=seconds)
        except (pexpect.TIMEOUT, pexpect.EOF):
            return
        self.written += data
        # pyte does not know the keyboard protocol's "CSI < u" and would print its last letter.
        self._stream.feed(data.replace(b"\x1b[<u", b""))

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    def until(self, condition: str | Callable[[], bool]) -> None:
        """Read until something stands on the screen, or holds."""
        there = condition if callable(condition) else lambda: condition in self.text
        end = time.monotonic() + PATIENCE_S
        while not there():
            assert time.monotonic() < end, f"{condition!r} did not come:\n{self.text}"
            self.read()

    def press(self, keys: str) -> None:
        self.child.send(keys)

    def deck(self) -> int:
        """The deck's process."""
        children = Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children")
        self.until(lambda: bool(children.read_text().split()))
        return int(children.read_text().split()[0])

    def status(self) -> int:
        """Wait until the deck has gone; its exit status."""
        self.until(lambda: b"status=" in self.written and self.written.split(b"status=")[1].strip() != b"")
        return int(self.written.split(b"status=")[1].split()[0])

    def is_restored(self) -> bool:
        """The first screen is back, the cursor shows, lines are edited and echoed as before."""
        after = termios.tcgetattr(self.child.child_fd)
        left, shown = self.written.rfind(LEFT_SCREEN), self.written.rfind(CURSOR_SHOWN)
        return after[:4] == self.before[:4] and left > self.written.rfind(b"\x1b[?1049h") and shown > -1

    def hang_up(self) -> None:
        """The terminal itself goes: SIGHUP, reads end, writes fail."""
        os.close(self.child.child_fd)

    def end(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)

    def log(self, folder: Path) -> str:
        return (folder / "state" / "torchdeck" / "deck.log").read_text()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    terminals = []

    def open_(*options: str, **environ: Any) -> Terminal:
        terminals.append(Terminal(tmp_path, *options, **environ))
        return terminals[-1]

    yield open_
    for terminal in terminals:
        terminal.end()


def test_the_deck_is_on_the_screen_and_answers_keys_before_torch_is_there(
    opened: Callable[..., Terminal], tmp_path: Path
) -> None:
    terminal = opened(program=HELD_TORCH)
    terminal.until("mackey-glass-gru")
    terminal.until("loading torch…")
    terminal.until(lambda: (tmp_path / "torch-asked-for").exists())
    terminal.press("j")
    terminal.until("╭─ digits-lstm ─")
    terminal.press("\r")
    terminal.until("torchdeck ─ digits-lstm")
    assert "loading torch…" in terminal.text
    (tmp_path / "torch-may-come").touch()
    terminal.until("19,594 parameters")
    terminal.press("q")
    assert terminal.status() == 0
    assert terminal.is_restored()


def test_leaving_does_not_wait_for_torch(opened: Callable[..., Terminal], tmp_path: Path) -> None:
    terminal = opened(program=HELD_TORCH)
    terminal.until(lambda: (tmp_path / "torch-asked-for").exists())
    terminal.press("q")
    assert terminal.status() == 0
    assert terminal.is_restored()


def test_open_move_look_at_a_plan_and_quit(opened: Callable[..., Terminal]) -> None:
    terminal = opened(size=(80, 24))
    terminal.until("18,602 parameters")
    terminal.press("\x1b[B")
    terminal.until("╭─ lenet ─")
    terminal.press("\r")
    terminal.until("torchdeck ─ lenet")
    terminal.until("Conv2d 32")
    terminal.press("\x1b[B")
    terminal.until("╭─ BatchNorm2d ─")
    terminal.press("?")
    terminal.until("╭─ Help ─")
    terminal.press("\x1b")
    terminal.until(lambda: "╭─ Help ─" not in terminal.text)
    terminal.press("q")
    assert terminal.status() == 0
    assert terminal.is_restored()


def test_what_native_code_writes_goes_to_the_log_and_not_to_the_screen(
    opened: Callable[..., Terminal], tmp_path: Path
) -> None:
    terminal = opened("--native")
    terminal.until("18,602 parameters")
    terminal.press("q")
    terminal.status()
    assert b"NATIVE" not in terminal.written and b"PRINTED" not in terminal.written
    log = terminal.log(tmp_path)
    assert all(said in log for said in ("NATIVE-ONE", "NATIVE-TWO", "PRINTED"))


def test_child_processes_inherit_real_streams_that_are_not_the_screen(
    opened: Callable[..., Terminal], tmp_path: Path
) -> None:
    terminal = opened("--spawn")
    terminal.until("18,602 parameters")
    terminal.press("q")
    terminal.status()
    assert (tmp_path / "spawned").read_text() == "0 2 1"
    assert "CHILD" in terminal.log(tmp_path)
    assert b"CHILD" not in terminal.written


def test_stopping_from_the_deck_waits_for_the_run_and_says_where_it_is(
    opened: Callable[..., Terminal], tmp_path: Path
) -> None:
    terminal = opened("--train")
    terminal.until("● training")
    terminal.press("q")
    terminal.until("Leave the deck?")
    terminal.press("\x1b[B\r")
    assert terminal.status() == 0
    assert terminal.is_restored()
    assert (tmp_path / "ended").read_text() == "stopped"
    assert b"Stopped by hand at step 40." in terminal.written
    assert b"The run is in" in terminal.written


def test_a_lost_connection_takes_no_run_with_it(opened: Callable[..., Terminal], tmp_path: Path) -> None:
    terminal = opened("--train", "--run-s", "4")
    terminal.until("● training")
    deck = terminal.deck()
    terminal.hang_up()
    wait_for((tmp_path / "ended").exists)
    assert (tmp_path / "ended").read_text() == "completed"
    wait_for(lambda: not Path(f"/proc/{deck}").exists())


def test_a_hangup_twice_over_does_not_end_the_run_either(opened: Callable[..., Terminal], tmp_path: Path) -> None:
    terminal = opened("--train", "--run-s", "3")
    terminal.until("● training")
    deck = terminal.deck()
    for _ in range(3):
        os.kill(deck, signal.SIGHUP)
        time.sleep(0.4)
    assert terminal.status() == 0
    assert (tmp_path / "ended").read_text() == "completed"
    assert terminal.is_restored()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_to_end_saves_the_run_restores_the_terminal_and_says_how_to_go_on(
    opened: Callable[..., Terminal], tmp_path: Path, number: signal.Signals
) -> None:
    terminal = opened("--train")
    terminal.until("● training")
    os.kill(terminal.deck(), number)
    assert terminal.status() == 130
    assert terminal.is_restored()
    assert (tmp_path / "ended").read_text() == "interrupted"
    assert b"torchdeck resume " in terminal.written


def test_a_request_to_end_a_deck_without_a_run_ends_it(opened: Callable[..., Terminal]) -> None:
    terminal = opened()
    terminal.until("18,602 parameters")
    os.kill(terminal.deck(), signal.SIGTERM)
    assert terminal.status() == 128 + signal.SIGTERM
    assert terminal.is_restored()


def test_a_crash_of_the_deck_is_said_in_a_sentence_and_the_run_goes_on_to_its_end(
    opened: Callable[..., Terminal], tmp_path: Path
) -> None:
    terminal = opened("--train", "--crash", "--run-s", "4")
    terminal.until("● training")
    terminal.press("\x1b[24~")
    assert terminal.status() == 0
    assert terminal.is_restored()
    assert (tmp_path / "ended").read_text() == "completed"
    assert b"The deck broke: NoMatches" in terminal.written
    assert b"goes on without it" in terminal.written
    assert b"Traceback" not in terminal.written
    assert "Traceback" in terminal.log(tmp_path)


def test_ctrl_c_after_a_crash_saves_the_run(opened: Callable[..., Terminal], tmp_path: Path) -> None:
    terminal = opened("--train", "--crash")
    terminal.until("● training")
    terminal.press("\x1b[24~")
    terminal.until(lambda: b"goes on without it" in terminal.written)
    os.kill(terminal.deck(), signal.SIGINT)
    assert terminal.status() == 130
    assert (tmp_path / "ended").read_text() == "interrupted"


def test_without_colours_no_colour_is_written(opened: Callable[..., Terminal]) -> None:
    terminal = opened(NO_COLOR="1")
    terminal.until("18,602 parameters")
    terminal.press("1")
    terminal.until("Conv2d 32")
    terminal.press("q")
    terminal.status()
    coloured = [part for part in terminal.written.split(b"\x1b[")[1:] if part[:3] in (b"38;", b"48;")]
    assert coloured == []


def test_where_there_is_no_terminal_the_deck_says_so(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, str(PROGRAM), str(tmp_path)], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert said.returncode == 2
    assert said.stderr == "The deck needs a terminal: standard input is not a terminal.\n"
    assert said.stdout == ""


def test_a_dumb_terminal_is_refused(opened: Callable[..., Terminal]) -> None:
    terminal = opened(TERM="dumb")
    assert terminal.status() == 2
    assert b"TERM is dumb" in terminal.written
    assert LEFT_SCREEN not in terminal.written


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
