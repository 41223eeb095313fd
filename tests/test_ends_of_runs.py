"""Real runs, each with another end: the order of what they say, and that everything which shows the end agrees."""

import re
import time
from itertools import pairwise

import pytest

from engine.experiment import read
from engine.plan import check
from engine.protocol.commands import Simple
from engine.protocol.events import Epoch, Finished, Reason, RunStarted, Step
from engine.runs import Follower, summarize
from engine.training.session import Session
from tui.exit_messages import end_lines
from tui.feed import Feed
from tui.printing.runs import run_as_text, runs_as_text
from tui.rows.home import run_panel, run_rows
from tui.run_status import STATUS
from tui.widgets.status import Ending, StatusLine

ENDLESS = ("training.epochs=100000", "training.early_stopping=false")


def started(runs, *overrides):
    session = Session.create(check(read("wine", ["training.threads=1", *overrides])), runs_dir=runs)
    session.start()
    return session


def ended(session):
    assert session.join(100)
    return session.directory


def after_an_epoch(session):
    until = time.monotonic() + 60
    while not any(isinstance(event, Epoch) for event in session.drain()):
        assert time.monotonic() < until
        time.sleep(0.002)
    return session


def completed(runs):
    return ended(started(runs, "training.epochs=4", "training.early_stopping=false"))


def completed_after_one_epoch(runs):
    return ended(started(runs, "training.epochs=1"))


def stopped_early(runs):
    patience = ("training.early_stopping.patience=1", "training.early_stopping.min_delta=10")
    return ended(started(runs, "training.epochs=9", *patience))


def stopped_by_its_threshold(runs):
    return ended(started(runs, "training.epochs=9", "training.early_stopping={monitor='val_loss', threshold=100}"))


def stopped_within_an_epoch(runs):
    session = after_an_epoch(started(runs, *ENDLESS))
    session.send(Simple(command="stop"))
    return ended(session)


def interrupted(runs):
    session = after_an_epoch(started(runs, *ENDLESS))
    session.interrupt()
    return ended(session)


def interrupted_before_its_first_step(runs):
    session = Session.create(check(read("wine", ENDLESS)), runs_dir=runs)
    session.interrupt()
    session.start()
    return ended(session)


def failed(runs):
    return ended(started(runs, "optimizer.lr=1e30"))


def resumed(runs):
    run = interrupted(runs)
    session = Session.resume(run, (f"training.epochs={summarize(run).epoch + 2}",))
    session.start()
    return ended(session)


def completed_then_given_more_epochs(runs):
    session = Session.resume(completed(runs), ("training.epochs=6",))
    session.start()
    return ended(session)


ENDS = {
    completed: Reason.COMPLETED,
    completed_after_one_epoch: Reason.COMPLETED,
    stopped_early: Reason.EARLY_STOPPED,
    stopped_by_its_threshold: Reason.EARLY_STOPPED,
    stopped_within_an_epoch: Reason.STOPPED,
    interrupted: Reason.INTERRUPTED,
    interrupted_before_its_first_step: Reason.INTERRUPTED,
    failed: Reason.FAILED,
    resumed: Reason.COMPLETED,
    completed_then_given_more_epochs: Reason.COMPLETED,
}


def name(end):
    return end.__name__


@pytest.fixture(scope="module", params=ENDS, ids=name)
def run(request, tmp_path_factory):
    return request.param(tmp_path_factory.mktemp(name(request.param)))


def events_of(run):
    return Follower(run).drain()


def view_of(run):
    feed = Feed(Follower(run))
    feed.pull()
    return feed.view


def sessions_of(events):
    """The events of each session of a run."""
    sessions = []
    for event in events:
        if isinstance(event, RunStarted):
            sessions.append([])
        if sessions:
            sessions[-1].append(event)
    return sessions


def test_every_step_is_said_before_its_epoch_and_the_last_one_of_each_epoch_and_session_is(run):
    known = set()
    for session in sessions_of(events_of(run)):
        begun, end = session[0], session[-1]
        steps = [event for event in session if isinstance(event, Step)]
        assert all(earlier.step < later.step for earlier, later in pairwise(steps))
        over = 0
        for event in session:
            if isinstance(event, Step):
                assert event.step > over and event.epoch == (event.step - 1) // begun.steps_per_epoch + 1
                known.add(event.step)
            elif isinstance(event, Epoch):
                over = event.step
                assert over == event.epoch * begun.steps_per_epoch and over in known
        assert isinstance(end, Finished)
        assert end.step in known or end.reason is Reason.FAILED or end.step == 0


def test_all_that_shows_the_end_of_a_run_agrees(run, request):
    end = ENDS[request.node.callspec.params["run"]]
    finished = events_of(run)[-1]
    summary, view = summarize(run), view_of(run)
    assert (finished.reason, view.reason, summary.status) == (end, end, end.value)
    epoch, epochs, step = finished.epoch, view.epochs, finished.step
    assert epoch <= epochs
    assert (view.epoch, view.step) == (epoch, step)
    assert (summary.epoch, summary.epochs) == (epoch, epochs)
    assert (view.best, view.best_epoch) == (summary.best, summary.best_epoch) == (finished.best, finished.best_epoch)
    line = StatusLine()
    line.view = view
    header = "".join(text for text, _ in line.rows(200, 1)[0])
    assert f"{STATUS[end].mark} {STATUS[end].word}  epoch {epoch}/{epochs} " in header
    assert f"step {step:,}/{view.steps:,}" in header
    ending = Ending()
    ending.view = view
    wrapped = " ".join("".join(text for text, _ in row).strip() for row in ending.lines(200))
    sentence = end_lines(run, finished)[0]
    assert finished.message in wrapped and sentence == f"{run.name}: {finished.message}"
    assert finished.message == summary.message
    assert {int(number) for number in re.findall(r"(?:in|after) epoch (\d+)", sentence)} <= {epoch}, sentence
    if end is Reason.COMPLETED:
        assert f": Trained {epoch} epoch{'s' * (epoch > 1)}; " in sentence
    listed = runs_as_text(run.parent).splitlines()[1]
    assert f"{STATUS[end].word} " in listed and f" {epoch}/{epochs} " in listed
    assert f"{epoch}/{epochs}" in run_rows([summary], time.time(), 100)[0].plain
    assert f"epochs     {epoch} of {epochs}" in run_panel(summary, 100).plain
    assert finished.message in run_as_text(run)


def test_no_epoch_of_a_run_is_lost_from_its_curves(run):
    events, view = events_of(run), view_of(run)
    epochs = {event.epoch: event for event in events if isinstance(event, Epoch)}
    losses = view.curve("val_loss")
    assert sum(bucket.points for bucket in losses.buckets) == len(epochs)
    if epochs:
        last = epochs[max(epochs)]
        assert (losses.last, losses.buckets[-1].last_x) == (last.val_loss, last.step)
        assert view.curve("val_accuracy").last == last.metrics["val_accuracy"]
    steps = [event for event in events if isinstance(event, Step)]
    if steps:
        assert view.train_loss.buckets[-1].last_x == steps[-1].step
