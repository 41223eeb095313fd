"""A pause that leaves the device to others: nothing of the run is on it meanwhile, and no bit is another after it."""

import gc
import time
import weakref

import pytest
import torch

from engine.experiment import read
from engine.plan import check
from engine.protocol.commands import SetLR, Simple
from engine.protocol.events import CommandDone, Epoch, Log, Reason, RunStarted, Step
from engine.protocol.outcomes import CheckpointSaved, MemoryReleased, Paused
from engine.runs import summarize
from engine.training.session import Session
from engine.training.stages import SuspendedRun
from tests.engine.training.steering import interrupt_when, override

QUICK = ("training.epochs=2", "training.threads=1", "training.early_stopping=false")
SESSIONS = []
RELEASE, CONTINUE, STOP = (Simple(command=name) for name in ("release", "continue", "stop"))


@pytest.fixture(autouse=True)
def looks_between_any_two_batches(monkeypatch):
    monkeypatch.setattr("engine.training.loop.TICK_S", 0.0)


@pytest.fixture(autouse=True)
def no_session_outlives_its_test():
    """It would draw from the same generator as that of the next."""
    yield
    for session in SESSIONS:
        session.interrupt()
        session.join(60)
    SESSIONS.clear()


def session_of(tmp_path, *overrides, preset="digits-cnn"):
    session = Session.create(check(read(preset, [*QUICK, *overrides])), runs_dir=tmp_path)
    SESSIONS.append(session)
    return session


def gone_on_with(run):
    session = Session.resume(run)
    SESSIONS.append(session)
    return session


def ended(session):
    assert session.join(150)
    return session.drain()


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def said(events):
    return [event.message for event in of(Log, events)]


def measured(events):
    return [(e.epoch, e.step, e.train_loss, e.val_loss, e.metrics) for e in of(Epoch, events)]


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def is_released(session):
    return session.pause_mode == "release" and session.network is None


def release_at(session, *moments):
    """Release the run as soon as each of the moments comes, and continue it when it is released."""
    waiting, releases = list(moments), []

    def attend(runner, attend):
        if session.network is None:
            if session.pause_mode == "release":
                releases.append(weakref.ref(session))
                session.send(CONTINUE)
        elif waiting and waiting[0](runner.loop):
            waiting.pop(0)
            session.send(RELEASE)
        attend()

    override(session, attend=attend)
    return waiting, releases


def in_step(epoch, step):
    def there(loop):
        at = loop.position
        return not loop.validating and (at.epoch, at.step_in_epoch) == (epoch, step)

    return there


def in_validation(loop):
    return loop.validating


@pytest.mark.parametrize(
    ("preset", "overrides"),
    [
        ("digits-cnn", ("regularization.average=ema", "data.augment=['RandomCrop']", "optimizer.type=AdamW")),
        ("digits-cnn", ("training.accumulation_steps=3", "optimizer.type=SGD", "optimizer.momentum=0.9")),
        ("digits-cnn", ("regularization.average={type='swa', start=0.0}", "regularization.mixup=0.2")),
        ("mackey-glass-gru", ("data.length=900", "data.window=24", "data.batch_size=60", "optimizer.type=Adagrad")),
        (
            "mackey-glass-gru",
            ("data.length=600", "data.window=16", "optimizer={type='LBFGS', lr=0.1}", "regularization={}"),
        ),
    ],
)
def test_a_run_that_was_released_has_the_bits_of_one_that_was_not(tmp_path, preset, overrides):
    whole = session_of(tmp_path, *overrides, preset=preset)
    whole.start()
    expected = measured(ended(whole))
    session = session_of(tmp_path, *overrides, preset=preset)
    waiting, releases = release_at(session, in_step(1, 1), in_step(1, 2), in_validation, in_step(2, 2), in_validation)
    session.start()
    events = ended(session)
    assert session.finished.reason is Reason.COMPLETED, session.finished.message
    assert not waiting and len(releases) == 5
    assert measured(events) == expected
    assert len(of(RunStarted, events)) == 1
    for (name, ours), theirs in zip(
        session.network.state_dict().items(), whole.network.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs), name


def test_nothing_that_the_loop_had_is_there_while_it_is_released(tmp_path):
    session = session_of(tmp_path, "training.epochs=100000", "optimizer.type=AdamW", "regularization.average=ema")
    session.start()
    wait_for(lambda: session.network is not None and session.runner.loop.position.step > 3)
    loop = session.runner.loop
    tensors = [*loop.network.parameters(), *loop.average.network.parameters()]
    tensors += [value for slots in loop.optimizer.state.values() for value in slots.values()]
    tensors += [loop.batches._y, loop.batches._source]
    held = [weakref.ref(tensor) for tensor in tensors if tensor is not session.runner.dataset.y]
    assert len(held) > 20
    del loop, tensors
    session.send(RELEASE)
    wait_for(lambda: is_released(session))
    wait_for(lambda: any("memory is released" in message for message in said(session.drain())))
    gc.collect()
    assert [tensor() for tensor in held if tensor() is not None] == []
    assert summarize(session.directory).paused
    session.send(CONTINUE)
    wait_for(lambda: session.network is not None and session.pause_mode is None)
    assert not summarize(session.directory).paused
    session.send(STOP)
    ended(session)


def test_a_pause_can_be_turned_into_one_that_leaves_the_device_to_others(tmp_path):
    session = session_of(tmp_path, "training.epochs=100000")
    session.start(pause_mode="pause")
    wait_for(lambda: session.pause_mode == "pause")
    session.send(RELEASE)
    wait_for(lambda: is_released(session))
    session.send(STOP)
    events = ended(session)
    assert [e.outcome for e in of(CommandDone, events)][:2] == [Paused(), MemoryReleased(device="cpu")]
    assert session.finished.reason is Reason.STOPPED
    assert session.finished.message.startswith("Stopped by hand at step 0, in epoch 0")


def test_what_is_asked_of_a_released_run_is_done_and_it_is_released_again(tmp_path):
    session = session_of(tmp_path, "training.epochs=100000", "optimizer.lr=0.001", "scheduler.type=ConstantLR")
    session.start()
    wait_for(lambda: session.network is not None and session.runner.loop.position.step > 3)
    session.send(RELEASE)
    wait_for(lambda: is_released(session))
    step = session.runner.stage.position.step
    session.send(SetLR(value=0.25))
    session.send(Simple(command="checkpoint"))
    events = []
    wait_for(lambda: events.extend(session.drain()) or "set_lr" in [e.command for e in of(CommandDone, events)])
    wait_for(lambda: is_released(session))
    done = {e.command: e for e in of(CommandDone, events)}
    assert done["set_lr"].outcome.after == 0.25 and done["set_lr"].step == step
    assert done["checkpoint"].outcome == CheckpointSaved()
    session.send(CONTINUE)
    wait_for(lambda: session.network is not None and session.runner.loop.position.step > step)
    session.send(STOP)
    events = ended(session)
    assert [e.lr for e in of(Step, events) if e.step == step + 1] == [0.25]
    assert events[-1].reason is Reason.STOPPED


def test_a_run_that_is_interrupted_while_it_is_released_is_gone_on_with_to_the_same_bits(tmp_path):
    whole = session_of(tmp_path)
    whole.start()
    expected = measured(ended(whole))
    session = session_of(tmp_path)

    def attend(runner, attend):
        if session.network is None:
            session.interrupt()
        elif runner.loop.position.step == 5:
            session.send(RELEASE)
        attend()

    override(session, attend=attend)
    session.start()
    first = ended(session)
    assert session.finished.reason is Reason.INTERRUPTED and "everything is saved" in session.finished.message
    again = gone_on_with(session.directory)
    again.start()
    assert measured(first + ended(again)) == expected


def test_a_run_is_gone_on_with_and_nothing_is_built_before_it_is_told_to_continue(tmp_path, monkeypatch):
    session = session_of(tmp_path)
    interrupt_when(session, lambda loop: loop.position.step >= 7)
    session.start()
    first = ended(session)
    built = []
    again = gone_on_with(session.directory)
    override(again, build=lambda runner, build: built.append(runner) or build())
    again.start(pause_mode="release")
    events = []
    wait_for(lambda: events.extend(again.drain()) or of(CommandDone, events))
    time.sleep(0.3)
    assert is_released(again) and not built and not any("Restored from" in message for message in said(events))
    again.send(CONTINUE)
    events += ended(again)
    assert len(built) == 1 and any("Restored from" in message for message in said(events))
    whole = session_of(tmp_path)
    whole.start()
    assert measured(first + events) == measured(ended(whole))


def test_a_released_run_without_room_on_its_device_waits_until_there_is(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.training.runner.RETRY_S", 0.2)
    session = session_of(tmp_path)
    full = []

    def builds(runner, build):
        if len(full) < 2 and isinstance(runner.stage, SuspendedRun):
            full.append(runner)
            raise torch.OutOfMemoryError("no room")
        return build()

    override(session, build=builds)
    release_at(session, in_step(1, 4))
    session.start()
    events = ended(session)
    assert session.finished.reason is Reason.COMPLETED and len(full) == 2
    assert [m for m in said(events) if "too little free memory" in m] == [
        "cpu has too little free memory for the run. The run waits, and tries again every 0 s."
    ]


@pytest.mark.parametrize("made_again_before_the_end", [True, False])
def test_a_folder_that_is_taken_away_from_a_released_run_is_made_again_with_all_that_it_needs(
    tmp_path, monkeypatch, made_again_before_the_end
):
    monkeypatch.setattr("engine.training.folder_guard.CHECK_S", 0.05 if made_again_before_the_end else 1e6)
    session = session_of(tmp_path, "training.epochs=100000")
    session.start()
    wait_for(lambda: session.network is not None and session.runner.loop.position.epoch > 2)
    session.send(RELEASE)
    wait_for(lambda: is_released(session))
    wait_for(lambda: not session.drain())
    session.directory.rename(tmp_path / "elsewhere")
    if made_again_before_the_end:
        events = []
        wait_for(lambda: events.extend(session.drain()) or any("created again" in m for m in said(events)))
    session.interrupt()
    ended(session)
    assert "everything is saved" in session.finished.message
    again = gone_on_with(session.directory)
    again.start()
    wait_for(lambda: again.network is not None and again.runner.loop.position.step > session.finished.step)
    again.send(STOP)
    assert ended(again)[-1].reason is Reason.STOPPED
