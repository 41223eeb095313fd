"""The home screen: presets, runs, and details of the one under the cursor."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fake_producer import NOW, RUNS, FakeProducer, document, plan_of, summary
from screen_text import assert_golden, screen_text
from textual.pilot import Pilot

from engine.experiment import Preset
from engine.runs import RunSummary
from tui.deck.app import Deck
from tui.rows.home import preset_panel, preset_rows, run_panel, run_rows
from tui.screens.design import DesignScreen
from tui.screens.home import HomeScreen
from tui.services.producer import Producer

SIZES = [(80, 24), (120, 36)]


async def settle(pilot: Pilot[None], condition: object = None, timeout_s: float = 10.0) -> None:
    """Wait until `condition()` holds, and everything is drawn."""
    for _ in range(int(timeout_s / 0.02)):
        await pilot.pause(0.02)
        if condition is None or condition():  # type: ignore[operator]
            await pilot.pause()
            return
    raise AssertionError("what the test waits for did not happen")


def home_of(deck: Deck) -> HomeScreen:
    screen = deck.screen
    assert isinstance(screen, HomeScreen)
    return screen


@pytest.mark.parametrize("size", SIZES)
def test_the_deck_opens_with_presets_runs_and_details_of_the_first_preset(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async def run() -> str:
        deck = Deck(tmp_path, producer=FakeProducer(RUNS))
        async with deck.run_test(size=size) as pilot:
            await settle(pilot, lambda: home_of(deck).runs and "18,602" in screen_text(deck))
            return screen_text(deck)

    assert_golden(f"home-{size[0]}x{size[1]}", asyncio.run(run()))


@pytest.mark.parametrize("size", SIZES)
def test_without_runs_the_screen_says_how_to_start_one(tmp_path: Path, size: tuple[int, int]) -> None:
    async def run() -> str:
        deck = Deck(tmp_path, producer=FakeProducer())
        async with deck.run_test(size=size) as pilot:
            await settle(pilot, lambda: home_of(deck)._no_runs)
            await pilot.press("right")
            await settle(pilot)
            return screen_text(deck)

    text = asyncio.run(run())
    assert "No runs yet." in text
    assert "Press t to train it" in text


def test_a_folder_of_runs_that_cannot_be_read_is_a_sentence_on_the_screen(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("no folder")

    class Listing(FakeProducer):
        def runs(self, runs_dir: Path) -> list[RunSummary]:
            return Producer().runs(runs_dir)

    async def run() -> tuple[str, str]:
        deck = Deck(tmp_path / "runs", producer=Listing())
        async with deck.run_test(size=(120, 36)) as pilot:
            await settle(pilot, lambda: "cannot be read" in screen_text(deck))
            assert ["Not a directory" in said.message for said in deck._notifications] == [True]
            deck.run_controller.read_list()  # as the deck does every few seconds: it says so once
            await pilot.pause(0.3)
            assert len(deck._notifications) == 1
            deck.clear_notifications()
            await pilot.press("right")
            await settle(pilot, lambda: "TORCHDECK_RUNS" in screen_text(deck))
            broken = " ".join(screen_text(deck).replace("│", " ").split())
            (tmp_path / "runs").unlink()
            deck.run_controller.read_list()
            await settle(pilot, lambda: "No runs yet." in screen_text(deck))
            return broken, screen_text(deck)

    broken, mended = asyncio.run(run())
    assert "No runs yet." not in broken and "the folder of runs cannot be read (Not a directory)." in broken
    assert "cannot be read" not in mended


def test_a_run_that_cannot_be_read_has_a_mark_and_shows_why_instead_of_opening(tmp_path: Path) -> None:
    why = "runs/loop: it cannot be read (Too many levels of symbolic links)."
    runs = [*RUNS, summary("unreadable", "loop", started=0.0, epochs=0, best=None, seconds=0.0, problem=why)]

    async def run() -> str:
        producer = FakeProducer(runs)
        deck = Deck(tmp_path, producer=producer)
        async with deck.run_test(size=(120, 36)) as pilot:
            await settle(pilot, lambda: home_of(deck).runs)
            await pilot.press("right", "end", "enter")
            await settle(pilot, lambda: "symbolic links" in screen_text(deck))
            assert not producer.followed
            return screen_text(deck)

    assert "! unreadable" in asyncio.run(run())


def test_until_torch_is_loaded_the_panel_says_so_and_shows_the_document(tmp_path: Path) -> None:
    async def run() -> tuple[str, str]:
        producer = FakeProducer(held=True)
        deck = Deck(tmp_path, producer=producer)
        async with deck.run_test(size=(120, 36)) as pilot:
            await settle(pilot, lambda: "loading torch…" in screen_text(deck))
            before = screen_text(deck)
            producer.go.set()
            await settle(pilot, lambda: "loading torch…" not in screen_text(deck))
            return before, screen_text(deck)

    before, after = asyncio.run(run())
    assert "AdamW" in before
    assert "18,602 parameters" not in before
    assert "18,602 parameters" in after


def test_enter_on_a_preset_opens_its_plan_and_escape_returns_to_the_preset(tmp_path: Path) -> None:
    async def run() -> None:
        deck = Deck(tmp_path, producer=FakeProducer())
        async with deck.run_test(size=(80, 24)) as pilot:
            await pilot.press("down", "enter")
            await settle(pilot, lambda: isinstance(deck.screen, DesignScreen) and deck.screen.design is not None)
            assert deck.screen.design.name == "lenet"
            await pilot.press("escape")
            await settle(pilot, lambda: isinstance(deck.screen, HomeScreen))
            assert home_of(deck).preset.name == "lenet"

    asyncio.run(run())


def test_enter_on_a_run_opens_it_and_the_cursor_stays_when_runs_are_added(tmp_path: Path) -> None:
    async def run() -> None:
        producer = FakeProducer(RUNS)
        deck = Deck(tmp_path, producer=producer)
        async with deck.run_test(size=(120, 36)) as pilot:
            await settle(pilot, lambda: home_of(deck).runs)
            await pilot.press("right", "down")
            assert home_of(deck).run == RUNS[1]
            producer.listed = [summary("live", "brand-new"), *RUNS]
            deck.run_controller.read_list()
            await settle(pilot, lambda: len(home_of(deck).runs) == len(RUNS) + 1)
            assert home_of(deck).run == RUNS[1]
            await pilot.press("enter")
            await settle(pilot, lambda: producer.followed)
            assert producer.followed == [RUNS[1].path]

    asyncio.run(run())


def test_train_is_offered_on_presets_only(tmp_path: Path) -> None:
    async def run() -> tuple[str, str]:
        deck = Deck(tmp_path, producer=FakeProducer(RUNS))
        async with deck.run_test(size=(80, 24)) as pilot:
            await settle(pilot, lambda: home_of(deck).runs)
            on_presets = screen_text(deck).splitlines()[-1]
            await pilot.press("tab")
            await settle(pilot, lambda: screen_text(deck).splitlines()[-1] != on_presets)
            return on_presets, screen_text(deck).splitlines()[-1]

    on_presets, on_runs = asyncio.run(run())
    assert "Plan" in on_presets and "Train" in on_presets
    assert "Open" in on_runs and "Train" not in on_runs


def test_every_status_has_its_own_mark_or_a_word_that_distinguishes_it() -> None:
    rows = [row.plain[0] for row in run_rows(RUNS, NOW, 76)]
    assert rows == ["●", "✓", "✓", "✗", "■", "?"]
    words = [run_panel(run, 60).plain.splitlines()[0] for run in RUNS]
    assert len(set(words)) == len(words)


@pytest.mark.parametrize("width", [30, 45, 56, 76, 140])
def test_rows_fill_their_width_and_no_more(width: int) -> None:
    assert {row.cell_length for row in run_rows(RUNS, NOW, width)} == {width}
    presets = (Preset("digits-cnn", "A summary that is longer than what there is of room for it in any panel. " * 3),)
    assert all(row.cell_length <= width for row in preset_rows(presets, width))


def test_a_preset_with_mistakes_says_how_many() -> None:
    draft = document("training.epochs=0", "model.layers[9].in_features=100")
    text = preset_panel(Preset("digits-cnn", "s"), draft, plan_of(draft), 60).plain
    assert "2 mistakes" in text
