"""Make the README's pictures: the deck in a pseudo-terminal, training and designing for real, drawn as PNGs.

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
from collections.abc import Callable, Generator
from pathlib import Path

import pexpect
import pyte
from PIL import Image, ImageDraw, ImageFont

HERE = Path(__file__).parent
COLUMNS, ROWS = 120, 36
CELL_W, CELL_H, FONT_SIZE = 9, 19, 15
PAPER, INK = "#1e1e1e", "#d8d8d8"
FONT = "DejaVuSansMono.ttf"
DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
"""Column and row of each bit of a braille character."""

Screen = pyte.Screen


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder
        train(f"{folder}/runs")
        design(f"{folder}/runs")


def design(runs: str) -> None:
    """A residual network under the cursor of the parts, the learning rate of its run beside it."""
    frames = screens("design", "resnet-digits", "--runs-dir", runs)
    screen, send = next(f for f in frames if shows(f[0], "parameters"))
    # To the parts of the experiment, and down to the fifth: the scheduler.
    for key in ("\x1b[Z", *["\x1b[B"] * 4):
        send(key)
    next(f for f in frames if shows(f[0], "warmup_epochs") and shows(f[0], "◆"))
    draw(screen).save(HERE / "design.png", optimize=True)
    frames.close()


def train(runs: str) -> None:
    """A run under way."""
    options = ["--set", "training.epochs=150", "--set", "training.early_stopping.patience=99", "--runs-dir", runs]
    frames = screens("train", "digits-cnn", *options)
    # The deck spaces its frames; a key draws one at once, so the picture is of one moment.
    for epoch, key in ((40, "+"), (90, "L"), (90, "S"), (90, "S"), (90, "S")):
        screen, send = next(f for f in frames if epoch_of(f[0]) >= epoch)
        send(key)
    until = time.monotonic() + 0.7
    while time.monotonic() < until:
        screen, _send = next(frames)
    draw(screen).save(HERE / "train.png", optimize=True)
    frames.close()


def screens(*arguments: str) -> Generator[tuple[Screen, Callable[[str], object]], None, None]:
    """The deck's screen whenever something was written to it, and the way to type."""
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    command = [sys.executable, "-m", "tui.cli", *arguments]
    child = pexpect.spawn(command[0], command[1:], dimensions=(ROWS, COLUMNS), env=environment, timeout=60)
    screen = Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    try:
        while True:
            stream.feed(child.read_nonblocking(1 << 16, timeout=60))
            yield screen, child.send
    finally:
        child.kill(signal.SIGKILL)  # a hang-up would not end the run
        child.wait()


def shows(screen: Screen, text: str) -> bool:
    return text in "\n".join(screen.display)


def epoch_of(screen: Screen) -> int:
    found = re.search(r"epoch (\d+)/", "\n".join(screen.display))
    return int(found[1]) if found else 0


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
