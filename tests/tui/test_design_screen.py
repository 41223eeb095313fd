"""The design screen: the parts and layers of an experiment, mistakes in place, and details of the selection."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fake_producer import FakeProducer, document, explain, plan_of
from screen_text import assert_golden, screen_text
from test_home_screen import SIZES, settle

from engine.experiment import Draft, reads
from tui.deck.app import Deck
from tui.rows.design import PARTS, layer_rows, part_of, part_rows, totals
from tui.rows.explanations import Selection, explanation
from tui.screens.design import DesignScreen

WRONG = ["model.layers[9].in_features=100", "training.epochs=0"]


async def open_design(deck: Deck, pilot: object) -> DesignScreen:
    await settle(pilot, lambda: isinstance(deck.screen, DesignScreen) and deck.screen.design is not None)  # type: ignore[arg-type]
    await settle(pilot, lambda: deck.screen.design.plan is not None)  # type: ignore[arg-type, attr-defined]
    assert isinstance(deck.screen, DesignScreen)
    return deck.screen


@pytest.mark.parametrize("size", SIZES)
def test_the_plan_of_an_experiment(tmp_path: Path, size: tuple[int, int]) -> None:
    async def run() -> str:
        deck = Deck(tmp_path, document(), producer=FakeProducer())
        async with deck.run_test(size=size) as pilot:
            await open_design(deck, pilot)
            return screen_text(deck)

    assert_golden(f"design-{size[0]}x{size[1]}", asyncio.run(run()))


@pytest.mark.parametrize("size", SIZES)
def test_mistakes_are_shown_in_place_with_their_fix_and_prevent_training(tmp_path: Path, size: tuple[int, int]) -> None:
    async def run() -> tuple[str, FakeProducer]:
        producer = FakeProducer()
        deck = Deck(tmp_path, document(*WRONG), producer=producer)
        async with deck.run_test(size=size) as pilot:
            await open_design(deck, pilot)
            await pilot.press("t")
            await settle(pilot)
            return screen_text(deck), producer

    text, producer = asyncio.run(run())
    assert_golden(f"design-mistakes-{size[0]}x{size[1]}", text)
    assert producer.started == []


def test_the_panel_follows_the_cursor_through_parts_and_layers(tmp_path: Path) -> None:
    async def run() -> list[str]:
        deck = Deck(tmp_path, document(), producer=FakeProducer())
        async with deck.run_test(size=(120, 36)) as pilot:
            screen = await open_design(deck, pilot)
            titles = [str(screen.query_one("#selection").border_title)]
            for keys in (["down"], ["end"], ["left"], ["down", "down", "down"]):
                await pilot.press(*keys)
                await settle(pilot)
                titles.append(str(screen.query_one("#selection").border_title))
            return titles

    assert asyncio.run(run()) == ["Conv2d", "BatchNorm2d", "Linear", "digits", "AdamW"]


def test_text_typed_while_torch_loads_stays_when_the_plan_is_ready(tmp_path: Path) -> None:
    async def run() -> tuple[int | None, int | None]:
        producer = FakeProducer(held=True)
        deck = Deck(tmp_path, document(), producer=producer)
        async with deck.run_test(size=(80, 24)) as pilot:
            await settle(pilot, lambda: "loading torch…" in screen_text(deck))
            screen = deck.screen
            assert isinstance(screen, DesignScreen)
            await pilot.press("down", "down", "down")
            before = screen.layer_list.highlighted
            producer.go.set()
            await settle(pilot, lambda: "18,602 parameters" in screen_text(deck))
            return before, screen.layer_list.highlighted

    assert asyncio.run(run()) == (4, 4)


def test_a_document_that_cannot_be_read_shows_why(tmp_path: Path) -> None:
    class Unreadable(FakeProducer):
        def plan_of(self, draft: Draft) -> object:  # type: ignore[override]
            raise RuntimeError("torch is broken here")

    async def run() -> str:
        deck = Deck(tmp_path, reads("data = = 3"), producer=Unreadable())
        async with deck.run_test(size=(120, 36)) as pilot:
            await settle(pilot, lambda: "torch is broken here" in screen_text(deck))
            return screen_text(deck)

    text = asyncio.run(run())
    assert "it is not TOML" in text


def test_every_part_is_shown_before_and_after_torch_is_loaded() -> None:
    draft = document()
    for plan in (None, plan_of(draft)):
        rows = part_rows(draft, plan, 30, details=True)
        assert len(rows) == len(PARTS)
        assert all(line.cell_length <= 30 for row in rows for line in row.split("\n"))
    assert "1,438 train" in part_rows(draft, plan_of(draft), 30, details=True)[0].plain


def test_a_layer_row_has_number_label_shape_and_parameters() -> None:
    draft = document()
    rows = layer_rows(draft, plan_of(draft), 50)
    assert rows[1].plain.split() == ["0", "Conv2d", "32", "32×8×8", "320"]
    assert {row.cell_length for row in rows} == {50}


def test_layers_are_listed_before_torch_is_loaded() -> None:
    rows = [row.plain for row in layer_rows(document(), None, 50)]
    assert len(rows) == 14
    assert "Conv2d 32" in rows[1]


def test_a_wrong_layer_has_its_mistake_and_its_fix_below_it() -> None:
    draft = document(*WRONG)
    row = layer_rows(draft, plan_of(draft), 60)[10].plain
    assert row.startswith("✗  9")
    assert "in_features is 100" in row
    assert "fix: Remove in_features" in row


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("optimizer.lr", "optimizer"),
        ("training.epochs", "training"),
        ("training.device", "device"),
        ("training.amp", "device"),
        ("model.layers[3]", "model"),
        ("lose", None),
        ("device", None),
    ],
)
def test_a_mistake_is_shown_at_its_part(path: str, part: str | None) -> None:
    assert part_of(path) == part


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("planned", [False, True])
def test_every_part_explains_itself(part: str, planned: bool) -> None:
    draft = document()
    said = explanation(Selection(part=part), draft, plan_of(draft) if planned else None, explain, 32)
    assert said.title
    assert len(said.text.plain) > 20


def test_a_layer_shows_what_it_is_when_to_use_it_and_its_torch_name() -> None:
    draft = document()
    said = explanation(Selection(path="model.layers[0]"), draft, plan_of(draft), explain, 32)
    assert said.title == "Conv2d"
    assert "torch.of.layers.Conv2d" in said.text.plain
    assert "32×8×8" in said.text.plain


def test_totals_leave_out_the_least_important_first() -> None:
    plan = plan_of(document())
    assert totals(plan, 80) == ("18,602 parameters · 349 kFLOP/sample · 2.8 MB a step", "")
    assert totals(plan, 40) == ("18,602 parameters · 349 kFLOP/sample", "2.8 MB a step")
    assert totals(plan, 10) == ("18,602 parameters", "349 kFLOP/sample · 2.8 MB a step")
