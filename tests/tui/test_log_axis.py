"""A panel shows that its logarithmic axis leaves values out."""

from __future__ import annotations

import pytest
from fake_run import FakeRun, run_started, script
from test_train_screen import TrainApp, deck, drawn
from textual.pilot import Pilot

from engine.protocol.events import Epoch, Event, Step

LEFT_OUT = "values ≤ 0 left out"


async def to_log(app: TrainApp, pilot: Pilot[None]) -> None:
    await pilot.press("L")
    await drawn(app, pilot)


async def to_log_and_back(app: TrainApp, pilot: Pilot[None]) -> None:
    await pilot.press("L", "L")
    await drawn(app, pilot)


def run_with(*events: Event) -> FakeRun:
    run = FakeRun(())
    run.emit(run_started(), *events)
    return run


def steps(*losses: float) -> list[Event]:
    return [
        Step(time=1.0 + at, epoch=1, step=at + 1, loss=loss, lr=1e-3, samples_per_s=100.0)
        for at, loss in enumerate(losses)
    ]


def epoch(**metrics: float) -> Epoch:
    given = {"epoch": 1, "step": 23, "train_loss": 0.5, "lr": 1e-3, "seconds": 1.0, "samples_per_s": 9.0}
    return Epoch.model_validate(given | metrics)


@pytest.mark.parametrize("losses", [(2.0, 1.0, -0.5, 0.25), (2.0, 0.0, 1.0, 0.5), (-1.0, 2.0, 1.0, 0.5)], ids=str)
def test_the_panel_shows_that_losses_not_above_0_are_left_out(losses: tuple[float, ...]) -> None:
    run = run_with(*steps(*losses))
    assert f"log scale · {LEFT_OUT}" in deck(run, to_log)


def test_the_panel_shows_that_a_validation_loss_below_0_is_left_out() -> None:
    assert LEFT_OUT in deck(run_with(*steps(2.0, 1.0), epoch(val_loss=-0.1)), to_log)


def test_the_metric_panel_shows_that_an_error_of_0_is_left_out() -> None:
    text = deck(run_with(*steps(2.0, 1.0), epoch(val_loss=1.0, val_rmse=0.0, train_rmse=1.0)), to_log)
    assert f"{LEFT_OUT} ─╯" in text
    assert f"log scale · {LEFT_OUT}" not in text


def test_there_is_no_note_if_every_value_is_shown() -> None:
    run = FakeRun(script())
    run.play()
    assert LEFT_OUT not in deck(run, to_log)
    assert LEFT_OUT not in deck(run_with(*steps(2.0, -1.0)), to_log_and_back)
