"""Make the pictures of README: the deck trains and designs in a pseudo-terminal, drawn as PNGs.

    python tests/pictures/make.py

Needs a monospace font with box drawing (Debian: fonts-dejavu-core).
"""

from __future__ import annotations

import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pyte
from PIL import Image, ImageDraw, ImageFont

HERE = Path(__file__).parent
COLUMNS, ROWS = 120, 36
EPOCHS = 60
PATIENCE_S = 120
CELL_W, CELL_H, FONT_SIZE = 9, 19, 15
PAPER, INK = "#1e1e1e", "#d8d8d8"
FONT = "DejaVuSansMono.ttf"
DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
"""Column and row of each bit of a braille character."""

FRAME_S = 0.05
"""A frame is on the screen when nothing has followed it for so long: the deck writes one at a time."""
STILL_S = 0.7
"""When nothing has been written for so long, every panel shows the last step: no drawing waits for its budget."""

Screen = pyte.Screen


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = os.environ["XDG_CONFIG_HOME"] = folder
        train(f"{folder}/runs")
        design(f"{folder}/runs")


def design(runs: str) -> None:
    """The design screen of a residual network, with the learning rate of its run."""
    with Deck("design", "resnet-digits", "--runs-dir", runs) as deck:
        deck.until(lambda: deck.shows("parameters"))
        # To the parts of the experiment, and down to the fifth: the scheduler.
        for key in ("\x1b[Z", *["\x1b[B"] * 4):
            deck.send(key)
        deck.until(lambda: deck.shows("warmup_epochs") and deck.shows("◆"))
        deck.read_until_still()
        draw(deck.screen).save(HERE / "design.png", optimize=True)


def train(runs: str) -> None:
    """A run under way, at one step: held until every panel shows it, and taken in the first frame after that."""
    options = ["--set", f"training.epochs={EPOCHS}", "--set", "training.early_stopping.patience=15", "--runs-dir", runs]
    with Deck("train", "digits-cnn", *options) as deck:
        deck.until(lambda: deck.shows("● training"))
        for epoch, key in ((EPOCHS // 4, "+"), (EPOCHS * 3 // 5, "p")):
            deck.until(lambda epoch=epoch: deck.epoch >= epoch)  # type: ignore[misc]
            deck.send(key)
        deck.until(lambda: deck.shows("‖ paused"))
        deck.read_until_still()
        held_at = deck.step
        deck.send("p")
        deck.until(lambda: deck.shows("● training") and deck.step > held_at)
        draw(deck.screen).save(HERE / "train.png", optimize=True)


class Deck:
    """torchdeck in a pseudo-terminal, and what stands on its screen."""

    def __init__(self, *arguments: str) -> None:
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        command = [sys.executable, "-m", "tui.cli", *arguments]
        self._child = pexpect.spawn(command[0], command[1:], dimensions=(ROWS, COLUMNS), env=environment)
        self.screen = Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self.screen)

    def __enter__(self) -> Deck:
        return self

    def __exit__(self, *raised: object) -> None:
        self._child.kill(signal.SIGKILL)  # a hang-up would not end the run
        self._child.wait()

    def send(self, key: str) -> None:
        self._child.send(key)

    def read(self, quiet_s: float) -> bool:
        """Read what is written; whether nothing was for so long."""
        try:
            self._stream.feed(self._child.read_nonblocking(1 << 16, timeout=quiet_s))
        except pexpect.TIMEOUT:
            return True
        return False

    def until(self, condition: Callable[[], bool]) -> None:
        """Read until a whole frame is on the screen that meets a condition."""
        end = time.monotonic() + PATIENCE_S
        while not (self.read(FRAME_S) and condition()):
            if time.monotonic() > end:
                raise TimeoutError("\n".join(self.screen.display))

    def read_until_still(self) -> None:
        """Read until nothing changes any more."""
        while not self.read(STILL_S):
            pass

    def shows(self, text: str) -> bool:
        return text in "\n".join(self.screen.display)

    @property
    def epoch(self) -> int:
        return self._number(r"epoch (\d+)/")

    @property
    def step(self) -> int:
        return self._number(r"step ([\d,]+)/")

    def _number(self, pattern: str) -> int:
        found = re.search(pattern, "\n".join(self.screen.display))
        return int(found[1].replace(",", "")) if found else 0


def draw(screen: Screen) -> Image.Image:
    """Text from the font; braille and blocks dot by dot, so that a curve looks as it does in a terminal."""
    image = Image.new("RGB", (COLUMNS * CELL_W, ROWS * CELL_H), PAPER)
    pen, font = ImageDraw.Draw(image), ImageFont.truetype(FONT, FONT_SIZE)
    for row in range(ROWS):
        for column in range(COLUMNS):
            cell = screen.buffer[row][column]
            ink, paper = colour(cell.fg, INK), colour(cell.bg, PAPER)
            if cell.reverse:
                ink, paper = paper, ink
            x, y = column * CELL_W, row * CELL_H
            pen.rectangle((x, y, x + CELL_W - 1, y + CELL_H - 1), fill=paper)
            code = ord(cell.data[0]) if cell.data else 32
            if 0x2800 <= code <= 0x28FF:
                for bit, (across, down) in enumerate(DOTS):
                    if (code - 0x2800) >> bit & 1:
                        left, top = x + 1 + 4 * across, y + 2 + 4 * down
                        pen.rectangle((left, top, left + 2, top + 2), fill=ink)
            elif 0x2581 <= code <= 0x2588:
                pen.rectangle((x, y + CELL_H - CELL_H * (code - 0x2580) // 8, x + CELL_W - 1, y + CELL_H - 1), fill=ink)
            elif cell.data.strip():
                pen.text((x, y), cell.data, font=font, fill=ink)
    return image


def colour(name: str, default: str) -> str:
    return f"#{name}" if re.fullmatch(r"[0-9a-fA-F]{6}", name) else default


if __name__ == "__main__":
    main()
