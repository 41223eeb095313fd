"""A requested run: its train screen from the first frame, what it waits for, and how that ends."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fake_producer import RUNS, FakeProducer, FakeRun, document
from screen_text import screen_text
from test_app import play
from test_home_screen import SIZES, settle
from textual.pilot import Pilot

from engine.data.progress import progress
from engine.experiment import Mistake, Refused
from engine.protocol.commands import Simple
from engine.protocol.events import Reason
from tui.deck.app import Deck
from tui.dialogs.stop import StopScreen
from tui.screens.design import DesignScreen
from tui.screens.home import HomeScreen
from tui.screens.train import TrainScreen

if TYPE_CHECKING:
    from engine.experiment import Draft
    from engine.plan import Plan
    from engine.protocol.commands import PauseMode


class Resuming(FakeProducer):
    """A producer that can resume a run too."""

    def resume(self, path: Path, overrides: tuple[str, ...] = (), *, pause_mode: PauseMode | None = None) -> FakeRun:
        if self.refuses:
            raise Refused(
                [Mistake("epochs", "1 is too few", "", self.refuses), Mistake("run", "no checkpoint", "", "")]
            )
        self.started.append(FakeRun(path))
        return self.started[-1]


def from_the_command_line(tmp_path: Path, producer: FakeProducer, *overrides: str) -> Deck:
    return Deck(tmp_path, document(*overrides), source="digits-cnn", train=True, producer=producer)


def end_all(producer: FakeProducer) -> None:
    producer.go.set()
    for run in producer.started:
        if run.alive:
            run.end(Reason.COMPLETED, "Trained.")


@pytest.mark.parametrize("size", SIZES)
def test_train_shows_the_train_screen_and_what_it_waits_for_until_torch_is_loaded(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    producer = FakeProducer(held=True)

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: "◌ loading torch" in screen_text(deck))
        screen = deck.screen
        assert isinstance(screen, TrainScreen)
        assert "Loading torch." in screen_text(deck)
        assert " s Stop" in screen_text(deck).splitlines()[-1] and " q Quit" in screen_text(deck).splitlines()[-1]
        producer.go.set()
        await settle(pilot, lambda: "● training" in screen_text(deck))
        assert deck.screen is screen, "it is the same screen as before the run"
        assert "loading torch" not in screen_text(deck).splitlines()[1]
        end_all(producer)

    play(from_the_command_line(tmp_path, producer), act, size)


@pytest.mark.parametrize("keys", [["s", "x", "d", "a"], ["e", "t", "r", "n"], ["ctrl+s", "ctrl+o", "S", "u"]], ids=str)
def test_keys_typed_while_a_run_waits_reach_only_its_screen(tmp_path: Path, keys: list[str]) -> None:
    producer = FakeProducer(held=True)

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: isinstance(deck.screen, TrainScreen))
        await pilot.press(*keys)
        assert isinstance(deck.screen, TrainScreen | StopScreen)
        await pilot.press("escape") if isinstance(deck.screen, StopScreen) else None
        producer.go.set()
        await settle(pilot, lambda: "● training" in screen_text(deck))
        assert not deck.documents.unsaved
        end_all(producer)

    play(from_the_command_line(tmp_path, producer), act)


def test_a_run_that_is_stopped_before_it_starts_never_starts(tmp_path: Path) -> None:
    producer = FakeProducer(held=True)

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: "loading torch" in screen_text(deck))
        await pilot.press("s")
        await settle(pilot, lambda: "It has not started." in screen_text(deck))
        await pilot.press("enter")
        await settle(pilot, lambda: "■ stopped" in screen_text(deck))
        assert "Stopped before it started. Nothing was trained." in screen_text(deck)
        producer.go.set()
        await settle(pilot, lambda: deck.documents.current is not None and deck.documents.current.plan is not None)
        assert producer.started == [] and deck.run_controller.active is None
        await pilot.press("t")
        await settle(pilot, lambda: "● training" in screen_text(deck))
        end_all(producer)

    play(from_the_command_line(tmp_path, producer), act)


@pytest.mark.parametrize("key", ["q", "ctrl+q", "ctrl+c"])
def test_leaving_before_a_run_has_started_asks_nothing(tmp_path: Path, key: str) -> None:
    producer = FakeProducer(held=True)

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: "loading torch" in screen_text(deck))
        await pilot.press(key)
        await settle(pilot, lambda: deck._exit)
        producer.go.set()

    assert play(from_the_command_line(tmp_path, producer), act)._exit
    assert producer.started == []


@pytest.mark.parametrize("size", SIZES)
def test_mistakes_open_the_design_screen_where_they_can_be_fixed(tmp_path: Path, size: tuple[int, int]) -> None:
    producer = FakeProducer()

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: "in_features is 100" in screen_text(deck))
        assert isinstance(deck.screen, DesignScreen)
        await settle(pilot, lambda: "must be corrected before training" in screen_text(deck))
        assert producer.started == [] and deck.run_controller.pending is None
        await pilot.press("2")
        assert not isinstance(deck.screen, TrainScreen), "there is no run to show"

    play(from_the_command_line(tmp_path, producer, "model.layers[9].in_features=100"), act, size)


def test_mistakes_do_not_replace_a_screen_that_was_opened_in_the_meantime(tmp_path: Path) -> None:
    producer = FakeProducer(held=True)

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: "loading torch" in screen_text(deck))
        await pilot.press("3")
        await settle(pilot, lambda: isinstance(deck.screen, HomeScreen))
        deck.documents.current = None
        producer.go.set()
        await settle(pilot, lambda: "was not trained" in screen_text(deck))
        assert isinstance(deck.screen, HomeScreen)

    play(from_the_command_line(tmp_path, producer, "model.layers[9].in_features=100"), act, (120, 36))


@pytest.mark.parametrize("keys", ["3", "1"])
def test_a_run_that_starts_does_not_replace_a_screen_that_was_opened_in_the_meantime(tmp_path: Path, keys: str) -> None:
    producer = FakeProducer(held=True)

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: "loading torch" in screen_text(deck))
        await pilot.press(keys)
        await settle(pilot, lambda: not isinstance(deck.screen, TrainScreen))
        screen = deck.screen
        await settle(pilot, lambda: "2 Train ◌" in screen_text(deck))
        producer.go.set()
        await settle(pilot, lambda: deck.run_controller.active is not None)
        await settle(pilot, lambda: "2 Train ●" in screen_text(deck))
        assert deck.screen is screen
        await pilot.press("2")
        await settle(pilot, lambda: "● training" in screen_text(deck))
        end_all(producer)

    play(from_the_command_line(tmp_path, producer), act)


@pytest.mark.parametrize("key", ["t", "r"])
def test_t_and_r_also_show_the_train_screen_immediately(tmp_path: Path, key: str) -> None:
    producer = Resuming([RUNS[5]], held=True)

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: "stdlib-docs-lstm" in screen_text(deck))
        if key == "r":
            await pilot.press("tab")
        await pilot.press(key)
        await settle(pilot, lambda: isinstance(deck.screen, TrainScreen))
        await settle(pilot, lambda: "◌ loading torch" in screen_text(deck))
        producer.go.set()
        await settle(pilot, lambda: "● training" in screen_text(deck))
        end_all(producer)

    play(Deck(tmp_path, producer=producer), act)


def test_resume_from_the_command_line_shows_the_train_screen_immediately(tmp_path: Path) -> None:
    producer = Resuming(held=True)

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: "◌ loading torch" in screen_text(deck))
        assert isinstance(deck.screen, TrainScreen) and RUNS[5].name in screen_text(deck)
        producer.go.set()
        await settle(pilot, lambda: "● training" in screen_text(deck))
        end_all(producer)

    play(Deck(tmp_path, resume=RUNS[5].path, producer=producer), act)


def test_a_refused_resume_shows_every_reason_on_the_train_screen(tmp_path: Path) -> None:
    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: "✗ not started" in screen_text(deck))
        assert "epochs: 1 is too few" in screen_text(deck) and "run: no checkpoint" in screen_text(deck)
        await pilot.press("escape")
        await settle(pilot, lambda: isinstance(deck.screen, HomeScreen))

    play(Deck(tmp_path, resume=RUNS[5].path, producer=Resuming(refuses="Set it higher.")), act)


def test_a_run_that_cannot_start_shows_why_and_what_to_do(tmp_path: Path) -> None:
    producer = FakeProducer(refuses="read-only")

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: "18,602" in screen_text(deck))
        await pilot.press("t")
        await settle(pilot, lambda: "read-only" in screen_text(deck))
        assert isinstance(deck.screen, TrainScreen)
        assert "✗ not started" in screen_text(deck)
        footer = " ".join(screen_text(deck).splitlines()[-1].split())
        assert footer == "t Train again e Edit esc Back q Quit ? Help"
        producer.refuses = ""
        await pilot.press("t")
        await settle(pilot, lambda: "● training" in screen_text(deck))
        end_all(producer)

    play(Deck(tmp_path, producer=producer), act, (120, 36))


def test_progress_of_reading_data_is_shown_and_not_logged(tmp_path: Path) -> None:
    class Reading(FakeProducer):
        def plan_of(self, draft: Draft) -> Plan:
            progress("Checking images", 12_000, 100_000)
            return super().plan_of(draft)

    producer = Reading(held=True)

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: "◌ Checking images: 12,000 of 100,000" in screen_text(deck))
        assert screen_text(deck).count("Checking images") == 1
        end_all(producer)

    play(from_the_command_line(tmp_path, producer), act)


def test_a_document_that_is_changed_while_it_waits_is_not_trained(tmp_path: Path) -> None:
    producer = FakeProducer(held=True)

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: "loading torch" in screen_text(deck))
        await pilot.press("1")
        await settle(pilot, lambda: isinstance(deck.screen, DesignScreen))
        assert isinstance(deck.screen, DesignScreen) and deck.documents.current is not None
        deck.screen.change(deck.documents.current.text.replace("64", "32"), "batch_size 32")
        await settle(pilot, lambda: "the document was changed" in screen_text(deck))
        producer.go.set()
        await settle(pilot, lambda: deck.documents.current is not None and deck.documents.current.plan is not None)
        assert producer.started == []

    play(from_the_command_line(tmp_path, producer), act, (120, 36))


def test_no_other_run_starts_while_one_waits(tmp_path: Path) -> None:
    producer = FakeProducer(held=True)

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: "loading torch" in screen_text(deck))
        screen = deck.screen
        await pilot.press("3")
        await settle(pilot, lambda: isinstance(deck.screen, HomeScreen))
        await pilot.press("down", "t")
        await settle(pilot, lambda: deck.screen is screen)
        producer.go.set()
        await settle(pilot, lambda: deck.run_controller.active is not None)
        assert [run.directory.name for run in producer.started] == ["2026-11-23T16-15-30-digits-cnn"]
        end_all(producer)

    play(from_the_command_line(tmp_path, producer), act)


def test_a_run_that_is_stopped_while_it_is_created_stops(tmp_path: Path) -> None:
    class Slow(FakeProducer):
        begun = False
        make = threading.Event()

        def start(self, plan: Plan, runs_dir: Path) -> FakeRun:
            self.begun = True
            self.make.wait(20)
            return super().start(plan, runs_dir)

    producer = Slow()

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: producer.begun)
        await pilot.press("s")
        await settle(pilot, lambda: isinstance(deck.screen, StopScreen))
        await pilot.press("enter")
        await settle(pilot, lambda: "■ stopped" in screen_text(deck))
        producer.make.set()
        await settle(pilot, lambda: len(deck.runs) == 1)
        assert producer.started[0].sent == [Simple(command="stop")]

    play(from_the_command_line(tmp_path, producer), act)
