"""What a run that is gone on with keeps, says and refuses."""

import json
import re

import pytest
import torch

from engine.experiment import Refused, load, read
from engine.plan import check
from engine.protocol.events import Epoch, Log, Reason, RunStarted
from engine.training.checkpoint import checkpoints_in, load_checkpoint, newest_checkpoint
from engine.training.session import Session
from tests.engine.training.steering import interrupt_when

SMALL = ["training.threads=1", "scheduler=none", "data.batch_size=256"]


def ended(session):
    session.start()
    assert session.join(150)
    return session.drain()


def trained(tmp_path, *overrides):
    session = Session.create(check(read("digits-cnn", [*SMALL, *overrides])), runs_dir=tmp_path)
    return session, ended(session)


def gone_on(directory, *overrides):
    session = Session.resume(directory, overrides)
    return session, ended(session)


def of(kind, events):
    return [e for e in events if isinstance(e, kind)]


def logs(events):
    return [e.message for e in of(Log, events)]


def weights(session):
    return load_checkpoint(newest_checkpoint(session.directory / "checkpoints")).model


def test_a_resume_says_what_it_put_back_and_from_which_step(tmp_path):
    decays = "scheduler={type='ExponentialLR', gamma=0.9}"
    session, _ = trained(tmp_path, "training.epochs=2", decays, "regularization.average=ema")
    at = session.finished.step
    again, events = gone_on(session.directory, "training.epochs=3")
    (said,) = [m for m in logs(events) if m.startswith("Restored from")]
    assert f"Restored from epoch-0002-step-{at:06d} (step {at}, in epoch 2)" in said
    for what in (
        "weights",
        "AdamW",
        "ExponentialLR",
        "averaged weights",
        "early stopping",
        "generators",
        "1 thread on cpu",
    ):
        assert what in said
    assert "Changed from here on: training.epochs: 2 → 3." in logs(events)
    assert not [e for e in of(Log, events) if e.level == "warning" and "bits" in e.message]
    assert again.finished.reason is Reason.COMPLETED and again.finished.epoch == 3


def test_more_epochs_are_those_of_a_run_that_was_asked_for_them_at_once(tmp_path):
    whole, events = trained(tmp_path / "a", "training.epochs=4")
    half, first = trained(tmp_path / "b", "training.epochs=2")
    _, rest = gone_on(half.directory, "training.epochs=4")
    losses = [(e.epoch, e.train_loss, e.val_loss) for e in of(Epoch, first) + of(Epoch, rest)]
    assert losses == [(e.epoch, e.train_loss, e.val_loss) for e in of(Epoch, events)]
    ours, theirs = weights(half), weights(whole)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert load(half.directory / "experiment.toml").training.epochs == 2  # as it was asked
    (line,) = map(json.loads, (half.directory / "resumes.jsonl").read_text().splitlines())
    assert line["overrides"] == ["training.epochs=4"] and line["changes"] == ["training.epochs: 2 → 4"]
    assert line["checkpoint"].startswith("epoch-0002-") and line["ran_with"]["threads"] == 1
    assert (half.directory / "resumes.jsonl").stat().st_mode & 0o777 == 0o600


def test_what_was_changed_at_one_resume_holds_at_the_next(tmp_path):
    session, _ = trained(tmp_path, "training.epochs=1")
    again = Session.resume(session.directory, ("training.epochs=12", "training.early_stopping=false"))
    interrupt_when(again, lambda loop: loop.position.epoch >= 3)
    again.start()
    assert again.join(100) and again.finished.reason is Reason.INTERRUPTED
    with (session.directory / "resumes.jsonl").open("ab") as file:
        file.write(b'{"overrides": ["training.epochs=1"')  # cut off by a kill: that resume never began
    last = Session.resume(session.directory)
    assert last.plan.experiment.training.early_stopping is None and last.plan.experiment.training.epochs == 12
    assert ended(last)[-1].epoch == 12
    assert len((session.directory / "resumes.jsonl").read_text().splitlines()) == 3


def test_a_schedule_that_stretches_with_the_run_goes_on_as_planned_for_its_new_length(tmp_path):
    cosine = ("scheduler=CosineAnnealingLR", "training.early_stopping=false")
    _, planned = trained(tmp_path / "a", *cosine, "training.epochs=5")
    half, _ = trained(tmp_path / "b", *cosine, "training.epochs=2")
    again, events = gone_on(half.directory, "training.epochs=5")
    assert [e.lr for e in of(Epoch, events)] == [e.lr for e in of(Epoch, planned)][2:]
    (said,) = [m for m in logs(events) if "CosineAnnealingLR now follows a run of 5 epochs" in m]
    assert re.search(r"the rate of the next step is [\d.e-]+\.$", said)
    assert again.finished.reason is Reason.COMPLETED


def test_more_patience_lets_a_run_go_on_that_had_stopped_early(tmp_path):
    stops = ("training.early_stopping.patience=1", "training.early_stopping.min_delta=10", "training.epochs=6")
    session, events = trained(tmp_path, *stops)
    assert events[-1].reason is Reason.EARLY_STOPPED and events[-1].epoch == 2
    _, more = gone_on(session.directory, "training.early_stopping.patience=3")
    assert more[-1].reason is Reason.EARLY_STOPPED and more[-1].epoch == 4


def test_a_threshold_that_was_reached_can_be_set_further(tmp_path):
    session, events = trained(tmp_path, "training.early_stopping={threshold=100.0}", "training.epochs=3")
    assert events[-1].reason is Reason.EARLY_STOPPED and events[-1].epoch == 1
    _, more = gone_on(session.directory, "training.early_stopping.threshold=1e-9")
    assert more[-1].reason is Reason.COMPLETED and more[-1].epoch == 3


def test_what_the_checkpoint_does_not_allow_is_refused_all_at_once_and_nothing_is_touched(tmp_path):
    session, _ = trained(tmp_path, "training.epochs=2", "training.early_stopping.monitor=val_loss")
    before = {f.name: f.read_bytes() for f in session.directory.iterdir() if f.is_file()}
    wrong = (
        "seed=7",
        "data.batch_size=32",
        "model.layers[0].out_channels=4",
        "loss.label_smoothing=0.3",
        "optimizer=SGD",
        "optimizer.lr=0.5",
        "scheduler=StepLR",
        "regularization.l2=0.1",
        "training.accumulation_steps=2",
        "training.early_stopping.monitor=val_accuracy",
        "training.epochs=1",
        "name=other",
    )
    with pytest.raises(Refused) as refused:
        Session.resume(session.directory, wrong)
    said = [str(mistake) for mistake in refused.value.mistakes]
    for path in ("seed", "data.batch_size", "model.layers[0].out_channels", "loss.label_smoothing", "optimizer.type"):
        assert [one for one in said if one.startswith(f"{path}: ")], (path, said)
    for path in ("scheduler", "regularization.l2", "training.accumulation_steps", "training.epochs", "name"):
        assert [one for one in said if one.startswith(f"{path}: ")], (path, said)
    assert [one for one in said if one.startswith("training.early_stopping.monitor: ")]
    assert all("\n" not in one for one in said)
    assert {f.name: f.read_bytes() for f in session.directory.iterdir() if f.is_file()} == before
    Session.resume(session.directory, ("training.epochs=3",))  # and nobody holds it


def test_an_override_with_a_mistake_of_form_is_refused_with_its_path(tmp_path):
    session, _ = trained(tmp_path, "training.epochs=1")
    with pytest.raises(Refused, match=r"training\.epochs"):
        Session.resume(session.directory, ("training.epochs=-3",))
    with pytest.raises(Refused, match="epohcs"):
        Session.resume(session.directory, ("training.epohcs=3",))


def test_threads_precision_and_memory_format_are_those_that_the_run_began_with(tmp_path):
    session, events = trained(tmp_path, "training.epochs=1", "training.amp=bfloat16", "training.threads=auto")
    threads = of(RunStarted, events)[0].threads
    again, more = gone_on(session.directory, "training.epochs=2")
    start = of(RunStarted, more)[0]
    assert (start.device, start.precision, start.threads) == ("cpu", "bfloat16", threads)
    state = load_checkpoint(newest_checkpoint(session.directory / "checkpoints")).state
    assert state["ran_with"]["memory_format"] == "channels_last"
    assert again.network[0].weight.is_contiguous(memory_format=torch.channels_last)


def test_other_threads_are_allowed_and_it_is_said_that_bits_may_differ(tmp_path):
    session, _ = trained(tmp_path, "training.epochs=1")
    _, events = gone_on(session.directory, "training.epochs=2", "training.threads=2")
    assert of(RunStarted, events)[0].threads == 2
    (said,) = [e.message for e in of(Log, events) if e.level == "warning" and "bits" in e.message]
    assert "threads 1 → 2" in said
    _, events = gone_on(session.directory, "training.epochs=3")
    assert of(RunStarted, events)[0].threads == 2


def test_a_damaged_checkpoint_is_passed_over_by_name_and_the_one_before_it_gives_the_same_weights(tmp_path):
    often = ("training.epochs=3", "training.checkpoint_every_s=1e-6")
    whole, _ = trained(tmp_path, *often)
    expected = weights(whole)
    newest = checkpoints_in(whole.directory / "checkpoints")[-1]
    file = newest / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))
    again, events = gone_on(whole.directory)
    assert any(str(file) in m and "is used instead." in m for m in logs(events))
    assert of(Epoch, events)
    ours = weights(again)
    assert all(torch.equal(ours[name], expected[name]) for name in expected)


def test_what_was_edited_in_a_runs_file_is_refused_or_said_as_if_it_had_been_asked_for(tmp_path):
    session, _ = trained(tmp_path, "training.epochs=1")
    file = session.directory / "experiment.toml"
    text = file.read_text()
    events = (session.directory / "events.jsonl").read_bytes()
    file.write_text(text.replace("seed = 0", "seed = 7", 1))
    with pytest.raises(Refused) as refused:
        Session.resume(session.directory, ("training.epochs=2",))
    (mistake,) = refused.value.mistakes
    line = text.splitlines().index("seed = 0") + 1
    assert mistake.path == f"{file}, line {line}, seed" and "the run has 0" in mistake.expected
    assert mistake.found == "found 7 for a resumed run" and mistake.fix.startswith("Restore the old value")
    assert (session.directory / "events.jsonl").read_bytes() == events
    file.write_text(text.replace("epochs = 1", "epochs = 2", 1))
    again, events = gone_on(session.directory)
    assert again.finished.epoch == 2
    assert "Changed from here on: training.epochs: 1 → 2." in logs(events)


def test_the_weights_of_a_best_epoch_that_are_damaged_are_said_to_be_lost_and_no_others_taken_for_them(tmp_path):
    session, events = trained(
        tmp_path,
        *("training.epochs=3", "training.checkpoint_every_s=1e-6", "data.validation=0.3"),
        "training.early_stopping={monitor='train_loss', mode='max', restore_best=true}",
    )
    assert session.finished.best_epoch == 1
    (best,) = [f for f in checkpoints_in(session.directory / "checkpoints") if (f / "best").exists()]
    file = best / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))
    again, events = gone_on(session.directory, "training.epochs=4")
    (lost,) = [m for m in logs(events) if "best so far" in m]
    assert lost.startswith("The weights of epoch 1, the best so far, are lost: ") and str(file) in lost
    assert (again.finished.best_epoch, "whose weights are kept" in again.finished.message) == (1, False)
    assert events[0].event == "run_started"


def test_a_whole_checkpoint_of_another_experiment_is_refused_in_one_sentence(tmp_path):
    ours, _ = trained(tmp_path / "a", "training.epochs=1")
    theirs, _ = trained(tmp_path / "b", "training.epochs=1", "model.layers[0].out_channels=4")
    for folder in checkpoints_in(ours.directory / "checkpoints"):
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    (stranger,) = checkpoints_in(theirs.directory / "checkpoints")[-1:]
    stranger.rename(ours.directory / "checkpoints" / stranger.name)
    again, _ = gone_on(ours.directory, "training.epochs=2")
    assert again.finished.reason is Reason.FAILED
    assert (
        "it is intact, but not a checkpoint of this experiment" in again.finished.message
        and "\n" not in again.finished.message
    )
