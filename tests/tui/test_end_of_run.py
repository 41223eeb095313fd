"""The end of a run in the deck: drawn completely, with keys to continue."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pyte
import pytest
from fake_producer import RUNS, FakeProducer, FakeRun, document
from fake_run import script
from screen_text import assert_golden, screen_text
from test_app import play
from test_home_screen import SIZES, settle
from textual.pilot import Pilot

from engine.protocol.commands import Simple
from engine.protocol.events import Finished, Reason, RunStarted, Step
from tui.deck.app import Deck
from tui.dialogs.choice import ChoiceScreen
from tui.dialogs.stop import StopScreen
from tui.screens.design import DesignScreen
from tui.screens.home import HomeScreen
from tui.screens.train import TrainScreen

BEST = "0.4334"


class Filmed(Deck):
    """A deck that keeps every frame that it paints, as a terminal would show it."""

    frames: list[str]
    film: tuple[pyte.Screen, pyte.Stream] | None = None

    def _display(self, screen: Any, renderable: Any) -> None:
        if renderable is not None and self._running and not self._batch_count:
            if self.film is None:
                terminal = pyte.Screen(*self.size)
                self.film, self.frames = (terminal, pyte.Stream(terminal)), []
            self.film[1].feed(renderable.render_segments(self.console))
            self.frames.append("\n".join(line.rstrip() for line in self.film[0].display))
        super()._display(screen, renderable)


def play_up_to(run: FakeRun, step: int) -> list[Any]:
    """Let a run say what digits-cnn says up to a step; the events that are left."""
    events = list(script(epochs=30))
    at = next(i for i, event in enumerate(events) if isinstance(event, Step) and event.step >= step)
    run._events = [event for event in events[: at + 1] if not isinstance(event, RunStarted)]
    return events[at + 1 :]


def end(run: FakeRun, rest: list[Any]) -> None:
    """Let it say the rest, and end."""
    run._events += rest
    run.finished = next(event for event in rest if isinstance(event, Finished))


async def training(deck: Deck, pilot: Pilot[None], producer: FakeProducer) -> tuple[FakeRun, list[Any]]:
    await settle(pilot, lambda: "● training" in screen_text(deck))
    (run,) = producer.started
    rest = play_up_to(run, 400)
    await settle(pilot, lambda: "epoch 18/30" in screen_text(deck))
    return run, rest


def deck_that_trains(tmp_path: Path, producer: FakeProducer) -> Filmed:
    return Filmed(tmp_path, document(), source="digits-cnn", train=True, producer=producer)


@pytest.mark.parametrize("size", SIZES)
def test_the_end_is_drawn_completely_in_one_frame(tmp_path: Path, size: tuple[int, int]) -> None:
    producer = FakeProducer()
    deck = deck_that_trains(tmp_path, producer)

    async def act(_: Deck, pilot: Pilot[None]) -> None:
        run, rest = await training(deck, pilot, producer)
        end(run, rest)
        await settle(pilot, lambda: "✓ stopped early" in screen_text(deck))
        await pilot.pause(0.6)

    play(deck, act, size)
    first = next(i for i, frame in enumerate(deck.frames) if "✓ stopped early" in frame)
    assert "● training" in deck.frames[first - 1]
    assert deck.frames[first] == deck.frames[-1]
    assert "Pause" not in deck.frames[first] and "t Train again" in deck.frames[first]


@pytest.mark.parametrize("size", SIZES)
def test_an_ended_run_equals_its_golden(tmp_path: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.widgets.log.time.localtime", time.gmtime)
    producer = FakeProducer()

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        run, rest = await training(deck, pilot, producer)
        *before, finished = rest
        message = (
            f"Stopped early after epoch 23: no better val_loss for 8 epochs; best val_loss {BEST} at epoch 15, whose "
            "weights are kept; val_accuracy 0.9713 against 0.102 of the naive baseline."
        )
        end(run, [*before, finished.model_copy(update={"message": message})])
        await settle(pilot, lambda: "t Train again" in screen_text(deck).splitlines()[-1])
        text = screen_text(deck)
        assert text.count(BEST) == 1, "the best value stands once"
        assert "again: torchdeck train runs/2026-11-23T16-15-30-digits-cnn/experiment.toml" in text
        assert "╭─ log" in text
        assert_golden(f"train-ended-{size[0]}x{size[1]}", text)

    play(deck_that_trains(tmp_path, producer), act, size)


@pytest.mark.parametrize(
    "directory", ["/home/ada/a/very/long/way/to/the/runs/of/this/year/2026", "/r"], ids=["long", "short"]
)
def test_the_command_that_trains_again_is_complete(tmp_path: Path, directory: str) -> None:
    producer = FakeProducer()
    where = f"{directory}/2026-11-23T16-15-30-digits-cnn-with-a-name-that-goes-on-and-on"

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: "● training" in screen_text(deck))
        (run,) = producer.started
        started = next(event for event in script() if isinstance(event, RunStarted))
        run._events += [started.model_copy(update={"directory": where})]
        run.end(Reason.COMPLETED, "Trained 30 epochs.")
        await settle(pilot, lambda: "✓ completed" in screen_text(deck))
        above = screen_text(deck).split("╭─ loss")[0]
        assert f"torchdeck train {where}/experiment.toml" in "".join(
            line.strip() for line in above.splitlines()
        ).replace("torchdeck train/", "torchdeck train /")

    play(deck_that_trains(tmp_path, producer), act)


def test_t_trains_again_e_edits_and_escape_goes_back(tmp_path: Path) -> None:
    producer = FakeProducer()

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        run, rest = await training(deck, pilot, producer)
        end(run, rest)
        await settle(pilot, lambda: "t Train again" in screen_text(deck))
        await pilot.press("e")
        await settle(pilot, lambda: isinstance(deck.screen, DesignScreen))
        assert deck.documents.current is not None and deck.documents.current.name == "digits-cnn"
        await pilot.press("2")
        await settle(pilot, lambda: isinstance(deck.screen, TrainScreen))
        await pilot.press("escape")
        await settle(pilot, lambda: isinstance(deck.screen, DesignScreen))
        await pilot.press("2", "t")
        await settle(pilot, lambda: len(producer.started) == 2)
        await settle(pilot, lambda: "● training" in screen_text(deck))
        producer.started[1].end(Reason.COMPLETED, "Trained.")

    play(deck_that_trains(tmp_path, producer), act)


def test_a_run_that_was_opened_can_be_trained_again_from_its_directory(tmp_path: Path) -> None:
    class Following(FakeProducer):
        def follow(self, path: Path) -> FakeRun:
            run = FakeRun(path)
            run.end(Reason.STOPPED, "Stopped by hand at step 40.")
            return run

    producer = Following(RUNS)

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: "■ stopped" in screen_text(deck))
        footer = " ".join(screen_text(deck).splitlines()[-1].split())
        assert footer.startswith("t Train again r Resume e Edit esc Back")
        await pilot.press("escape")
        await settle(pilot, lambda: isinstance(deck.screen, HomeScreen))
        await pilot.press("2", "e")
        await settle(pilot, lambda: isinstance(deck.screen, DesignScreen))
        assert deck.documents.current is not None and deck.documents.current.source == str(
            RUNS[4].path / "experiment.toml"
        )
        assert deck.documents.current.path is None, "a run's own document is not written to"

    play(Deck(tmp_path, open_run=RUNS[4].path, producer=producer), act)


def test_the_question_whether_to_stop_closes_when_the_run_ends(tmp_path: Path) -> None:
    producer = FakeProducer()

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        run, rest = await training(deck, pilot, producer)
        await pilot.press("s")
        await settle(pilot, lambda: isinstance(deck.screen, StopScreen) and "epoch 18 of 30" in screen_text(deck))
        end(run, rest)
        await settle(pilot, lambda: isinstance(deck.screen, TrainScreen) and "✓ stopped early" in screen_text(deck))
        assert run.sent == []

    play(deck_that_trains(tmp_path, producer), act)


def test_the_question_how_to_leave_closes_when_the_run_ends(tmp_path: Path) -> None:
    producer = FakeProducer()

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        run, rest = await training(deck, pilot, producer)
        await pilot.press("q")
        await settle(pilot, lambda: isinstance(deck.screen, ChoiceScreen))
        end(run, rest)
        await settle(pilot, lambda: isinstance(deck.screen, TrainScreen) and "✓ stopped early" in screen_text(deck))
        assert run.sent == [] and not deck._exit
        await pilot.press("q")
        await settle(pilot, lambda: deck._exit)

    play(deck_that_trains(tmp_path, producer), act)


@pytest.mark.parametrize("size", SIZES)
def test_the_design_screen_notifies_that_the_run_has_ended(tmp_path: Path, size: tuple[int, int]) -> None:
    producer = FakeProducer()

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        run, rest = await training(deck, pilot, producer)
        await pilot.press("1")
        await settle(pilot, lambda: isinstance(deck.screen, DesignScreen) and "2 Train ●" in screen_text(deck))
        end(run, rest)
        await settle(pilot, lambda: "Run stopped early" in screen_text(deck))
        assert "Press 2 to show it." in screen_text(deck)
        assert "2 Train ✓" in screen_text(deck).splitlines()[0], "it stands there when the message has gone"
        assert isinstance(deck.screen, DesignScreen)

    play(deck_that_trains(tmp_path, producer), act, size)


@pytest.mark.parametrize("key", ["s", "space"])
def test_the_key_that_asks_whether_to_stop_does_not_answer(tmp_path: Path, key: str) -> None:
    producer = FakeProducer()

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        run, _ = await training(deck, pilot, producer)
        await pilot.press("s", key, key)
        await settle(pilot, lambda: isinstance(deck.screen, StopScreen))
        assert run.sent == []
        await pilot.press("enter")
        await settle(pilot, lambda: run.sent == [Simple(command="stop")])

    play(deck_that_trains(tmp_path, producer), act)
