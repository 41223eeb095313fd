"""Every key has a name, and a person's own keys replace the defaults."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_producer import FakeProducer
from screen_text import screen_text
from test_app import play, train
from test_home_screen import settle
from textual.pilot import Pilot

from tui.deck.app import Deck
from tui.dialogs.help import HelpScreen
from tui.preferences.keymap import Named, checked, declared, is_key, normal
from tui.preferences.settings import Settings
from tui.screens.design import DesignScreen

TUI = Path(__file__).parents[2] / "tui"


def where(named: Named) -> str:
    return f'{named.owner.__module__}.{named.owner.__name__}: Binding("{named.binding.key}", "{named.binding.action}")'


def test_every_binding_has_an_id_a_description_and_a_tooltip() -> None:
    missing = [
        f"{where(named)}: add {field}="
        for named in declared()
        for field in ("id", "description", "tooltip")
        if not getattr(named.binding, field)
    ]
    assert not missing, "\n".join(missing)


def test_an_id_is_one_action_and_appears_once_in_a_class() -> None:
    seen: dict[str, Named] = {}
    in_class: set[tuple[str, str]] = set()
    for named in declared():
        first = seen.setdefault(named.id, named)
        same = (first.binding.action, first.binding.key) == (named.binding.action, named.binding.key)
        assert same, f"{where(named)}: give it an id of its own; {named.id} is that of {where(first)}"
        here = (f"{named.owner.__module__}.{named.owner.__qualname__}", named.id)
        assert here not in in_class, f"{where(named)}: give it an id of its own; {named.id} is there twice"
        in_class.add(here)
        area, dot, action = named.id.partition(".")
        assert area.isidentifier() and dot and action.isidentifier(), f"{where(named)}: its id is to be area.action"


def bindings_in_source() -> Iterator[str]:
    for path in TUI.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Binding":
                named = {k.arg: k.value for k in node.keywords}
                if path.stem != "keymap":  # it makes bindings only to normalise keys
                    yield ast.literal_eval(named["id"])


def test_no_binding_is_hidden_from_the_list() -> None:
    assert set(bindings_in_source()) == {named.id for named in declared()}


def test_declared_keys_are_valid() -> None:
    assert [key for named in declared() for key in named.keys if not is_key(key)] == []
    assert not is_key("contrl+x") and not is_key("nonsense") and is_key("ctrl+f5") and is_key("slash")
    assert normal("?, ctrl+k,A") == ("question_mark", "ctrl+k", "A")


@pytest.mark.parametrize(
    ("chosen", "right", "said"),
    [
        ({"design.add": "i"}, {"design.add": "i"}, []),
        ({"design.add": "?"}, {}, ['design.add is "?", which is also a key of deck.help.']),
        ({"design.add": "x"}, {}, ['design.add is "x", which is also a key of design.delete.']),
        ({"design.add": "x", "design.delete": "a"}, {"design.add": "x", "design.delete": "a"}, []),
        ({"train.stop": "x"}, {"train.stop": "x"}, []),
        ({"train.pause": "h"}, {"train.pause": "h", "train.continue": "h"}, []),
        ({"train.rate_down": "b"}, {"train.rate_down": "b", "train.rate_up": "plus,equals_sign"}, []),
        ({"design.ad": "i"}, {}, ["design.ad is not an action; did you mean design.add?"]),
        ({"design.add": "contrl+i"}, {}, ['design.add is "contrl+i", which is not a key']),
        ({"design.add": ""}, {}, ['design.add is "", which is not a key']),
    ],
)
def test_chosen_keys_are_accepted_or_a_sentence_says_why_not(
    chosen: dict[str, str], right: dict[str, str], said: list[str]
) -> None:
    complaints: list[str] = []
    assert checked(chosen, lambda id_, what: complaints.append(f"{id_} {what}")) == right
    assert len(complaints) == len(said)
    assert all(complaint.startswith(begin) for complaint, begin in zip(complaints, said, strict=True))


def test_chosen_keys_work_and_are_in_footer_help_and_palette(tmp_path: Path) -> None:
    settings = Settings(keymap={"home.train": "f5", "deck.help": "f2", "deck.runs": "9"})
    producer = FakeProducer()

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: "18,602" in screen_text(deck))
        assert "f5 Train" in screen_text(deck) and "9 Runs" in screen_text(deck).splitlines()[0]
        titles = [command.title for command in deck.get_system_commands(deck.screen)]
        assert {"Train (f5)", "Help (f2)", "Runs (9)"} <= set(titles)
        await pilot.press("t", "question_mark")
        assert not producer.started and not isinstance(deck.screen, HelpScreen)
        await pilot.press("f2")
        await settle(pilot, lambda: isinstance(deck.screen, HelpScreen))
        assert "f5              Train the preset" in screen_text(deck)
        await pilot.press("escape", "1")
        await settle(pilot, lambda: isinstance(deck.screen, DesignScreen))
        await pilot.press("9", "f5")
        await settle(pilot, lambda: len(producer.started) == 1)

    play(Deck(tmp_path, producer=producer, settings=settings), act)


def test_pause_and_continue_share_a_chosen_key(tmp_path: Path) -> None:
    producer = FakeProducer()

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await train(deck, pilot)
        keys = {binding.id for _, binding in deck.screen._binding_chain[0][1] if binding.key == "h"}
        assert keys == {"train.pause", "train.continue"}
        await asyncio.sleep(0)

    play(Deck(tmp_path, producer=producer, settings=Settings(keymap={"train.pause": "h"})), act)
