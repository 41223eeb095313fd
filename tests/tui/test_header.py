from __future__ import annotations

import asyncio

import pytest
from screen_text import screen_text
from textual.app import App, ComposeResult

from tui.widgets.header import DeckHeader

RIGHT = "cuda:0 · bfloat16 · 16 threads"


class HeaderApp(App[None]):
    """The top line alone."""

    def __init__(self, subtitle: str) -> None:
        super().__init__()
        self.subtitle = subtitle
        self.pressed: list[str] = []

    def compose(self) -> ComposeResult:
        yield DeckHeader("Train", self.subtitle, RIGHT)

    def on_key(self, event: object) -> None:
        self.pressed.append(event.key)  # type: ignore[attr-defined]


def line(width: int, subtitle: str) -> str:
    async def run() -> str:
        app = HeaderApp(subtitle)
        async with app.run_test(size=(width, 2)) as pilot:
            await pilot.pause()
            return screen_text(app).splitlines()[0]

    return asyncio.run(run())


def test_a_wide_terminal_shows_name_tabs_and_device() -> None:
    assert line(120, "digits-cnn").split("  ")[0] == " torchdeck ─ digits-cnn"
    assert line(120, "digits-cnn").endswith(RIGHT)


@pytest.mark.parametrize("subtitle", ["", "digits-cnn", "x" * 64])
@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_the_tabs_are_complete_at_any_width(width: int, subtitle: str) -> None:
    text = line(width, subtitle)
    assert "1 Design  2 Train  3 Runs" in text
    assert len(text) <= width


def test_the_most_important_words_about_the_device_stay_longest() -> None:
    assert line(80, "mackey-glass-lstm").endswith("cuda:0 · bfloat16")


def test_a_click_on_a_tab_presses_its_key() -> None:
    async def run() -> list[str]:
        app = HeaderApp("digits-cnn")
        async with app.run_test(size=(120, 2)) as pilot:
            await pilot.pause()
            at = screen_text(app).index("3 Runs")
            await pilot.click(DeckHeader, offset=(at, 0))
            await pilot.pause()
            return app.pressed

    assert asyncio.run(run()) == ["3"]
