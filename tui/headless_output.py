"""The output of a run without the deck: JSON for a program, lines for a log, a progress line for a terminal."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from engine import Checkpoint, CommandDone, Epoch, Event, Finished, Log, RunStarted
from tui.answers import answer_text
from tui.detach import StartReport
from tui.exit_messages import folder_lines, resume_lines
from tui.quantities import left, number_text, span_text
from tui.run_view import RunView
from tui.tables.text import bar, plain, plain_json
from tui.terminal.patient_output import PatientOutput, errors, tell

PROGRESS_S = 0.25

LINE_INTERVALS_S = ((600.0, 60.0), (3600.0, 300.0))
"""The interval between lines within an epoch: (until this second of the epoch, seconds between lines)."""
LAST_INTERVAL_S = 600.0
"""The interval after the last of these."""

TARGETS_LISTED = 4
"""R² of up to so many targets is listed; of more, only the lowest and the highest."""


class Output(Protocol):
    """Where the events of a run are shown."""

    clear: str
    """The sequence that erases the progress line before another line."""

    @property
    def unread(self) -> bool:
        """Whether its reader has exited."""

    def show(self, event: Event) -> None: ...

    def refresh(self, view: RunView) -> None:
        """Called several times a second."""

    def end(self, finished: Finished, directory: Path) -> None: ...


class Json:
    """Every event as a line on stdout. A reader that exits or stops reading does not affect the run."""

    clear = ""

    def __init__(self) -> None:
        self._output = PatientOutput(sys.stdout)

    @property
    def unread(self) -> bool:
        return self._output.unread

    def show(self, event: Event) -> None:
        self._output.write(f"{plain_json(event.to_json())}\n")

    def refresh(self, view: RunView) -> None:
        self._output.pump()
        errors().pump()

    def end(self, finished: Finished, directory: Path) -> None:
        self._output.end()
        if lost := self._output.lost:
            tell(plain(f"stdout: {lost:,} events were not read. All events are in {directory / 'events.jsonl'}"))
        for sentence in resume_lines(directory, finished.reason):
            tell(sentence)
        errors().end()


class Lines:
    """One line an epoch, for logs, and more lines within a long epoch.

    Args:
        clock: a monotonic clock, in seconds.
    """

    clear = ""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._epochs = 0
        self._clock = clock
        self._epoch_start = self._printed_at = clock()
        self._validates_since: float | None = None

    @property
    def unread(self) -> bool:
        return False

    def show(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._epochs = event.epochs
        if isinstance(event, (RunStarted, Epoch)):
            self._epoch_start = self._printed_at = self._clock()
        if line := _line(event, self._epochs):
            tell(f"{self.clear}{plain(line)}")

    def refresh(self, view: RunView) -> None:
        errors().pump()
        now = self._clock()
        if not view.validating:
            self._validates_since = None
        elif self._validates_since is None:
            self._validates_since = now
        if (
            view.state == "training"
            and view.step
            and now - self._printed_at >= _line_interval_s(now - self._epoch_start)
        ):
            self._printed_at = now
            since = self._validates_since
            tell(within_epoch(view, None if since is None else now - since))

    def end(self, finished: Finished, directory: Path) -> None:
        tell(f"{self.clear}{plain(finished.message)} Total time: {span_text(finished.seconds)}.")
        for sentence in folder_lines(directory, finished.reason):
            tell(sentence)
        errors().end()


def _line_interval_s(epoch_s: float) -> float:
    return next((every for until, every in LINE_INTERVALS_S if epoch_s <= until), LAST_INTERVAL_S)


class DetachedLines(Lines):
    """Lines for the console.log of a detached run, and a report of its start to the process that started it."""

    def __init__(self, start_report: StartReport) -> None:
        super().__init__()
        self._start_report = start_report

    def show(self, event: Event) -> None:
        super().show(event)
        self._start_report.write(event)


class Progress(Lines):
    """Lines, and below them a progress line that is redrawn: for a terminal."""

    clear = "\r\x1b[K"

    def __init__(self) -> None:
        super().__init__()
        self._drawn_at = 0.0

    def refresh(self, view: RunView) -> None:
        errors().pump()
        if errors().waits or view.started is None or time.monotonic() - self._drawn_at < PROGRESS_S:
            return
        self._drawn_at = time.monotonic()
        room = shutil.get_terminal_size().columns - 1
        tell(f"{self.clear}{left(_progress(view), room).rstrip()}", end="")


def within_epoch(view: RunView, validates_s: float | None) -> str:
    """The progress of a run within an epoch, as a line.

    Args:
        validates_s: seconds of validation so far; None while it trains.
    """
    at = f"epoch {view.epoch}/{view.epochs}  step {view.step:,}/{view.steps:,}"
    if validates_s is not None:
        return f"{at}  validating for {span_text(validates_s)}"
    parts = [at]
    if view.train_loss.last is not None:
        parts.append(f"loss {number_text(view.train_loss.last)}")
    if view.lr_now is not None:
        parts.append(f"lr {view.lr_now:.2e}")
    if view.samples_per_s:
        parts.append(f"{view.samples_per_s:,.0f} samples/s")
    if view.epoch_seconds_left is not None and view.seconds_left is not None:
        parts.append(
            f"{span_text(view.epoch_seconds_left)} left in this epoch, {span_text(view.seconds_left)} in total"
        )
    return "  ".join(parts)


def _line(event: Event, epochs: int) -> str:
    """One event as a line for a person; empty for an event that needs none."""
    match event:
        case RunStarted():
            resumed = f", from {event.resumed_from}" if event.resumed_from else ""
            threads = f" · {event.threads} thread{'s' * (event.threads > 1)}" if event.device == "cpu" else ""
            return (
                f"{event.run}{resumed}: {event.parameters:,} parameters, {event.train_samples:,} samples to train on, "
                f"{event.val_samples:,} to validate; {event.device} · {event.precision}{threads}"
            )
        case Epoch():
            measured = measured_text(event.metrics)
            mark = "  ◆ best" if event.best_epoch == event.epoch else ""
            return (
                f"epoch {event.epoch:>{len(str(epochs))}}/{epochs}  train_loss {number_text(event.train_loss)}  "
                f"{measured}  lr {event.lr:.2e}  {event.samples_per_s:,.0f} samples/s{mark}"
            )
        case Log():
            return event.message if event.level == "info" else f"{event.level}: {event.message}"
        case CommandDone():
            return answer_text(event)
        case Checkpoint():
            return ""
    return ""


def _progress(view: RunView) -> str:
    parts = [
        f"epoch {view.epoch}/{view.epochs}",
        bar(view.step / max(view.steps, 1), 20),
        f"step {view.step:,}/{view.steps:,}",
    ]
    if view.train_loss.last is not None:
        parts.append(f"loss {number_text(view.train_loss.last)}")
    if view.samples_per_s:
        parts.append(f"{view.samples_per_s:,.0f} samples/s")
    if view.seconds_left is not None:
        parts.append(f"{span_text(view.seconds_left)} left")
    if view.patience:
        parts.append(f"patience {view.patience_used}/{view.patience}")
    return "  ".join(parts)


def measured_text(metrics: Mapping[str, float]) -> str:
    """The metrics of the validation part in one line; R² of several targets is followed by that of each target.

    >>> measured_text({"train_loss": 1.0, "val_loss": 0.5, "val_r2": 0.4, "val_r2_a": 0.1, "val_r2_b": 0.7})
    'val_loss 0.5  val_r2 0.4 (a 0.1, b 0.7)'
    """
    each = {name.removeprefix("val_r2_"): value for name, value in metrics.items() if name.startswith("val_r2_")}
    parts = []
    for name, value in metrics.items():
        if name.startswith(("train_", "val_r2_")):
            continue
        targets = f" ({_targets_text(each)})" if name == "val_r2" and each else ""
        parts.append(f"{name} {number_text(value)}{targets}")
    return "  ".join(parts)


def _targets_text(each: Mapping[str, float]) -> str:
    if len(each) <= TARGETS_LISTED:
        return ", ".join(f"{name} {number_text(value)}" for name, value in each.items())
    # NaN counts as the lowest, so that it is shown.
    order = sorted(each, key=lambda name: (each[name] == each[name], each[name]))
    low, high = order[0], order[-1]
    return f"{low} {number_text(each[low])} to {high} {number_text(each[high])}"
