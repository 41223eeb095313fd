"""The state of the run in one line, and how it ended in a few lines."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.cells import cell_len

from engine import Reason, command_for, retrain_command
from tui.plots.plot import Row
from tui.plots.raster import Marker
from tui.quantities import number_text, span_text
from tui.run_view import RunView
from tui.widgets.panel import RowWidget, first_that_fits

_BAR = 20
_ENDS = {
    Reason.COMPLETED: ("✓ completed", "good"),
    Reason.EARLY_STOPPED: ("✓ stopped early", "good"),
    Reason.STOPPED: ("■ stopped", "warning"),
    Reason.INTERRUPTED: ("■ interrupted", "warning"),
    Reason.FAILED: ("✗ failed", "bad"),
}


class StatusLine(RowWidget):
    """State, epoch, step, speed, time left and patience in one line."""

    HELP = (
        "The progress of the run: epochs, steps, samples a second and the time left at this speed. Patience counts the "
        "epochs without a new best value; at its limit the run stops early."
    )

    marker: Marker = "braille"
    _waits_for = ""

    def wait_for(self, what: str) -> None:
        """Show what a run waits for before it starts; an empty string shows its state."""
        if what != self._waits_for:
            self._waits_for = what
            self.redraw()

    def rows(self, width: int, height: int) -> Sequence[Row]:
        return [first_that_fits(self._choices(), width)]

    def _choices(self) -> Iterator[Row]:
        view = self.view
        if self._waits_for:
            yield ((" ", "text"), ("◌ ", "quiet"), (self._waits_for, "text"))
            return
        state = ((" ", "text"), *state_words(view))
        if view.started is None:
            yield state
            return
        epoch = f"epoch {view.epoch}/{view.epochs}"
        step = f"step {view.step:,}/{view.steps:,}"
        speed = f"{view.samples_per_s:,.0f}" if view.samples_per_s is not None else ""
        left = f"{span_text(view.seconds_left)} left" if view.seconds_left is not None else ""
        if view.state == "finished":
            left = f"took {span_text(view.seconds or 0)}"
        patience = f"patience {view.patience_used}/{view.patience}" if view.patience else ""
        for bar, words in (
            (_BAR, [step, f"{speed} samples/s" if speed else "", left, patience]),
            (12, [step, f"{speed} samples/s" if speed else "", left, patience]),
            (8, [step, f"{speed}/s" if speed else "", left, patience]),
            (4, [step, f"{speed}/s" if speed else "", left, patience]),
            (8, [f"{speed}/s" if speed else "", left, patience]),
            (0, [left, patience]),
            (0, [left]),
            (0, []),
        ):
            numbers = "".join(f"  {word}" for word in words if word)
            gap = "  " if bar else ""
            yield (*state, (f"  {epoch}", "text"), (gap[1:], "text"), *self._progress(bar), (numbers, "text"))

    def _progress(self, width: int) -> Row:
        if not width:
            return ()
        view = self.view
        share = min(1.0, view.step / view.steps) if view.steps else 0.0
        done = int(share * width)
        line, rest = ("#", "-") if self.marker == "ascii" else ("━", "─")
        return ((line * done, "bar"), (rest * (width - done), "rest"))


class Ending(RowWidget):
    """How the run ended: the reason, the best epoch, its folder, and how to continue."""

    HELP = "How the run ended, what its best epoch was, where its files are, and how to continue."

    def lines(self, width: int) -> list[Row]:
        """Return the lines for this width; none while the run is active."""
        view = self.view
        if view.state == "stale":
            message, tone = "Its process exited unexpectedly. Its last checkpoint is intact.", "warning"
        elif view.state == "finished" and view.reason is not None:
            words, tone = _end_of(view)
            message = view.message or words
        else:
            return []
        room = max(20, width - 2)
        rows: list[Row] = [((f" {part}", tone),) for one in message.splitlines() for part in textwrap.wrap(one, room)]
        best, directory = best_words(view), view.directory
        if f"best {view.monitor} " in message:
            best = ""  # it is already in the message
        if not directory:
            return rows
        # A run that was interrupted is resumed; one that completed, or would fail again, is trained again.
        name, command = (
            ("resume", command_for(directory, "resume")) if view.resumable else ("again", retrain_command(directory))
        )
        place = "" if Path(directory).name in command else directory
        if best and place and cell_len(best) + cell_len(place) + 5 <= room:
            rows.append(((f" {best}", "best"), ("  ·  ", "quiet"), (place, "text")))
        else:
            rows += [((f" {best}", "best"),)] * bool(best) + [((f" {place}", "text"),)] * bool(place)
        # The command is for copying, so it is complete, on several lines if necessary.
        first, *rest = textwrap.wrap(f"{name}: {command}", room, break_on_hyphens=False)
        rows.append(((f" {name}: ", "quiet"), (first.removeprefix(f"{name}: "), "text")))
        return [*rows, *(((f" {part}", "text"),) for part in rest)]

    def rows(self, width: int, height: int) -> Sequence[Row]:
        return self.lines(width)


_REQUESTED = {
    "stop": "■ stopping …",
    "pause": "‖ pausing …",
    "release": "‖ pausing …",
    "continue": "● continuing …",
}


def state_words(view: RunView) -> Row:
    """Return the state with its mark, or the request that is not done yet."""
    if view.suspended:
        return (("‖ suspended", "warning"), ("  its process was stopped by a signal", "quiet"))
    for command, words in _REQUESTED.items():
        if command in view.unanswered and view.active:
            return ((words, "warning"),)
    match view.state:
        case "none":
            return (("○ no run yet", "quiet"),)
        case "waiting":
            return (("○ waiting for the run to start", "quiet"),)
        case "loading":
            return (("◌ loading", "quiet"), (f"  {view.log[-1].text}" if view.log else "", "quiet"))
        case "paused":
            return ((f"‖ {'paused' if view.pause_mode != 'release' else 'paused, device released'}", "warning"),)
        case "moving":
            return (("◌ moving to another process", "warning"),)
        case "stale":
            return (("? stale", "warning"),)
        case "finished" if view.started is None and view.reason is Reason.FAILED:
            return (("✗ not started", "bad"),)
        case "finished":
            return (_end_of(view),)
        case _:
            return (("● training", "good"),)


def _end_of(view: RunView) -> tuple[str, str]:
    """Return how it ended and a tone; a warning if the run is no better than its baseline."""
    words, tone = _ENDS[view.reason or Reason.FAILED]
    if tone == "good" and view.better_than_baseline is False:
        return f"≈{words[1:]}, no better than its baseline", "warning"
    return words, tone


def best_words(view: RunView) -> str:
    """Return the best epoch: `best val_loss 0.0731 at epoch 10`."""
    if view.best_epoch is None or view.best is None:
        return ""
    return f"◆ best {view.monitor} {number_text(view.best)} at epoch {view.best_epoch}"
