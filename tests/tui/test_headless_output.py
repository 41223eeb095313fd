"""Progress without the deck: lines within a long epoch, and readers that stop reading."""

from __future__ import annotations

import os
import threading
import time

import pytest
from fake_run import START, FakeRun, run_started

from engine.protocol.events import CommandDone, Device, Epoch, Step
from engine.protocol.outcomes import Paused
from tui.feed import Feed
from tui.headless_output import Lines, Progress
from tui.terminal import patient_output
from tui.terminal.patient_output import PatientOutput


class FakeClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class LongRun:
    """A run of 2 epochs of 10,000 steps, a step a second, and its lines."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.lines = Lines(clock=self.clock)
        self.run = FakeRun(())
        self.feed = Feed(self.run)
        self.step = 0
        self.emit(run_started(epochs=2, steps_per_epoch=10_000))

    def emit(self, *events: object) -> None:
        for event in events:
            self.lines.show(event)  # type: ignore[arg-type]
            self.run.emit(event)  # type: ignore[arg-type]

    def refresh(self) -> None:
        self.feed.pull()
        self.lines.refresh(self.feed.view)

    def train(self, seconds: int) -> None:
        for _ in range(seconds):
            self.step += 1
            self.clock.now += 1
            epoch = (self.step - 1) // 10_000 + 1
            time = START + self.step
            self.emit(Step(time=time, epoch=epoch, step=self.step, loss=0.25, lr=3e-4, samples_per_s=64.0))
            self.refresh()

    def validate(self, seconds: int) -> None:
        for second in range(seconds):
            self.clock.now += 1
            if second % 2 == 0:
                self.emit(Device(time=START + self.step + second, memory_bytes=1, memory_total_bytes=2))
            self.refresh()


def lines_within_epochs(text: str) -> list[str]:
    return [line for line in text.splitlines() if "  step " in line]


def test_a_long_epoch_prints_a_line_a_minute_and_later_fewer(capsys: pytest.CaptureFixture[str]) -> None:
    run = LongRun()
    run.train(59)
    assert lines_within_epochs(capsys.readouterr().err) == []
    run.train(541)
    lines = lines_within_epochs(capsys.readouterr().err)
    assert len(lines) == 10
    assert lines[-1] == (
        "epoch 1/2  step 600/20,000  loss 0.25  lr 3.00e-04  64 samples/s  2:36:40 left in this epoch, 5:23:20 in total"
    )
    run.train(3000)
    assert len(lines_within_epochs(capsys.readouterr().err)) == 10
    run.train(6399)
    printed = capsys.readouterr().err
    assert len(lines_within_epochs(printed)) == 10
    assert "\x1b" not in printed and "\r" not in printed


def test_a_long_validation_is_shown_and_counts_towards_the_remaining_time(capsys: pytest.CaptureFixture[str]) -> None:
    run = LongRun()
    run.train(10_000)
    capsys.readouterr()
    run.validate(1300)
    lines = lines_within_epochs(capsys.readouterr().err)
    assert lines == [f"epoch 1/2  step 10,000/20,000  validating for {time}" for time in ("3:20", "13:20")]
    number = {"epoch": 1, "step": 10_000, "train_loss": 1.0, "lr": 1e-3, "seconds": 11_300.0, "samples_per_s": 64.0}
    run.emit(Epoch(time=START + 11_300, **number))  # type: ignore[arg-type]
    run.refresh()
    assert run.feed.view.seconds_left == pytest.approx(10_000 + 1300, rel=0.01)
    run.train(61)
    (line,) = lines_within_epochs(capsys.readouterr().err)
    assert line.startswith("epoch 2/2  step 10,060/20,000  loss") and not run.feed.view.validating


def test_a_paused_run_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    run = LongRun()
    run.train(10)
    run.emit(CommandDone(time=START + 10, command="pause", epoch=1, step=10, outcome=Paused()))
    run.validate(7200)
    assert lines_within_epochs(capsys.readouterr().err) == []


def test_a_terminal_shows_the_progress_line_alone(capsys: pytest.CaptureFixture[str]) -> None:
    run = LongRun()
    run.lines = Progress()
    run.train(200)
    assert "left in this epoch" not in capsys.readouterr().err


def pipe() -> tuple[int, PatientOutput, FakeClock]:
    reader, writer = os.pipe()
    clock = FakeClock()
    return reader, PatientOutput(os.fdopen(writer, "w"), clock=clock), clock


def test_a_full_pipe_blocks_nothing_and_its_reader_gets_everything_later() -> None:
    reader, output, _ = pipe()
    texts = [f"{number:06} {'x' * 300}\n" for number in range(3000)]
    began = time.monotonic()
    for text in texts:
        output.write(text)
    assert time.monotonic() - began < 5 and output.waits
    received: list[bytes] = []

    def read() -> None:
        while sum(map(len, received)) < sum(map(len, texts)):
            received.append(os.read(reader, 1 << 16))

    thread = threading.Thread(target=read)
    thread.start()
    output.end()
    thread.join(20)
    assert b"".join(received).decode() == "".join(texts) and output.lost == 0 and not output.waits


def test_output_ends_although_its_reader_never_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patient_output, "LIMIT_BYTES", 100_000)
    reader, output, clock = pipe()
    written = 0
    while not output.lost:
        output.write("y" * 99 + "\n")
        written += 1
    assert 1000 < written < 5000
    clock.now += 1e9
    threading.Timer(0.3, lambda: setattr(clock, "now", 2e9)).start()
    output.end()
    assert output.lost >= 100_000 // 100 and not output.waits and not output.unread
    os.close(reader)
    output.write("z\n")
    output.end()
    assert output.unread


def test_text_of_a_signal_handler_follows_the_text_that_it_interrupted() -> None:
    reader, output, _ = pipe()
    output.write_later("Saving …\n")
    output.write("a whole line\n")
    output.pump()
    assert sorted(os.read(reader, 1000).decode().splitlines()) == ["Saving …", "a whole line"]
