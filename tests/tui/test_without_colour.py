"""The design screen without colour, in 16 colours and without braille: every state is still distinguishable."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from screen_text import screen_text
from test_home_screen import settle

from engine.editing.text import set_value
from engine.experiment import preset_text, reads
from tui.deck.app import Deck
from tui.screens.design import DesignScreen
from tui.services.producer import Producer

TEXT = set_value(preset_text("resnet-digits"), "optimizer.lr", 5.0)  # a warning
TEXT = set_value(TEXT, "loss.label_smoothing", "much")  # an error
ENVIRONMENTS = {
    "no colour": {"NO_COLOR": "1", "TERM": "xterm-256color"},
    "sixteen colours": {"TERM": "xterm", "COLORTERM": ""},
    "no braille": {"TERM": "linux", "COLORTERM": ""},
}


def styles_of(deck: Deck, row: int) -> set[str]:
    """The styles of a row of the screen, colours left out."""
    strip = deck.screen._compositor.render_strips()[row]
    kept = ("bold", "reverse", "underline", "dim")
    return {" ".join(k for k in kept if getattr(s.style, k, False)) for s in strip if s.style is not None}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_state_has_its_own_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: str) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in ENVIRONMENTS[environment].items():
        monkeypatch.setenv(name, value)

    async def run() -> None:
        deck = Deck(tmp_path, reads(TEXT), producer=Producer())
        async with deck.run_test(size=(120, 36)) as pilot:
            await settle(pilot, lambda: isinstance(deck.screen, DesignScreen) and deck.screen.design is not None)
            screen = deck.screen
            assert isinstance(screen, DesignScreen) and screen.design is not None
            design = screen.design
            await settle(pilot, lambda: design.plan is not None)
            text = screen_text(deck)
            assert "✗ Loss" in text and "! Optimizer" in text and "▾ Residual" in text
            assert "• out_channels" in text and "  stride" in text and "✗ 1 mistake" in text
            await pilot.press("down", "down", "down", "space")
            await settle(pilot)
            assert "▸ Residual (5)" in screen_text(deck)
            await pilot.press("shift+down")
            await settle(pilot)
            assert screen_text(deck).count("▌ ") == 2
            await pilot.press("x")
            await settle(pilot, lambda: design.plan is not None)
            assert "resnet-digits •" in screen_text(deck)
            # The row under the cursor is told by more than its colour where there is none.
            cursor = screen.layer_list.region.y + (screen.layer_list.highlighted or 0)
            if environment == "no colour":
                assert styles_of(deck, cursor) != styles_of(deck, cursor + 1)

    asyncio.run(run())
