"""The form of every part, with its picture and help, without and with a mistake."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from screen_text import assert_golden, screen_text
from test_home_screen import SIZES, settle

from engine.editing.text import set_value
from engine.experiment import preset_text, reads
from tui.deck.app import Deck
from tui.rows.design import PARTS
from tui.screens.design import DesignScreen

HEALTHY = preset_text("digits-cnn")
WRONG = HEALTHY
for path, value in {
    "data.validation": 1.5,
    "model.layers[0].kernel_size": "3x3",
    "model.layers[9].in_features": 100,
    "loss.label_smoothing": 2,
    "optimizer.lr": "fast",
    "scheduler.T_max": 0,
    "regularization.cutmix": -1.0,
    "training.early_stopping.monitor": "val_acuracy",
    "training.amp": "float16",
}.items():
    WRONG = set_value(WRONG, path, value)


def panel_of(screen: DesignScreen) -> str:
    """The rows of the form's panel, as they stand on the screen."""
    region = screen.form.region
    rows = screen_text(screen.app).splitlines()[region.y : region.bottom]
    return "\n".join(row[region.x : region.right].rstrip() for row in rows)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("state", ["healthy", "wrong"])
def test_every_panel_equals_its_golden(tmp_path: Path, size: tuple[int, int], state: str) -> None:
    async def run() -> str:
        shown = []
        deck = Deck(tmp_path, reads(HEALTHY if state == "healthy" else WRONG))
        async with deck.run_test(size=size) as pilot:
            await settle(pilot, lambda: isinstance(deck.screen, DesignScreen) and deck.screen.design is not None)
            screen = deck.screen
            assert isinstance(screen, DesignScreen) and screen.design is not None
            design = screen.design
            await settle(pilot, lambda: design.plan is not None)

            async def at_rest() -> str:
                """The panel once it looks the same twice: what is written waits for the layout."""
                before, now = "", panel_of(screen)
                while now != before:
                    await pilot.pause(0.1)
                    before, now = now, panel_of(screen)
                return now

            for row in (1, 10):
                screen.layer_list.highlighted = row
                await settle(pilot)
                shown.append(await at_rest())
            screen.part_list.focus()
            for index, part in enumerate(PARTS):
                screen.part_list.highlighted = index
                await settle(pilot, lambda part=part: part in design.findings)  # type: ignore[misc]
                await settle(pilot)
                shown.append(await at_rest())
        return "\n".join(shown) + "\n"

    assert_golden(f"panels-{state}-{size[0]}x{size[1]}", asyncio.run(run()))
