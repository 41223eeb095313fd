"""Jump: each panel shows a letter, whose key moves the focus there. F1 explains the focused panel."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_producer import RUNS, FakeProducer
from screen_text import assert_golden, screen_text
from test_app import Act, on_design, on_home, play, train
from test_home_screen import SIZES, settle
from textual.pilot import Pilot

from tui.deck.app import Deck
from tui.dialogs.help import HelpScreen
from tui.dialogs.jump import JumpScreen, frame, jump_places

PLACES: dict[str, Act] = {"home": on_home, "design": on_design, "train": train}


def end_runs(producer: FakeProducer) -> None:
    from engine.protocol.events import Reason

    for run in producer.started:
        run.end(Reason.COMPLETED, "Trained.")


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("size", SIZES)
def test_every_panel_has_a_letter_that_goes_there(tmp_path: Path, where: str, size: tuple[int, int]) -> None:
    producer = FakeProducer()

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await on_home(deck, pilot)
        await PLACES[where](deck, pilot)
        await pilot.pause()
        screen = deck.screen
        places = jump_places(screen)
        assert len(places) >= 2
        for letter, place in zip("abcdefgh", places, strict=False):
            await pilot.press("grave_accent")
            await settle(pilot, lambda: isinstance(deck.screen, JumpScreen) and bool(deck.screen.query(".letter")))
            await pilot.pause()
            region = frame(place).region
            rows = screen_text(deck).splitlines()
            assert rows[region.y][region.x : region.x + 3] == f" {letter} "
            await pilot.press(letter)
            await settle(pilot, lambda place=place: deck.screen is screen and screen.focused is place)
        end_runs(producer)

    play(Deck(tmp_path, producer=producer), act, size)


@pytest.mark.parametrize("size", SIZES)
def test_the_letters_are_on_the_titles(tmp_path: Path, size: tuple[int, int]) -> None:
    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await on_home(deck, pilot)
        await on_design(deck, pilot)
        await pilot.press("ctrl+g")
        await settle(pilot, lambda: isinstance(deck.screen, JumpScreen) and bool(deck.screen.query(".letter")))
        await pilot.pause()
        assert_golden(f"jump-{size[0]}x{size[1]}", screen_text(deck))
        focused = deck.screen_stack[0].focused
        await pilot.press("escape")
        await settle(pilot, lambda: len(deck.screen_stack) == 1)
        assert deck.screen.focused is focused

    play(Deck(tmp_path, producer=FakeProducer()), act, size)


@pytest.mark.parametrize("size", SIZES)
def test_f1_explains_only_the_focused_panel(tmp_path: Path, size: tuple[int, int]) -> None:
    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await on_home(deck, pilot)
        await pilot.press("tab", "f1")
        await settle(pilot, lambda: isinstance(deck.screen, HelpScreen))
        await pilot.pause()
        text = screen_text(deck)
        assert "Help ─ Runs" in text and "Show this run's curves" in text
        assert "Train the preset" not in text and "Leave the deck" not in text
        assert_golden(f"help-here-{size[0]}x{size[1]}", text)
        await pilot.press("f1")
        await settle(pilot, lambda: len(deck.screen_stack) == 1)

    play(Deck(tmp_path, producer=FakeProducer(RUNS)), act, size)


def test_f1_on_a_plot_says_how_to_read_it(tmp_path: Path) -> None:
    producer = FakeProducer()

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await train(deck, pilot)
        loss = deck.screen.query_one("#loss")
        loss.focus()
        await pilot.press("f1")
        await settle(pilot, lambda: isinstance(deck.screen, HelpScreen))
        await pilot.pause()
        assert "Help ─ Loss" in screen_text(deck)
        assert " ".join(loss.HELP.split())[:30] in " ".join(screen_text(deck).replace("│", " ").split())
        end_runs(producer)

    play(Deck(tmp_path, producer=producer), act)
