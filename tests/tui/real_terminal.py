"""A real terminal for tests: a pseudo-terminal with the deck in it, and what stands on its screen.

The deck is forked from a process that has imported torch, which takes fractions of a second where a fresh one takes
three. A test of what a fresh process does asks for one.
"""

from __future__ import annotations

import os
import signal
import sys
import termios
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pexpect
import pyte
from pexpect import fdpexpect

sys.path.append(str(Path(__file__).parents[1]))
import warm_torchdeck

PROGRAM = Path(__file__).parent / "deck_program.py"
WARM = Path(__file__).parent / "warm_terminal.py"
HELD_TORCH = Path(__file__).parent / "held_torch_program.py"
AS_A_SHELL = 'trap : HUP; "$@"; echo "status=$?"; sleep 60'
"""What stands between terminal and deck in life: it keeps the terminal, so that its state can be read afterwards."""
PATIENCE_S = 60
BEGIN_S = 120
"""For the first fork of all, which waits until torch is imported."""

LEFT_SCREEN = b"\x1b[?1049l"
CURSOR_SHOWN = b"\x1b[?25h"


_warm: warm_torchdeck.Warm | None = None


def _of_warm(request: Mapping[str, Any]) -> int:
    """Begin a program in a terminal, forked; the process that stands for the shell."""
    global _warm
    if _warm is None or not _warm.alive:
        _warm = warm_torchdeck.Warm(WARM)
    pid: int = _warm.ask(request, BEGIN_S)["pid"]
    return pid


class Terminal:
    """A pseudo-terminal with the deck in it, and what stands on its screen."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        size: tuple[int, int] = (120, 36),
        program: Path = PROGRAM,
        fresh: bool = False,
        **environ: str,
    ) -> None:
        self.screen = pyte.Screen(*size)
        self.written = b""
        self._hung_up = False
        self._stream = pyte.ByteStream(self.screen)
        state = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "XDG_STATE_HOME": str(folder / "state")}
        state["XDG_CONFIG_HOME"] = str(folder / "config")
        environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | state | environ
        if fresh or not warm_torchdeck.begins_alike(environment):
            shell = ["-c", AS_A_SHELL, "sh", sys.executable, str(program), str(folder), *options]
            self.child = pexpect.spawn("/bin/sh", shell, dimensions=(size[1], size[0]), env=environment)
            self.pid, self.descriptor = self.child.pid, self.child.child_fd
            self.before = termios.tcgetattr(self.descriptor)
        else:
            self.descriptor, device = os.openpty()
            termios.tcsetwinsize(self.descriptor, (size[1], size[0]))
            self.child = fdpexpect.fdspawn(self.descriptor)
            self.before = termios.tcgetattr(self.descriptor)
            request = {"program": str(program), "arguments": [str(folder), *options], "cwd": os.getcwd()}
            self.pid = _of_warm(request | {"environment": environment, "terminal": os.ttyname(device)})
            os.close(device)

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
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        self.until(lambda: bool(children.read_text().split()))
        return int(children.read_text().split()[0])

    def status(self) -> int:
        """Wait until the deck has gone; its exit status."""
        self.until(lambda: b"status=" in self.written and self.written.split(b"status=")[1].strip() != b"")
        return int(self.written.split(b"status=")[1].split()[0])

    def is_restored(self) -> bool:
        """The first screen is back, the cursor shows, lines are edited and echoed as before."""
        after = termios.tcgetattr(self.descriptor)
        left, shown = self.written.rfind(LEFT_SCREEN), self.written.rfind(CURSOR_SHOWN)
        return after[:4] == self.before[:4] and left > self.written.rfind(b"\x1b[?1049h") and shown > -1

    def hang_up(self) -> None:
        """The terminal itself goes: SIGHUP, reads end, writes fail."""
        if not self._hung_up:
            os.close(self.descriptor)
        self._hung_up = True

    def end(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        if isinstance(self.child, fdpexpect.fdspawn):
            self.hang_up()

    def log(self, folder: Path) -> str:
        return (folder / "state" / "torchdeck" / "deck.log").read_text()
