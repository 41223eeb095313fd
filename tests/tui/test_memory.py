"""The deck remembers its state, and ignores a damaged file."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from fake_producer import FakeProducer
from test_app import on_design, on_home, play, train
from test_home_screen import settle
from textual.pilot import Pilot

from engine.protocol.events import Reason
from tui.deck.app import Deck
from tui.preferences.memory import MOST_DOCUMENTS, Memory
from tui.preferences.settings import Settings
from tui.screens.design import DesignScreen
from tui.screens.train import TrainScreen


def test_a_deck_reads_what_the_previous_one_wrote(tmp_path: Path) -> None:
    file = tmp_path / "deck.json"
    memory = Memory(file)
    memory.keep_document("lenet", part="", path="model.layers[3]", folded=frozenset({"model.layers[1]"}))
    memory.keep_plots("accuracy", log=True, smoothing=0.9, zoom=True)
    memory.theme = "torchdeck-light"
    assert not file.exists()
    memory.write()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    later = Memory(file)
    document, plots = later.document("lenet"), later.plots("accuracy")
    assert document is not None and document.path == "model.layers[3]" and document.folded == ("model.layers[1]",)
    assert plots is not None and (plots.log, plots.smoothing, plots.zoom) == (True, 0.9, True)
    assert later.theme == "torchdeck-light" and later.document("other") is None and later.plots("mae") is None


def test_two_decks_keep_what_the_other_wrote(tmp_path: Path) -> None:
    file = tmp_path / "deck.json"
    one, other = Memory(file), Memory(file)
    one.keep_document("one", part="loss", path="", folded=frozenset())
    other.keep_document("other", part="data", path="", folded=frozenset())
    other.theme = "torchdeck-light"
    other.write()
    one.write()
    kept = Memory(file)
    assert kept.document("one") and kept.document("other") and kept.theme == "torchdeck-light"
    assert [path.name for path in tmp_path.iterdir()] == ["deck.json"]


def test_only_the_newest_documents_are_kept(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "deck.json")
    for number in range(MOST_DOCUMENTS + 5):
        memory.keep_document(f"{number}", part="data", path="", folded=frozenset())
    memory.write()
    kept = Memory(tmp_path / "deck.json")
    assert kept.document("0") is None and kept.document(f"{MOST_DOCUMENTS + 4}") is not None
    assert len(json.loads((tmp_path / "deck.json").read_text())["documents"]) == MOST_DOCUMENTS


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"[" * 100_000,
        b'{"version": 99, "theme": "x"}',
        b'{"version": 1, "theme": 3, "documents": [], "plots": {"a": {"smoothing": 7}}}',
        b'{"version": 1, "documents": {"lenet": {"folded": 3}, "x": null}, "plots": 1}',
    ],
)
def test_a_damaged_file_is_ignored_and_replaced(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "deck.json"
    file.write_bytes(content)
    memory = Memory(file)
    assert memory.theme == "" and memory.document("lenet") is None and memory.plots("a") is None
    memory.theme = "torchdeck-dark"
    memory.write()
    assert Memory(file).theme == "torchdeck-dark"


def test_a_folder_that_cannot_be_written_is_ignored(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "nowhere" / "deck.json")
    memory.theme = "torchdeck-dark"
    memory.write()


FOLDED = """
name = "digits-cnn"
data = {source = "digits"}
[model]
layers = [
  {type = "Residual", layers = [{type = "Conv2d", out_channels = 8, kernel_size = 3, padding = "same"}, "ReLU"]},
  "Flatten", {type = "Linear", out_features = "auto"},
]
"""


def test_the_design_screen_opens_as_it_was_left(tmp_path: Path) -> None:
    from engine.experiment import reads

    file = tmp_path / "deck.json"

    async def leave(deck: Deck, pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: isinstance(deck.screen, DesignScreen) and deck.screen.design is not None)
        await pilot.pause()
        await pilot.press("space", "down")
        await settle(pilot, lambda: deck.screen.selection.path == "model.layers[1]")

    async def come_back(deck: Deck, pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: isinstance(deck.screen, DesignScreen) and deck.screen.design is not None)
        await pilot.pause()
        assert deck.screen.folded == {"model.layers[0]"}
        assert deck.screen.selection.path == "model.layers[1]" and deck.screen.path == "model.layers[1]"

    for act in (leave, come_back):
        draft = reads(FOLDED, origin="mine.toml")
        play(Deck(tmp_path, draft, source="mine.toml", producer=FakeProducer(), memory=Memory(file)), act)


def test_the_part_that_was_selected_is_selected_again(tmp_path: Path) -> None:
    memory = Memory()
    memory.keep_document("digits-cnn", part="loss", path="", folded=frozenset())

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await on_home(deck, pilot)
        await on_design(deck, pilot)
        await pilot.pause()
        assert deck.screen.selection.part == "loss" and deck.screen.focused is deck.screen.part_list

    play(Deck(tmp_path, producer=FakeProducer(), memory=memory), act)


def test_plots_have_the_options_that_were_used_last(tmp_path: Path) -> None:
    memory = Memory()

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await train(deck, pilot)
        screen = deck.screen
        assert isinstance(screen, TrainScreen)
        screen._draw_with(replace(screen.options, log=True, smoothing=0.9))
        deck.producer.started[0].end(Reason.COMPLETED, "Trained.")

    async def again(deck: Deck, pilot: Pilot[None]) -> None:
        await train(deck, pilot)
        screen = deck.screen
        assert isinstance(screen, TrainScreen)
        assert screen.options.log and screen.options.smoothing == 0.9 and not screen.options.zoom
        deck.producer.started[0].end(Reason.COMPLETED, "Trained.")

    for one in (act, again):
        play(Deck(tmp_path, producer=FakeProducer(), memory=memory), one)


def test_the_last_theme_is_used_again_unless_the_settings_name_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)
    memory = Memory()

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await on_home(deck, pilot)
        deck.theme = "torchdeck-light"
        await pilot.pause()

    play(Deck(tmp_path, producer=FakeProducer(), memory=memory), act)
    assert memory.theme == "torchdeck-light"
    assert Deck(tmp_path, producer=FakeProducer(), memory=memory).theme == "torchdeck-light"
    assert Deck(tmp_path, producer=FakeProducer(), memory=memory, settings=Settings(theme="dark")).theme == (
        "torchdeck-dark"
    )
    memory.theme = "gone-with-a-release"
    assert Deck(tmp_path, producer=FakeProducer(), memory=memory).theme == "torchdeck-dark"
