"""What a run says without a deck: JSON for a program, lines for a log, a line that moves for a terminal."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from engine.protocol.events import Checkpoint, CommandDone, Epoch, Event, Finished, Log, RunStarted
from tui.answers import answer_text
from tui.detach import Announcement
from tui.exit_messages import how_to_go_on, where_and_how
from tui.feed import RunView
from tui.printing.metrics import measured_text
from tui.quantities import left, number_text, span_text
from tui.tables.text import bar, plain, plain_json
from tui.terminal.patient_output import PatientOutput, errors, tell

PROGRESS_S = 0.25

LINE_EVERY_S = ((600.0, 60.0), (3600.0, 300.0))
"""Within an epoch: up to which second of it a line comes how often."""
LINE_SELDOM_S = 600.0
"""And from then on."""


class Output(Protocol):
    """Where the events of a run are shown."""

    clear: str
    """What makes the line empty that stands in the way of another."""

    @property
    def unread(self) -> bool:
        """Whether nobody reads it any more."""

    def show(self, event: Event) -> None: ...

    def refresh(self, view: RunView) -> None:
        """Called several times a second."""

    def end(self, finished: Finished, directory: Path) -> None: ...


class Json:
    """Every event as a line on stdout. A reader that goes away, or stops reading, ends nothing and holds up nothing."""

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
        for sentence in how_to_go_on(directory, finished.reason):
            tell(sentence)
        errors().end()


class Lines:
    """A plain line an epoch, for logs; within an epoch that takes long, a line now and then.

    Args:
        clock: seconds that never go back.
    """

    clear = ""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._epochs = 0
        self._clock = clock
        self._epoch_began = self._said_at = clock()
        self._validates_since: float | None = None

    @property
    def unread(self) -> bool:
        return False

    def show(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._epochs = event.epochs
        if isinstance(event, (RunStarted, Epoch)):
            self._epoch_began = self._said_at = self._clock()
        if line := _line(event, self._epochs):
            tell(f"{self.clear}{plain(line)}")

    def refresh(self, view: RunView) -> None:
        errors().pump()
        now = self._clock()
        if not view.validating:
            self._validates_since = None
        elif self._validates_since is None:
            self._validates_since = now
        if view.state == "training" and view.step and now - self._said_at >= _line_every_s(now - self._epoch_began):
            self._said_at = now
            since = self._validates_since
            tell(within_epoch(view, None if since is None else now - since))

    def end(self, finished: Finished, directory: Path) -> None:
        tell(f"{self.clear}{plain(finished.message)} {span_text(finished.seconds)} in all.")
        for sentence in where_and_how(directory, finished.reason):
            tell(sentence)
        errors().end()


def _line_every_s(in_epoch_s: float) -> float:
    return next((every for until, every in LINE_EVERY_S if in_epoch_s <= until), LINE_SELDOM_S)


class Announced(Lines):
    """The same for the console.log of a detached run; who began it hears how it begins."""

    def __init__(self, announcement: Announcement) -> None:
        super().__init__()
        self._announcement = announcement

    def show(self, event: Event) -> None:
        super().show(event)
        self._announcement.write(event)


class Progress(Lines):
    """The same, and under it one line that moves: for a terminal."""

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
    """Where a run stands within an epoch, as a line.

    Args:
        validates_s: for how long it has validated; None while it trains.
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
        parts.append(f"{span_text(view.epoch_seconds_left)} left in this epoch, {span_text(view.seconds_left)} in all")
    return "  ".join(parts)


def _line(event: Event, epochs: int) -> str:
    """One event as a line for a person; empty for one that the progress shows."""
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
