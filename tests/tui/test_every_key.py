"""Every key that a footer shows, pressed in every panel of every screen: it does what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from fake_probe import ProbingProducer, batch_records, gradient_records, rate_records
from fake_producer import RUNS
from screen_text import screen_text
from test_home_screen import settle
from textual.pilot import Pilot
from textual.widget import Widget

from engine.experiment import reads
from tui.deck.app import Deck
from tui.dialogs.picker import PickerScreen
from tui.screens.design import DesignScreen
from tui.screens.train import TrainScreen
from tui.widgets.footer import Footer, FooterKey, KeyLine


class RecordingDeck(Deck):
    """A deck that writes down which actions its keys ask for; once `only_record` is set it does none of them."""

    only_record = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.asked_for: list[str] = []

    async def _dispatch_action(self, namespace: Any, action_name: str, params: Any) -> bool:
        if self.only_record:
            self.asked_for.append(action_name)
            return True
        return await super()._dispatch_action(namespace, action_name, params)


Way = Callable[[RecordingDeck, Pilot[None]], Awaitable[None]]


def keys(*pressed: str, until: str = "") -> Way:
    async def way(deck: RecordingDeck, pilot: Pilot[None]) -> None:
        for key in pressed:
            await pilot.press(key)
            await settle(pilot)
        await settle(pilot, lambda: until in screen_text(deck))

    return way


TRAINING = keys("t", until="Pause")
SCREENS: dict[str, tuple[Way, dict[str, Any]]] = {
    "home": (keys(), {"runs": RUNS}),
    "home without runs": (keys(until="digits-cnn"), {"runs": ()}),
    "design": (keys("enter", until="out_channels"), {}),
    "design that was changed": (keys("enter", "x", until="u Undo"), {}),
    "design typing": (keys("enter", "right", "down", "enter", until="Accept"), {}),
    "train": (TRAINING, {}),
    "stop": (keys("t", "s", until="Stop this run"), {}),
    "leave a run": (keys("t", "q", until="Leave"), {}),
    "help": (keys("question_mark", until="Everywhere"), {}),
    "help of a panel": (keys("f1", until="Its keys"), {}),
    "add": (keys("enter", "a", until="Add a layer"), {}),
    "new": (keys("n", until="New document"), {}),
    "open": (keys("ctrl+o", until="Open"), {}),
    "save as": (keys("enter", "S", until="Save as"), {}),
    "command": (keys("enter", "y", until="The command"), {}),
    "picture": (keys("enter", "p", until="Close"), {}),
    "rate finder": (keys("enter", "l", until="Use the rate"), {"records": rate_records()}),
    "gradients": (keys("enter", "g", until="Gradient check"), {"records": gradient_records()}),
    "one batch": (keys("enter", "o", until="loss on one batch"), {"records": batch_records(memorised=True)}),
}


def on_screen(tmp_path: Path, name: str, act: Way, size: tuple[int, int] = (160, 40)) -> None:
    way, given = SCREENS[name]

    async def run() -> None:
        producer = ProbingProducer(given.get("records", ()))
        producer.listed = list(given.get("runs", RUNS))
        deck = RecordingDeck(tmp_path, producer=producer)
        async with deck.run_test(size=size, notifications=True) as pilot:
            await settle(pilot, lambda: "18,602" in screen_text(deck))
            await way(deck, pilot)
            await act(deck, pilot)

    asyncio.run(run())


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


def panels(deck: Deck) -> list[Widget | None]:
    return list(deck.screen.focus_chain) or [None]


def shown(deck: Deck) -> list[FooterKey]:
    """What the footer shows that can be pressed now."""
    footer = deck.screen.query_one(Footer)
    return [placed.key for placed in footer.placed if placed.key.enabled]


@pytest.mark.parametrize("name", SCREENS)
def test_a_key_in_the_footer_does_what_it_says_in_every_panel(name: str, tmp_path: Path) -> None:
    async def press_all(deck: RecordingDeck, pilot: Pilot[None]) -> None:
        deck.only_record = True
        pressed = 0
        for panel in panels(deck):
            if panel is not None:
                panel.focus()
            await settle(pilot)
            there = shown(deck)
            assert there, f"{panel} has no keys"
            for key in there:
                for one in key.key.split(","):
                    deck.asked_for.clear()
                    await pilot.press(one)
                    await pilot.pause()
                    action = key.action.partition("(")[0].rpartition(".")[2]
                    assert deck.asked_for == [action], f"{one} in {panel}: {key}"
                    assert deck.focused is panel or panel is None
                    pressed += 1
        assert pressed >= len(panels(deck))

    on_screen(tmp_path, name, press_all)


def test_keys_that_need_a_run_are_not_shown_without_one(tmp_path: Path) -> None:
    async def look(deck: RecordingDeck, pilot: Pilot[None]) -> None:
        deck.screen.query_one("#runs").focus()
        await settle(pilot)
        assert not {"Open", "Resume"} & {key.description for key in shown(deck)}

    on_screen(tmp_path, "home without runs", look)


LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@pytest.mark.parametrize("name", ["home", "design", "train", "gradients"])
def test_a_letter_that_one_panel_shows_works_in_the_others_or_is_not_shown_there(name: str, tmp_path: Path) -> None:
    async def compare(deck: RecordingDeck, pilot: Pilot[None]) -> None:
        deck.only_record = True
        everywhere: dict[str, str] = {}
        seen: list[tuple[Widget | None, dict[str, str]]] = []
        for panel in panels(deck):
            if panel is not None:
                panel.focus()
            await settle(pilot)
            letters = {key.key: key.action for key in shown(deck) if key.key in LETTERS}
            seen.append((panel, letters))
            everywhere |= letters
        for panel, letters in seen:
            if panel is not None:
                panel.focus()
            await settle(pilot)
            for letter in everywhere.keys() - letters.keys():
                deck.asked_for.clear()
                await pilot.press(letter)
                await pilot.pause()
                assert not deck.asked_for, f"{letter} does {deck.asked_for} in {panel}, and the footer does not say so"

    on_screen(tmp_path, name, compare)


EMPTY = 'name = "empty"\n[data]\nsource = "digits"\n[model]\nlayers = []\n'


@pytest.mark.parametrize("panel", ["parts", "layers", "fields"])
def test_a_adds_the_first_layer_in_every_panel(panel: str, tmp_path: Path) -> None:
    async def run() -> None:
        deck = Deck(tmp_path, reads(EMPTY), producer=ProbingProducer(()))
        async with deck.run_test(size=(120, 36)) as pilot:
            await settle(
                pilot, lambda: isinstance(deck.screen, DesignScreen) and "press a to add one" in screen_text(deck)
            )
            await settle(pilot, lambda: deck.plans.torch_loaded)
            deck.screen.query_one(f"#{panel}").focus()
            await settle(pilot)
            await pilot.press("a")
            await settle(pilot, lambda: isinstance(deck.screen, PickerScreen))
            assert deck.run_controller.active is None

    asyncio.run(run())


@pytest.mark.parametrize("panel", ["presets", "runs"])
def test_t_trains_in_every_panel_if_the_list_of_runs_says_so(panel: str, tmp_path: Path) -> None:
    async def press_t(deck: RecordingDeck, pilot: Pilot[None]) -> None:
        deck.screen.query_one(f"#{panel}").focus()
        await settle(pilot, lambda: panel != "runs" or "Press t to train" in screen_text(deck))
        await pilot.press("t")
        await settle(pilot, lambda: isinstance(deck.screen, TrainScreen))

    on_screen(tmp_path, "home without runs", press_t)


@pytest.mark.parametrize("letter", ["⏎", "e"])
def test_the_keys_of_a_question_can_be_clicked(letter: str, tmp_path: Path) -> None:
    async def click(deck: RecordingDeck, pilot: Pilot[None]) -> None:
        deck.only_record = True
        line = deck.screen.query_one(KeyLine)
        (placed,) = [placed for placed in line.placed if placed.key.display.startswith(letter)]
        for x in (placed.start + 1, placed.end - 2):
            deck.asked_for.clear()
            await pilot.click(KeyLine, offset=(x, 0))
            await settle(pilot)
            assert deck.asked_for == ["answer"]

    on_screen(tmp_path, "stop", click)


def test_a_double_click_edits_a_field(tmp_path: Path) -> None:
    async def click(deck: RecordingDeck, pilot: Pilot[None]) -> None:
        await pilot.click("#fields", offset=(6, 2))
        await settle(pilot)
        assert not deck.screen.form.typing  # type: ignore[attr-defined]
        await pilot.click("#fields", offset=(6, 2), times=2)
        await settle(pilot, lambda: deck.screen.form.typing)  # type: ignore[attr-defined]

    on_screen(tmp_path, "design", click)
