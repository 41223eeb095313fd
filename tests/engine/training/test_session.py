"""One run, from its plan to its end, as whoever starts it sees it."""

import json
import math
import shutil
import time
from itertools import pairwise

import pytest
import torch

from engine.experiment import Refused, load, read, reads
from engine.plan import check
from engine.protocol.commands import SetLR, Simple
from engine.protocol.events import Checkpoint, CommandDone, Device, Epoch, Finished, Log, Reason, RunStarted, Step
from engine.runs import Follower
from engine.training.checkpoint import checkpoints_in, load_checkpoint, newest_checkpoint
from engine.training.session import Session
from tests.engine.training.steering import interrupt_when, override

QUICK = ["training.epochs=3", "training.threads=1"]


def created(tmp_path, *overrides, preset="digits-cnn"):
    return Session.create(check(read(preset, [*QUICK, *overrides])), runs_dir=tmp_path)


def started(tmp_path, *overrides, preset="digits-cnn"):
    session = created(tmp_path, *overrides, preset=preset)
    session.start()
    return session


def finished(session):
    assert session.join(150)
    return session.drain()


def of(kind, events):
    return [e for e in events if isinstance(e, kind)]


def until(session, kind, seen, timeout_s=60):
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        seen += session.drain()
        if of(kind, seen):
            return
        time.sleep(0.01)
    raise AssertionError(f"no {kind.__name__} event in {timeout_s} s")


def test_a_run_says_what_happens_in_order_and_its_directory_holds_the_same(tmp_path):
    session = started(tmp_path)
    events = finished(session)
    assert isinstance(events[0], RunStarted) and isinstance(events[-1], Finished)
    assert [e.epoch for e in of(Epoch, events)] == [1, 2, 3]
    assert events[-1].reason is Reason.COMPLETED and events[-1].epoch == 3
    assert Follower(session.directory).drain() == events
    start = events[0]
    assert start.train_samples + start.val_samples == 1797
    assert start.steps_per_epoch == math.ceil(start.train_samples / 64)
    assert start.lr_plan[0] == (1, 3e-3) and start.lr_plan[-1][0] == 3 * start.steps_per_epoch
    assert load(session.directory / "experiment.toml") == session.plan.experiment
    assert session.directory.stat().st_mode & 0o777 == 0o700
    files = [f for f in session.directory.rglob("*") if f.is_file()]
    assert files and all(f.stat().st_mode & 0o777 == 0o600 for f in files)


def test_a_long_pause_does_not_bury_what_was_said_before_it(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.training.monitor.DEVICE_EVENT_S", 0.1)
    within = "training.checkpoint_within_epoch_s=0.5"
    session = started(tmp_path, "training.epochs=100000", "training.early_stopping=false", within)
    session.send(Simple(command="pause"))
    seen = []
    until(session, CommandDone, seen)
    time.sleep(6)
    events = session.drain()
    held = of(Device, events)
    assert len([e for e in of(Checkpoint, events) if e.kind == "last"]) <= 2  # all that can be new
    session.send(Simple(command="continue"))
    until(session, CommandDone, [])
    time.sleep(1)
    going = of(Device, session.drain())
    session.interrupt()
    finished(session)
    assert 5 <= len(held) <= 25, len(held)  # one every tenth of a second would be sixty
    assert held[-1].time - held[-2].time > 2 * (held[1].time - held[0].time)
    assert len(going) >= 4


def test_a_checkpoint_says_the_best_value_so_far(tmp_path):
    events = finished(started(tmp_path, "training.checkpoint_every_s=0.001"))
    end = of(Finished, events)[0]
    assert all((e.best, e.best_epoch) == (None, None) for e in of(Checkpoint, events) if e.step == 0)
    last = of(Checkpoint, events)[-1]
    assert (last.best, last.best_epoch) == (end.best, end.best_epoch) and end.best is not None


def test_the_naive_baseline_is_said_and_is_computed(tmp_path):
    events = finished(started(tmp_path, "training.epochs=1"))
    (sentence,) = [e.message for e in of(Log, events) if "baseline" in e.message.lower()]
    assert "0.10" in sentence


def test_step_events_come_at_most_ten_times_a_second_but_for_the_last_of_an_epoch(tmp_path):
    events = finished(started(tmp_path, "training.epochs=8", "data.batch_size=4"))
    steps, ends = of(Step, events), {event.step for event in of(Epoch, events)}
    within = [later.time - earlier.time for earlier, later in pairwise(steps) if later.step not in ends]
    assert within and min(within) >= 0.095
    assert ends <= {event.step for event in steps}


def test_early_stopping_stops_after_its_patience_with_the_weights_of_the_best_epoch(tmp_path):
    session = started(
        tmp_path,
        "training.epochs=30",
        "training.early_stopping.patience=1",
        "training.early_stopping.min_delta=10",
        "training.checkpoint_every_s=1e-6",
    )
    events = finished(session)
    end = events[-1]
    assert (end.reason, end.epoch, end.best_epoch) == (Reason.EARLY_STOPPED, 2, 1)
    assert "Stopped early after epoch 2" in end.message
    best = newest_checkpoint(session.directory / "checkpoints", kind="best")
    assert best.name.startswith("epoch-0001-")
    weights = load_checkpoint(best).model
    assert all(torch.equal(weights[name], value) for name, value in session.network.state_dict().items())
    last = load_checkpoint(newest_checkpoint(session.directory / "checkpoints")).model
    assert any(not torch.equal(weights[name], last[name]) for name in weights)


def test_a_loss_that_stops_being_finite_fails_the_run_in_one_sentence_that_names_the_step(tmp_path):
    session = started(tmp_path, "optimizer.lr=1e30")
    events = finished(session)
    end = events[-1]
    assert end.reason is Reason.FAILED
    assert "The loss stopped being finite at step 2, in epoch 1" in end.message and "optimizer.lr" in end.message
    assert "\n" not in end.message
    assert any(not math.isfinite(e.loss) for e in of(Step, events))
    assert "NotFinite" in (session.directory / "console.log").read_text()
    whole = newest_checkpoint(session.directory / "checkpoints")
    assert all(torch.isfinite(t).all() for t in load_checkpoint(whole).model.values())
    for line in (session.directory / "events.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_a_run_that_diverges_late_keeps_its_best_checkpoint(tmp_path):
    session = started(tmp_path, "training.epochs=100000", "training.early_stopping=false")
    seen = []
    until(session, Epoch, seen)
    session.send(SetLR(value=1e30))
    seen += finished(session)
    assert seen[-1].reason is Reason.FAILED
    assert "the best checkpoint so far, of epoch" in seen[-1].message
    best = newest_checkpoint(session.directory / "checkpoints", kind="best")
    assert all(torch.isfinite(t).all() for t in load_checkpoint(best).model.values())


def test_pause_holds_the_run_and_continue_goes_on(tmp_path):
    session = started(tmp_path, "training.epochs=100000", "training.early_stopping=false")
    seen = []
    until(session, Epoch, seen)
    session.send(Simple(command="pause"))
    until(session, CommandDone, seen)
    session.drain()
    time.sleep(0.5)
    assert of(Step, session.drain()) == []
    session.send(Simple(command="continue"))
    until(session, Step, [])
    session.send(Simple(command="stop"))
    end = finished(session)[-1]
    assert end.reason is Reason.STOPPED and "Stopped by hand" in end.message


def test_a_viewer_in_another_process_steers_through_the_run_directory(tmp_path):
    session = started(tmp_path, "training.epochs=100000", "training.early_stopping=false")
    viewer = Follower(session.directory)
    until(viewer, Epoch, [])
    viewer.send(SetLR(value=1e-5))
    seen = []
    until(viewer, CommandDone, seen)
    (done,) = of(CommandDone, seen)
    assert done.command == "set_lr" and done.value == 1e-5 and done.outcome.after == pytest.approx(1e-5)
    later = []
    until(viewer, Step, later)
    viewer.send(Simple(command="checkpoint"))
    until(viewer, Checkpoint, [])
    with (session.directory / "commands.jsonl").open("a") as commands:
        commands.write("nonsense\n")
    viewer.send(Simple(command="stop"))
    events = finished(session)
    assert any("command" in e.message for e in of(Log, events) if e.level == "warning")
    assert events[-1].reason is Reason.STOPPED


def test_a_rate_set_by_hand_scales_the_rest_of_the_schedule(tmp_path):
    session = started(tmp_path, "training.epochs=100000", "training.early_stopping=false", "scheduler={type='none'}")
    seen = []
    until(session, Epoch, seen)
    session.send(SetLR(value=2e-4))
    until(session, CommandDone, seen)
    done = of(CommandDone, seen)[-1]
    later = []
    until(session, Epoch, later)
    assert all(e.lr == pytest.approx(2e-4) for e in of(Step, later) if e.step > done.step)
    session.send(Simple(command="stop"))
    finished(session)


def test_an_interrupted_run_resumes_to_the_weights_of_one_that_was_never_interrupted(tmp_path):
    overrides = ("training.epochs=6", "regularization.l1=1e-5")
    whole = started(tmp_path, *overrides)
    expected = [(e.train_loss, e.val_loss, e.metrics) for e in of(Epoch, finished(whole))]

    session = started(tmp_path, *overrides)
    events = []
    until(session, Epoch, events)
    time.sleep(0.05)
    session.interrupt()
    events += finished(session)
    assert events[-1].reason is Reason.INTERRUPTED
    resumed = Session.resume(session.directory)
    resumed.start()
    rest = finished(resumed)
    assert rest[0].resumed_from
    assert [(e.train_loss, e.val_loss, e.metrics) for e in of(Epoch, events) + of(Epoch, rest)] == expected
    for ours, theirs in zip(resumed.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_run_that_was_interrupted_while_it_validated_measures_no_samples_twice(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.training.loop.TICK_S", 0.0)  # viewers are attended to between any two batches
    whole = finished(started(tmp_path, "training.epochs=2"))
    session = created(tmp_path, "training.epochs=2")
    steps = whole[0].steps_per_epoch
    interrupt_when(session, lambda loop: loop.position.step_in_epoch == steps and not loop.network.training)
    session.start()
    events = finished(session)
    assert events[-1].reason is Reason.INTERRUPTED and events[-1].step == steps and not of(Epoch, events)
    resumed = Session.resume(session.directory)
    resumed.start()
    first, second = of(Epoch, finished(resumed))
    assert [e.metrics for e in (first, second)] == [e.metrics for e in of(Epoch, whole)]
    assert first.samples_per_s == 0 < second.samples_per_s


def test_an_epoch_that_was_interrupted_has_the_metrics_of_one_that_was_not_to_the_last_bit(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.training.loop.TICK_S", 0.0)
    small = ("training.epochs=1", "data.length=900", "data.batch_size=60")
    (whole,) = of(Epoch, finished(started(tmp_path, *small, preset="mackey-glass-gru")))
    for step in (2, 3, 5):
        session = Session.create(check(read("mackey-glass-gru", [*QUICK, *small])), runs_dir=tmp_path)
        interrupt_when(session, lambda loop, at=step: loop.position.step == at)
        session.start()
        assert finished(session)[-1].step == step
        resumed = Session.resume(session.directory)
        resumed.start()
        (epoch,) = of(Epoch, finished(resumed))
        assert epoch.metrics == whole.metrics


def test_a_run_that_stopped_early_has_nothing_left_to_go_on_with(tmp_path):
    session = started(
        tmp_path,
        "training.epochs=30",
        "training.early_stopping.patience=1",
        "training.early_stopping.min_delta=10",
    )
    end = finished(session)[-1]
    resumed = Session.resume(session.directory)
    resumed.start()
    again = finished(resumed)
    assert not of(Step, again) and not of(Epoch, again)
    assert (again[-1].reason, again[-1].step, again[-1].message) == (Reason.EARLY_STOPPED, end.step, end.message)
    for ours, theirs in zip(resumed.network.parameters(), session.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_run_that_is_still_going_is_not_gone_on_with_a_second_time(tmp_path):
    session = started(tmp_path, "training.epochs=100000", "training.early_stopping=false")
    until(session, Epoch, [])
    with pytest.raises(Refused, match="the run is still active"):
        Session.resume(session.directory)
    session.send(Simple(command="stop"))
    assert finished(session)[-1].reason is Reason.STOPPED


def test_bfloat16_trains_on_a_cpu(tmp_path):
    events = finished(started(tmp_path, "training.amp=bfloat16"))
    assert events[0].precision == "bfloat16"
    assert events[-1].reason is Reason.COMPLETED
    assert of(Epoch, events)[-1].metrics["val_accuracy"] > 0.9


def test_a_run_without_a_validation_part_watches_its_training_loss(tmp_path):
    events = finished(started(tmp_path, "data.validation=0", "training.early_stopping=false"))
    assert events[-1].reason is Reason.COMPLETED and events[-1].best_epoch == 3
    assert of(Epoch, events)[-1].val_loss is None


def test_a_plan_with_mistakes_makes_no_run(tmp_path):
    with pytest.raises(Refused) as refused:
        Session.create(check(reads('[data]\nsource = "digits"\n[model]\nlayers = ["Linaer"]')), runs_dir=tmp_path)
    assert "Did you mean Linear?" in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_session_that_nobody_watches_trains_all_the_same(tmp_path):
    session = started(tmp_path)
    assert session.join(150)
    assert session.finished.reason is Reason.COMPLETED


def test_a_long_epoch_is_saved_in_its_middle_and_gone_on_with_to_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.training.loop.TICK_S", 0.0)
    small = ("training.epochs=1", "data.batch_size=32", "regularization.average=ema")
    whole = started(tmp_path, *small)
    (expected,) = of(Epoch, finished(whole))
    session = started(tmp_path, *small, "training.checkpoint_within_epoch_s=1e-6")
    events = finished(session)
    steps = whole.finished.step
    assert any(0 < e.step < steps for e in of(Checkpoint, events))
    for folder in checkpoints_in(session.directory / "checkpoints")[1:]:
        shutil.rmtree(folder)
    (left,) = checkpoints_in(session.directory / "checkpoints")
    assert 0 < load_checkpoint(left).state["position"]["step"] < steps
    resumed = Session.resume(session.directory)
    resumed.start()
    (epoch,) = of(Epoch, finished(resumed))
    assert epoch.metrics == expected.metrics
    for ours, theirs in zip(resumed.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_checkpoint_that_is_asked_for_during_a_validation_is_that_of_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.training.loop.TICK_S", 0.0)
    small = ("training.epochs=2", "regularization.average={type='swa', start=0.0}", "training.checkpoint_every_s=1e6")
    session, asked = created(tmp_path, *small), []

    def attend(runner, attend):
        if runner.loop.validating and not asked:
            asked.append(runner.loop.position.step)
            session.send(Simple(command="checkpoint"))
        attend()

    override(session, attend=attend)
    session.start()
    events = finished(session)
    (first, *_) = [e for e in of(Checkpoint, events) if e.step]
    assert (first.epoch, first.step) == (1, asked[0])
    again = Session.resume(session.directory)
    assert again.plan.experiment.training.epochs == 2


def test_weights_that_the_last_step_of_an_epoch_blew_up_are_never_saved(tmp_path):
    session = created(
        tmp_path, "training.checkpoint_every_s=1e-6", "training.epochs=4", "training.early_stopping=false"
    )

    def epoch_ended(runner, ended, *, improved):
        ended(improved=improved)
        loop = runner.loop
        if loop.position.epoch == 3:
            step = loop.step

            def blow_up(window):
                step(window)
                if loop.position.step_in_epoch == 23:
                    with torch.no_grad():
                        next(loop.network.parameters()).fill_(float("inf"))

            loop.step = blow_up

    override(session, epoch_ended=epoch_ended)
    session.start()
    end = finished(session)[-1]
    assert end.reason is Reason.FAILED and "A weight stopped being finite at step 69, in epoch 3" in end.message
    for folder in checkpoints_in(session.directory / "checkpoints"):
        assert all(torch.isfinite(t).all() for t in load_checkpoint(folder).model.values())
    assert load_checkpoint(newest_checkpoint(session.directory / "checkpoints")).state["position"]["epoch"] == 3
