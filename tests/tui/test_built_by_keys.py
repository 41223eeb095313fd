"""By keys alone, in a real terminal of 80×24: a network is built from an empty model, trained, stopped and saved.

The saved file then trains without the deck to the same losses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import warm_torchdeck
from real_terminal import Terminal

DECK = Path(__file__).parent / "whole_deck_program.py"
UP, DOWN, RIGHT = "\x1b[A", "\x1b[B", "\x1b[C"


class Keys:
    """A person at the keys of the deck."""

    def __init__(self, folder: Path) -> None:
        self.terminal = Terminal(folder, size=(80, 24), program=DECK)

    def press(self, keys: str, until: str) -> None:
        self.terminal.press(keys)
        self.terminal.until(until)

    def pick(self, key: str, name: str, heading: str) -> None:
        """Open a list with a key, type a name, take it."""
        self.press(key, heading)
        self.press(name, name)
        self.terminal.press("\r")
        self.terminal.until(lambda: heading not in self.terminal.text)

    def add(self, name: str, *values: str) -> None:
        """Add a layer behind the cursor, and set the values of its form one after the other from the first given."""
        self.pick("a", name, "Add a layer")
        self.terminal.until(lambda: re.search(rf"╭─ {name}\b", self.terminal.text, re.IGNORECASE) is not None)
        if values:
            self.press("\r", "⌫ Default")
            for number, value in enumerate(values):
                self.terminal.press(DOWN if number else "")
                self.set(value)
            self.press("\x1b", "w Wrap")

    def set(self, value: str) -> None:
        """Type a value over that of the field under the cursor."""
        self.press("\r", "⏎ Accept")
        self.terminal.press(value)
        self.terminal.until(lambda: re.search(rf"│ {re.escape(value)} +│", self.terminal.text) is not None)
        self.press("\r", "⏎ Edit")

    def epoch(self) -> int:
        found = re.search(r"epoch (\d+)/", self.terminal.text)
        return int(found[1]) if found else 0


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[Keys]:
    keys = Keys(tmp_path)
    yield keys
    keys.terminal.end()


def epochs_of(text: str) -> list[tuple[float, float]]:
    events = [json.loads(line) for line in text.splitlines()]
    return [(e["train_loss"], e["val_loss"]) for e in events if e["event"] == "epoch"]


def train_stop_save(keys: Keys, folder: Path, name: str, parameters: str) -> None:
    """Train what was built until its second epoch is over, stop it, save the document, leave; then train the file."""
    terminal = keys.terminal
    # A run that does not end before it is stopped: the parts, the last but one, its first field.
    keys.press("\x1b[Z", "⏎ Edit")
    terminal.press(DOWN * 6)
    terminal.until("╭─ Training")
    keys.press("\r", "⌫ Default")
    keys.set("100000")
    keys.press("\x1b", "Training  100,000 epochs")
    terminal.until(lambda: "⌫ Default" not in terminal.text)
    terminal.until(f"{parameters} parameters")
    keys.press("t", "● training")
    terminal.until(lambda: keys.epoch() >= 3)
    keys.press("s", "Stop this run?")
    terminal.press("\r")
    terminal.until("stopped")
    keys.press("1", "╭─ Experiment")
    keys.press("S", "Save as")
    terminal.press(f"{name}.toml")
    terminal.until(f"{name}.toml")
    keys.press("\r", f"Saved {name}.toml")
    terminal.press("q")
    assert terminal.status() == 0 and terminal.is_restored()

    (run,) = (folder / "runs").iterdir()
    with_the_deck = epochs_of((run / "events.jsonl").read_text())
    assert len(with_the_deck) >= 2
    command = ["train", f"{name}.toml", "--headless", "--json", "--runs-dir", "again"]
    command += ["--set", f"training.epochs={len(with_the_deck)}"]
    without = warm_torchdeck.run(*command, cwd=folder)
    assert without.returncode == 0 and epochs_of(without.stdout) == with_the_deck


def test_lenet_on_the_digits(keys: Keys, tmp_path: Path) -> None:
    terminal = keys.terminal
    terminal.until("18,602")  # torch is there
    keys.pick("n", "empty", "New document from")
    terminal.until("no layers yet: press a to add one")
    terminal.until("there is no layer")
    keys.add("conv2d", "6", "5")
    keys.add("tanh")
    keys.add("avgpool2d")
    keys.add("conv2d", "16", "5")
    keys.add("tanh")
    keys.add("avgpool2d")
    keys.add("flatten")
    keys.add("linear", "120")
    keys.add("tanh")
    keys.add("linear", "84")
    keys.add("tanh")
    keys.add("linear", "auto")
    counts = (6 * 25 + 6) + (16 * 6 * 25 + 16) + (64 * 120 + 120) + (120 * 84 + 84) + (84 * 10 + 10)
    train_stop_save(keys, tmp_path, "lenet", f"{counts:,}")


def test_a_two_layer_lstm_on_mackey_glass(keys: Keys, tmp_path: Path) -> None:
    terminal = keys.terminal
    terminal.until("18,602")
    keys.pick("n", "empty", "New document from")
    terminal.until("no layers yet")
    keys.press("\x1b[Z", "⏎ Edit")
    terminal.press("\x1b[H")
    terminal.until("╭─ digits")
    keys.press("\r", "⌫ Default")
    terminal.press(UP)
    keys.pick("\r", "mackey-glass", "╭─ source ─")
    keys.press("\x1b", "mackey-glass")
    keys.press("\t", "w Wrap")
    keys.add("lstm", "32")
    keys.press("\r", "⌫ Default")
    terminal.press(DOWN)
    terminal.until("num_layers")
    keys.set("2")
    keys.press("\x1b", "w Wrap")
    keys.add("linear", "auto")
    lstm = sum(4 * 32 * (inputs + 32 + 2) for inputs in (1, 32))
    train_stop_save(keys, tmp_path, "lstm", f"{lstm + 33:,}")
