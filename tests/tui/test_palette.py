"""The command palette has every action of the focused widget, of its screen and of the deck."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
from fake_producer import FakeProducer
from screen_text import screen_text
from test_app import Act, on_design, on_home, play, train
from test_home_screen import settle
from textual.pilot import Pilot
from textual.widget import Widget

from engine.protocol.events import Reason
from tui.deck.app import Deck
from tui.dialogs.jump import jump_places
from tui.screens.design import DesignScreen

PLACES: dict[str, Act] = {"home": on_home, "design": on_design, "train": train}


def assert_every_action_once(deck: Deck, focused: Widget | None) -> None:
    titles = [command.title for command in deck.get_system_commands(deck.screen)]
    of_action: dict[str, set[str]] = defaultdict(set)
    for active in deck.screen.active_bindings.values():
        if active.enabled and active.binding.id:
            namespace = {deck: "app", deck.screen: "screen"}.get(active.node, str(active.node))
            action = active.binding.action
            name = action if "." in action.partition("(")[0] else f"{namespace}.{action}"
            title = f"{active.binding.description} ({deck.get_key_display(active.binding)})"
            of_action[name].add(title)
    assert of_action
    for action, names in of_action.items():
        there = [title for title in titles if title in names]
        assert len(there) == 1, f"{action} of {focused} stands {len(there)} times: {there}"


@pytest.mark.parametrize("where", PLACES)
def test_every_action_is_in_the_palette_once(tmp_path: Path, where: str) -> None:
    producer = FakeProducer()

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await on_home(deck, pilot)
        await PLACES[where](deck, pilot)
        await pilot.pause()
        for place in jump_places(deck.screen):
            place.focus()
            await pilot.pause()
            assert_every_action_once(deck, place)
        for run in producer.started:
            run.end(Reason.COMPLETED, "Trained.")

    play(Deck(tmp_path, producer=producer), act)


def test_an_action_of_the_focused_list_runs_from_the_palette(tmp_path: Path) -> None:
    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await on_home(deck, pilot)
        await on_design(deck, pilot)
        await pilot.pause()
        screen = deck.screen
        assert isinstance(screen, DesignScreen)
        before = len(screen._paths)
        await pilot.press("ctrl+p", *"duplicate", "enter")
        await settle(pilot, lambda: len(screen._paths) == before + 1)
        assert "Conv2d" in screen_text(deck)

    play(Deck(tmp_path, producer=FakeProducer()), act)
