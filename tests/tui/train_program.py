"""The train screen on a run that is played back by the clock, as a program of its own: ten step events a second."""

from __future__ import annotations

import sys
import time

from fake_run import FakeRun, script

from tui.preferences.themes import DARK, VARIABLES
from tui.screens.train import TrainScreen
from tui.terminal.app import TerminalApp


class TrainProgram(TerminalApp):
    """A deck that shows one run."""

    def __init__(self) -> None:
        super().__init__()
        self.register_theme(DARK)
        self.theme = DARK.name
        self.animation_level = "none"

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return VARIABLES

    def on_mount(self) -> None:
        events = script(epochs=200, steps_per_epoch=230, steps_per_event=25, seconds_per_step=0.004, patience=None)
        self.push_screen(TrainScreen(FakeRun(events, time.monotonic)))


if __name__ == "__main__":
    TrainProgram().run()
    sys.exit(0)
