"""The feed and the order of events: complete curves from every order that a run emits, earlier versions included."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import pytest
from fake_run import FakeRun, run_started
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.protocol.events import Epoch, Event, Finished, Reason, Step
from tui.feed import Feed

EXAMPLES = 1000 if os.environ.get("TORCHDECK_THOROUGH") else 60


@dataclass
class ScriptedRun:
    """A run that emits its events as a session does, and its true values at each moment.

    Args:
        late: whether the last step of an epoch may come after the epoch, as in earlier versions.
    """

    steps_per_epoch: int
    late: bool = False
    step: int = 0
    events: list[Event] = field(default_factory=list)
    losses: dict[int, float] = field(default_factory=dict)
    val_losses: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.events.append(run_started(epochs=50, steps_per_epoch=self.steps_per_epoch))

    @property
    def epoch(self) -> int:
        """The epoch of the last step."""
        return max(1, -(-self.step // self.steps_per_epoch))

    def take(self, reported: bool) -> None:
        """Take a step, and validate after the last step of an epoch."""
        self.step += 1
        over = self.step % self.steps_per_epoch == 0
        reported = reported or (over and not self.late)
        if reported:
            self.emit_step(self.epoch)
        if over:
            self._validate(is_late=not reported)

    def emit_step(self, epoch: int) -> None:
        """Emit the last step as one of `epoch`."""
        loss = len(self.events) + 0.5
        self.events.append(
            Step(time=float(len(self.events)), epoch=epoch, step=self.step, loss=loss, lr=1e-3, samples_per_s=1.0)
        )
        self.losses = {step: before for step, before in self.losses.items() if step < self.step} | {self.step: loss}
        self.val_losses = {step: before for step, before in self.val_losses.items() if step < self.step}

    def _validate(self, *, is_late: bool) -> None:
        number = float(len(self.events))
        self.events.append(
            Epoch(
                time=number,
                epoch=self.epoch,
                step=self.step,
                train_loss=1.0,
                val_loss=number,
                lr=1e-3,
                seconds=1.0,
                samples_per_s=1.0,
            )
        )
        earlier = {step: loss for step, loss in self.val_losses.items() if step < self.step}
        self.losses = {step: loss for step, loss in self.losses.items() if step < self.step or not is_late}
        if is_late:
            self.emit_step(self.epoch + 1)
        self.val_losses = earlier | {self.step: number}

    def go_back(self, to: int, *, in_another_process: bool) -> None:
        """Resume from a checkpoint at step `to`."""
        self.step = min(self.step, to)
        if in_another_process:
            began = run_started(epochs=50, steps_per_epoch=self.steps_per_epoch, resumed_from="a checkpoint")
            self.events.append(began)


ACTIONS = st.lists(st.one_of(st.booleans(), st.tuples(st.integers(0, 40), st.booleans())), max_size=60)


@settings(max_examples=EXAMPLES, deadline=None)
@given(steps_per_epoch=st.integers(1, 7), late=st.booleans(), actions=ACTIONS, pulls=st.integers(1, 9))
def test_the_curves_have_the_true_values_in_every_order_of_events(
    steps_per_epoch: int, late: bool, actions: list[bool | tuple[int, bool]], pulls: int
) -> None:
    run = ScriptedRun(steps_per_epoch, late)
    for action in actions:
        if isinstance(action, tuple):
            run.go_back(action[0], in_another_process=action[1])
        else:
            run.take(reported=action)
    source = FakeRun(())
    feed = Feed(source)
    for first in range(0, len(run.events), pulls):
        source.emit(*run.events[first : first + pulls])
        feed.pull()
    losses, validated = feed.view.train_loss.buckets, feed.view.curve("val_loss").buckets
    assert [bucket.last_x for bucket in validated] == sorted(run.val_losses)
    assert [bucket.mean for bucket in validated] == [run.val_losses[step] for step in sorted(run.val_losses)]
    assert [(bucket.last_x, bucket.mean) for bucket in losses] == sorted(run.losses.items())
    last = next((event for event in reversed(run.events) if isinstance(event, Step | Epoch)), None)
    if last is not None:
        assert (feed.view.epoch, feed.view.step) == (-(-last.step // steps_per_epoch), last.step)


@pytest.mark.parametrize(("epochs", "steps_per_epoch"), [(1, 1), (1, 23), (25, 3), (60, 23)])
def test_a_run_of_an_earlier_version_shows_its_last_epoch(epochs: int, steps_per_epoch: int) -> None:
    run = ScriptedRun(steps_per_epoch, late=True)
    for step in range(1, epochs * steps_per_epoch + 1):
        run.take(reported=step % steps_per_epoch != 0)
    late = run.events[-1]
    assert isinstance(late, Step) and (late.epoch, late.step) == (epochs + 1, epochs * steps_per_epoch)
    end = Finished(reason=Reason.COMPLETED, epoch=epochs, step=late.step, seconds=1.0, message="Done.")
    for events in (run.events, [*run.events, end]):
        source = FakeRun(())
        source.emit(*events)
        feed = Feed(source)
        feed.pull()
        assert (feed.view.epoch, feed.view.step) == (epochs, epochs * steps_per_epoch)
        assert feed.view.curve("val_loss").last == run.val_losses[late.step]
        assert sum(bucket.points for bucket in feed.view.curve("val_loss").buckets) == epochs
        assert feed.view.train_loss.last == late.loss
