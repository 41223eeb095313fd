"""A screen is one file in tui/screens, and a key is one binding: footer, help, palette and keymap show them."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_producer import FakeProducer
from screen_text import screen_text
from test_app import play
from test_home_screen import settle
from textual.binding import Binding
from textual.pilot import Pilot

import tui.screens
from tui.deck.app import Deck
from tui.dialogs.help import HelpScreen
from tui.preferences.keymap import checked, declared
from tui.preferences.settings import Settings
from tui.screens.home import HomeScreen

NOTES = '''
from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import Static

from tui.screens.deck_screen import DeckScreen
from tui.widgets.footer import Footer
from tui.widgets.header import DeckHeader


class NotesScreen(DeckScreen):
    """Counts the presets."""

    MODE = "notes"
    OPENED_BY = Binding("4", "open_screen('notes')", "Notes", id="deck.notes", tooltip="Show the notes")
    BINDINGS = [Binding("w", "write", "Write", id="notes.write", tooltip="Write a note")]

    def compose(self) -> ComposeResult:
        yield DeckHeader("", tabs=self.services.tabs)
        yield Static(f"{len(self.services.producer.presets())} presets", id="text")
        yield Footer()

    def action_write(self) -> None:
        self.query_one("#text", Static).update("A note was written.")
'''


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The file of a screen, among those of the deck."""
    folder = tmp_path / "screens"
    folder.mkdir()
    (folder / "notes.py").write_text(NOTES, encoding="utf-8")
    monkeypatch.setattr(tui.screens, "__path__", [*tui.screens.__path__, str(folder)])
    yield
    module = sys.modules.pop("tui.screens.notes")
    module.NotesScreen.MODE, module.NotesScreen.__module__ = "", "removed"
    del tui.screens.notes, module  # type: ignore[attr-defined]
    gc.collect()


def titles(deck: Deck) -> set[str]:
    return {command.title for command in deck.get_system_commands(deck.screen)}


@pytest.mark.usefixtures("notes")
def test_a_screen_is_one_file_and_its_keys_are_in_footer_help_palette_and_keymap(tmp_path: Path) -> None:
    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: "4 Notes" in screen_text(deck).splitlines()[-1])
        assert "Notes (4)" in titles(deck)
        await pilot.press("4")
        await settle(pilot, lambda: "3 presets" in screen_text(deck))
        footer = screen_text(deck).splitlines()[-1]
        assert "w Write" in footer and "4 Notes" in footer
        assert {"Write (w)", "Notes (4)"} <= titles(deck)
        await pilot.press("question_mark")
        await settle(pilot, lambda: isinstance(deck.screen, HelpScreen))
        assert "Write a note" in screen_text(deck) and "Show the notes" in screen_text(deck)
        await pilot.press("escape", "w")
        await settle(pilot, lambda: "A note was written." in screen_text(deck))
        await pilot.press("3")
        await settle(pilot, lambda: isinstance(deck.screen, HomeScreen))

    play(Deck(tmp_path, producer=FakeProducer()), act, (160, 40))


@pytest.mark.usefixtures("notes")
def test_the_keys_of_an_added_screen_can_be_changed(tmp_path: Path) -> None:
    assert {"deck.notes", "notes.write"} <= {named.id for named in declared()}
    problems: list[str] = []
    assert checked({"deck.notes": "t"}, lambda id_, problem: problems.append(f"{id_} {problem}")) == {}
    assert len(problems) == 1 and "train" in problems[0]

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: "f9 Notes" in screen_text(deck).splitlines()[-1])
        await pilot.press("f9", "h")
        await settle(pilot, lambda: "A note was written." in screen_text(deck))

    settings = Settings(keymap={"deck.notes": "f9", "notes.write": "h"})
    play(Deck(tmp_path, producer=FakeProducer(), settings=settings), act, (160, 40))


def test_a_key_is_one_binding_and_is_in_footer_help_palette_and_keymap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    greet = Binding("g", "greet", "Greet", id="home.greet", tooltip="Greet the person")
    monkeypatch.setattr(HomeScreen, "BINDINGS", [*HomeScreen.BINDINGS, greet])
    monkeypatch.setattr(HomeScreen, "_merged_bindings", HomeScreen._merge_bindings())
    monkeypatch.setattr(HomeScreen, "action_greet", lambda screen: screen.notify("Hello."), raising=False)
    assert "home.greet" in {named.id for named in declared()}

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: "g Greet" in screen_text(deck).splitlines()[-1])
        assert "Greet (g)" in titles(deck)
        await pilot.press("question_mark")
        await settle(pilot, lambda: "Greet the person" in screen_text(deck))
        await pilot.press("escape", "g")
        await settle(pilot, lambda: "Hello." in screen_text(deck))

    play(Deck(tmp_path, producer=FakeProducer()), act, (160, 40))
