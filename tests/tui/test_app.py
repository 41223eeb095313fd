"""The deck: switching screens, training, help, palette and leaving."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fake_producer import RUNS, FakeProducer
from screen_text import assert_golden, screen_text
from test_home_screen import SIZES, settle
from textual.css.query import NoMatches
from textual.pilot import Pilot

from engine.protocol.commands import Simple
from engine.protocol.events import Reason
from tui.deck.app import Deck
from tui.dialogs.choice import ChoiceScreen
from tui.dialogs.help import HelpScreen
from tui.preferences.themes import theme_name
from tui.screens.design import DesignScreen
from tui.screens.home import HomeScreen
from tui.screens.train import TrainScreen
from tui.widgets.footer import Footer

if TYPE_CHECKING:
    from engine.experiment import Draft
    from engine.plan import Plan

Act = Callable[[Deck, Pilot[None]], Awaitable[None]]


def play(deck: Deck, act: Act, size: tuple[int, int] = (80, 24)) -> Deck:
    """Run the deck, and `act` in it."""

    async def run() -> None:
        async with deck.run_test(size=size, notifications=True) as pilot:
            await act(deck, pilot)

    asyncio.run(run())
    return deck


async def train(deck: Deck, pilot: Pilot[None]) -> None:
    await settle(pilot, lambda: "18,602" in screen_text(deck))
    await pilot.press("t")
    await settle(pilot, lambda: isinstance(deck.screen, TrainScreen) and "● training" in screen_text(deck))


def test_downloads_before_a_run_are_shown(tmp_path: Path) -> None:
    class Downloading(FakeProducer):
        def plan_of(self, draft: Draft) -> Plan:
            return replace(super().plan_of(draft), downloads=("Downloading 45 MB, https://a.b/c.pth",))

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await train(deck, pilot)
        await settle(pilot, lambda: "Downloading 45 MB, https://a.b/c.pth." in screen_text(deck))

    play(Deck(tmp_path, producer=Downloading()), act)


def test_t_trains_the_preset_and_number_keys_switch_screens(tmp_path: Path) -> None:
    producer = FakeProducer()

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await train(deck, pilot)
        (run,) = producer.started
        assert deck.run_controller.active is run
        screen = deck.screen
        await settle(pilot, lambda: "digits-cnn" in screen_text(deck))
        await pilot.press("3")
        await settle(pilot, lambda: isinstance(deck.screen, HomeScreen))
        await pilot.press("1")
        await settle(pilot, lambda: isinstance(deck.screen, DesignScreen))
        await pilot.press("2")
        await settle(pilot, lambda: deck.screen is screen)
        run.end(Reason.COMPLETED, "Trained.")

    play(Deck(tmp_path, producer=producer), act)


def test_one_run_is_active_at_a_time_and_the_next_starts_after_its_end(tmp_path: Path) -> None:
    producer = FakeProducer()

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await train(deck, pilot)
        first = deck.screen
        await pilot.press("3", "t")
        await settle(pilot, lambda: deck.screen is first)
        assert len(producer.started) == 1
        producer.started[0].end(Reason.COMPLETED, "Trained.")
        await pilot.press("3", "t")
        await settle(pilot, lambda: len(producer.started) == 2)
        await settle(pilot, lambda: isinstance(deck.screen, TrainScreen) and deck.screen is not first)
        producer.started[1].end(Reason.COMPLETED, "Trained.")

    play(Deck(tmp_path, producer=producer), act)


def test_the_deck_opens_the_named_run(tmp_path: Path) -> None:
    producer = FakeProducer(RUNS)

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: isinstance(deck.screen, TrainScreen))
        assert producer.followed == [RUNS[1].path]
        await pilot.press("q")

    assert play(Deck(tmp_path, open_run=RUNS[1].path, producer=producer), act).return_code == 0


def test_opening_the_run_of_this_process_shows_its_own_screen(tmp_path: Path) -> None:
    producer = FakeProducer()

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await train(deck, pilot)
        screen = deck.screen
        await pilot.press("3")
        deck.run_controller.open_run(producer.started[0].directory)
        await settle(pilot, lambda: deck.screen is screen)
        assert producer.followed == []
        producer.started[0].end(Reason.COMPLETED, "Trained.")

    play(Deck(tmp_path, producer=producer), act)


@pytest.mark.parametrize("key", ["q", "ctrl+q", "ctrl+c"])
def test_without_a_run_q_leaves_immediately(tmp_path: Path, key: str) -> None:
    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await pilot.press(key)
        await settle(pilot, lambda: not deck.is_running or deck._exit)

    assert play(Deck(tmp_path, producer=FakeProducer()), act)._exit


@pytest.mark.parametrize("key", ["q", "ctrl+q", "ctrl+c"])
@pytest.mark.parametrize("answer", ["escape", "q"])
def test_leaving_asks_while_a_run_is_active_and_can_be_cancelled(tmp_path: Path, key: str, answer: str) -> None:
    producer = FakeProducer()

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await train(deck, pilot)
        await pilot.press(key)
        await settle(pilot, lambda: isinstance(deck.screen, ChoiceScreen))
        await pilot.press(answer)
        await settle(pilot, lambda: isinstance(deck.screen, TrainScreen))
        (run,) = producer.started
        assert run.alive
        assert run.sent == []
        assert not deck._exit
        run.end(Reason.COMPLETED, "Trained.")

    play(Deck(tmp_path, producer=producer), act)


@pytest.mark.parametrize("keys", [["q", "enter"], ["ctrl+c", "enter"], ["d"]])
def test_a_run_can_continue_in_the_background(tmp_path: Path, keys: list[str]) -> None:
    producer = FakeProducer()

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await train(deck, pilot)
        await pilot.press(keys[0])
        if len(keys) > 1:
            await settle(pilot, lambda: isinstance(deck.screen, ChoiceScreen))
            await pilot.press(keys[1])
        await settle(pilot, lambda: deck._exit)
        (run,) = producer.started
        assert run.sent == [Simple(command="detach")]
        run.end(Reason.DETACHED, "Left at step 40.")

    assert play(Deck(tmp_path, producer=producer), act).detaching


@pytest.mark.parametrize("size", SIZES)
def test_the_question_of_how_to_leave_equals_its_golden(tmp_path: Path, size: tuple[int, int]) -> None:
    producer = FakeProducer()
    shown = []

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await train(deck, pilot)
        await pilot.press("q")
        await settle(pilot, lambda: isinstance(deck.screen, ChoiceScreen))
        await settle(pilot, lambda: "Leave the deck?" in screen_text(deck))
        shown.append(screen_text(deck))
        producer.started[0].end(Reason.COMPLETED, "Trained.")

    play(Deck(tmp_path, producer=producer), act, size)
    assert_golden(f"quit-{size[0]}x{size[1]}", shown[0])


def test_stop_and_keep_the_model_stops_the_run_and_leaves(tmp_path: Path) -> None:
    producer = FakeProducer()

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await train(deck, pilot)
        await pilot.press("q")
        await settle(pilot, lambda: isinstance(deck.screen, ChoiceScreen))
        await pilot.press("down", "enter")
        await settle(pilot, lambda: deck._exit)

    play(Deck(tmp_path, producer=producer), act)
    (run,) = producer.started
    assert [command.command for command in run.sent] == ["stop"]


@pytest.mark.parametrize("size", SIZES)
def test_help_lists_the_keys_and_the_panels_of_the_screen(tmp_path: Path, size: tuple[int, int]) -> None:
    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await pilot.press("question_mark")
        await settle(pilot, lambda: isinstance(deck.screen, HelpScreen))
        assert "Train the preset under the cursor" in screen_text(deck)
        await pilot.press("end")
        await settle(pilot, lambda: "Each is a TOML file" in screen_text(deck))
        await pilot.press("question_mark")
        await settle(pilot, lambda: isinstance(deck.screen, HomeScreen))

    play(Deck(tmp_path, producer=FakeProducer()), act, size)


async def on_home(deck: Deck, pilot: Pilot[None]) -> None:
    await settle(pilot, lambda: "18,602" in screen_text(deck))


async def on_design(deck: Deck, pilot: Pilot[None]) -> None:
    await pilot.press("1")
    await settle(pilot, lambda: "18,602" in screen_text(deck))


async def on_help(deck: Deck, pilot: Pilot[None]) -> None:
    await pilot.press("question_mark")
    await settle(pilot, lambda: isinstance(deck.screen, HelpScreen))


async def on_quit(deck: Deck, pilot: Pilot[None]) -> None:
    await train(deck, pilot)
    await pilot.press("q")
    await settle(pilot, lambda: isinstance(deck.screen, ChoiceScreen))


@pytest.mark.parametrize("there", [on_home, on_design, on_help, train, on_quit])
@pytest.mark.parametrize("size", SIZES)
def test_no_key_in_the_footer_is_cut_and_each_has_an_action(tmp_path: Path, there: Act, size: tuple[int, int]) -> None:
    producer = FakeProducer()

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await there(deck, pilot)
        footer = deck.screen.query_one(Footer)
        await settle(pilot, lambda: len(footer.placed) > 0)
        line = screen_text(deck).splitlines()[-1]
        for placed in footer.placed:
            key = placed.key
            assert placed.end <= deck.size.width and f"{key.display} {key.description}" in line, key
            active = next(a for a in deck.screen.active_bindings.values() if a.binding.action == key.action)
            assert active.enabled == key.enabled
            namespace, name, _ = _parsed(active.binding.action)
            node = {"app": deck, "screen": deck.screen}.get(namespace, active.node)
            assert hasattr(node, f"action_{name}") or hasattr(node, f"_action_{name}"), key.action
        for run in producer.started:
            run.end(Reason.COMPLETED, "Trained.")

    play(Deck(tmp_path, producer=producer), act, size)


def _parsed(action: str) -> tuple[str, str, str]:
    name, _, arguments = action.partition("(")
    namespace, _, name = name.rpartition(".")
    return namespace, name, arguments


def test_the_palette_has_every_action_of_the_screen(tmp_path: Path) -> None:
    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: "18,602" in screen_text(deck))
        titles = [command.title for command in deck.get_system_commands(deck.screen)]
        assert {"Train (t)", "Help (?)", "Design (1)", "Plan of lenet", "Train lenet", "Theme: light"} <= set(titles)
        assert any(title.startswith("Quit") for title in titles)
        await pilot.press("ctrl+p", *"plan of lenet", "enter")
        await settle(pilot, lambda: isinstance(deck.screen, DesignScreen) and deck.screen.design is not None)
        assert deck.screen.design.name == "lenet"

    play(Deck(tmp_path, producer=FakeProducer()), act)


def test_an_error_in_the_deck_ends_it_and_is_reported_on_the_terminal(tmp_path: Path) -> None:
    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        deck.call_later(lambda: deck.screen.query_one("#nowhere"))
        await settle(pilot, lambda: deck.crash is not None)

    deck = Deck(tmp_path, producer=FakeProducer())
    with pytest.raises(NoMatches):
        play(deck, act)
    assert isinstance(deck.crash, NoMatches)


@pytest.mark.parametrize(
    ("environ", "theme"),
    [
        ({"TERM": "xterm-256color"}, "torchdeck-dark"),
        ({"TERM": "screen", "COLORTERM": "truecolor"}, "torchdeck-dark"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "torchdeck-plain"),
        ({"TERM": "linux"}, "torchdeck-ansi"),
        ({"TERM": "xterm"}, "torchdeck-ansi"),
    ],
)
def test_the_theme_suits_the_colours_of_the_terminal(environ: dict[str, str], theme: str) -> None:
    assert theme_name(environ) == theme


@pytest.mark.parametrize("theme", ["torchdeck-dark", "torchdeck-light", "torchdeck-ansi", "torchdeck-plain", "nord"])
def test_every_theme_draws_every_screen(tmp_path: Path, theme: str) -> None:
    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        deck.theme = theme
        await on_home(deck, pilot)
        await on_design(deck, pilot)
        await on_help(deck, pilot)
        assert deck.screen.query_one(Footer).placed

    play(Deck(tmp_path, producer=FakeProducer()), act)
