from __future__ import annotations

import math
import time

import pytest
from fake_run import LR, STEPS_PER_EPOCH, FakeRun, planned_lr, run_started, script

from engine.protocol.commands import SetLR, Simple
from engine.protocol.events import CommandDone, Device, Epoch, Event, Finished, Log, Reason, RunStarted, Step
from engine.protocol.outcomes import Continued, LRChanged, Paused, Text
from tui.feed import Feed


def played(*events: Event) -> tuple[FakeRun, Feed]:
    run = FakeRun(())
    run.emit(*events)
    feed = Feed(run)
    feed.pull()
    return run, feed


def step(number: int, loss: float = 1.0, time: float | None = None) -> Step:
    return Step(
        time=100.0 + number if time is None else time,
        epoch=(number - 1) // STEPS_PER_EPOCH + 1,
        step=number,
        loss=loss,
        lr=1e-3,
        samples_per_s=64.0,
    )


def lr_was_set(before: float, value: float, at_step: int) -> CommandDone:
    outcome = LRChanged(before=before, after=value)
    return CommandDone(time=1, command="set_lr", value=value, epoch=1, step=at_step, outcome=outcome)


def test_without_a_source_there_is_no_run() -> None:
    feed = Feed(None)
    assert not feed.pull()
    assert feed.view.state == "none"


def test_the_states_of_a_run_are_waiting_loading_training_and_finished() -> None:
    run = FakeRun(script())
    feed = Feed(run)
    states = [feed.view.state]
    for _ in range(2000):
        run.play(1)
        if feed.pull() and feed.view.state != states[-1]:
            states.append(feed.view.state)
    assert states == ["waiting", "loading", "training", "finished"]
    assert feed.view.reason is Reason.EARLY_STOPPED
    assert feed.view.best_epoch is not None
    assert f"best at epoch {feed.view.best_epoch}" in feed.view.message


def test_without_a_change_the_view_is_the_same_object() -> None:
    run = FakeRun(script())
    run.play(20)
    feed = Feed(run)
    assert feed.pull()
    view = feed.view
    assert not feed.pull()
    assert feed.view is view
    run.play(1)
    assert feed.pull()
    assert feed.view is not view


def test_a_view_shows_the_values_of_the_events() -> None:
    run = FakeRun(script(patience=None))
    run.play()
    feed = Feed(run)
    feed.pull()
    view, events = feed.view, list(script(patience=None))
    epochs = [event for event in events if isinstance(event, Epoch)]
    steps = [event for event in events if isinstance(event, Step)]
    assert (view.epoch, view.epochs, view.step, view.steps) == (30, 30, 690, 690)
    assert view.train_loss.last == steps[-1].loss
    assert view.curve("val_loss").last == epochs[-1].val_loss
    assert view.metric_names == ("accuracy", "f1")
    assert [bucket.mean for bucket in view.curve("val_accuracy").buckets] == [e.metrics["val_accuracy"] for e in epochs]
    best = min(epochs, key=lambda event: event.val_loss or math.inf)
    assert (view.best, view.best_epoch, view.best_step) == (best.val_loss, best.epoch, best.step)
    assert dict(view.best_metrics)["val_accuracy"] == best.metrics["val_accuracy"]
    assert (view.monitor, view.patience) == ("val_loss", 8)
    assert view.memory.last == [event for event in events if isinstance(event, Device)][-1].memory_bytes


def test_the_time_left_is_the_recent_time_of_a_step_times_the_steps_left() -> None:
    run = FakeRun(script(seconds_per_step=0.5, patience=None))
    run.play_until(lambda event: isinstance(event, Step) and event.step == 300)
    feed = Feed(run)
    feed.pull()
    assert feed.view.seconds_left == pytest.approx(390 * 0.5, rel=0.05)


def test_a_pause_does_not_count_as_time_of_steps() -> None:
    run, feed = played(run_started(), *(step(n) for n in range(1, 51)))
    before = feed.view.seconds_left
    run.emit(
        CommandDone(time=150, command="pause", epoch=1, step=50, outcome=Paused()),
        CommandDone(time=9000, command="continue", epoch=1, step=50, outcome=Continued()),
        step(51, time=9001),
        step(52, time=9002),
    )
    feed.pull()
    assert before is not None and feed.view.seconds_left == pytest.approx(before - 2, rel=0.05)


def test_a_run_is_paused_when_it_reports_so_and_not_when_the_command_is_sent() -> None:
    run, feed = played(run_started(), step(1))
    run.send = lambda command: run.sent.append(command)  # type: ignore[method-assign]
    feed.send(Simple(command="pause"))
    assert (feed.view.state, feed.view.unanswered) == ("training", ("pause",))
    run.emit(CommandDone(time=1, command="pause", epoch=1, step=1, outcome=Paused()))
    feed.pull()
    assert (feed.view.state, feed.view.unanswered) == ("paused", ())
    run.emit(step(2))
    feed.pull()
    assert feed.view.state == "training"


def test_a_learning_rate_is_requested_until_the_run_answers_and_marked_at_its_step() -> None:
    run, feed = played(run_started(), step(10))
    run.send = lambda command: run.sent.append(command)  # type: ignore[method-assign]
    feed.send(SetLR(value=2e-3))
    feed.send(SetLR(value=3e-3))
    assert feed.view.requested_lr == 3e-3
    run.emit(lr_was_set(1e-3, 2e-3, at_step=12))
    feed.pull()
    assert feed.view.requested_lr == 3e-3, "the answer to the first command leaves the second one unanswered"
    run.emit(lr_was_set(2e-3, 3e-3, at_step=12))
    feed.pull()
    assert feed.view.requested_lr is None
    assert [(change.step, change.value) for change in feed.view.lr_changes] == [(12, 2e-3), (12, 3e-3)]


def test_a_refused_learning_rate_is_not_marked() -> None:
    run, feed = played(run_started(), step(10))
    run.emit(CommandDone(time=1, command="set_lr", value=5.0, epoch=1, step=10, outcome=Text(text="the run has ended")))
    feed.pull()
    assert feed.view.lr_changes == ()
    assert feed.view.log[-1].text == "The run has ended."


def test_the_planned_learning_rate_is_straight_between_its_corners() -> None:
    _, feed = played(run_started())
    for at in (1, 17, 345, 690):
        assert feed.view.planned_lr(at) == pytest.approx(planned_lr(at, 690), rel=1e-3)
    assert feed.view.planned_lr(0) == pytest.approx(LR)


def test_a_resumed_run_replaces_its_steps_after_the_checkpoint() -> None:
    started = run_started()
    run, feed = played(started, *(step(n, loss=1.0) for n in range(1, 101)))
    run.emit(
        started.model_copy(update={"resumed_from": "checkpoints/epoch-2"}), *(step(n, loss=2.0) for n in range(47, 61))
    )
    feed.pull()
    buckets = feed.view.train_loss.buckets
    assert feed.view.state == "training"
    assert feed.view.step == 60
    assert all(bucket.mean == (1.0 if bucket.first_x < 47 else 2.0) for bucket in buckets)
    assert buckets[-1].last_x == 60


def test_a_new_run_begins_with_empty_curves() -> None:
    run, feed = played(run_started(), *(step(n) for n in range(1, 30)))
    run.emit(run_started(run="another"))
    feed.pull()
    assert feed.view.train_loss.buckets == ()
    assert (feed.view.step, feed.view.state) == (0, "training")


def test_a_failed_run_shows_its_best_epoch_and_its_message() -> None:
    run = FakeRun(script(nan_at=260))
    run.play()
    feed = Feed(run)
    feed.pull()
    view = feed.view
    assert (view.state, view.reason) == ("finished", Reason.FAILED)
    assert "NaN at step 260" in view.message
    assert view.best_epoch == 11
    assert [bucket.broken_x for bucket in view.train_loss.buckets if bucket.broken_x is not None] == [260]
    assert view.log[-1].level == "error"


def test_a_run_that_fails_before_its_start_shows_why() -> None:
    failed = Finished(reason=Reason.FAILED, epoch=0, step=0, seconds=0, message="The disk is full.")
    _, feed = played(Log(time=1, message="loading"), failed)
    assert (feed.view.state, feed.view.message, feed.view.started) == ("finished", "The disk is full.", None)


def test_a_run_without_early_stopping_has_no_patience() -> None:
    _, feed = played(run_started(experiment={"name": "x", "training": {"epochs": 30, "early_stopping": None}}))
    assert feed.view.patience is None


def test_an_hour_of_events_takes_no_more_time_and_memory_than_a_minute() -> None:
    started = run_started(epochs=1000, steps_per_epoch=1000)
    run, feed = played(started)
    run.emit(*(step(n, loss=1 / n) for n in range(1, 36_001)))
    feed.pull()
    assert len(feed.view.train_loss.buckets) <= 320
    assert len(feed.view.lr.buckets) <= 320
    run.emit(*(step(n) for n in range(36_001, 36_011)))
    began = time.thread_time()
    feed.pull()
    assert isinstance(feed.view.started, RunStarted)
    assert time.thread_time() - began < 0.25


def test_the_log_is_bounded() -> None:
    _, feed = played(*(Log(time=n, message=f"line {n}") for n in range(1000)))
    assert len(feed.view.log) == 200
    assert feed.view.log[-1].text == "line 999"
