"""The log of a run scrolls with the wheel, and with keys from every panel."""

from __future__ import annotations

import pytest
from fake_run import FakeRun, script
from test_train_screen import TrainApp, deck, drawn
from textual.events import MouseScrollDown, MouseScrollUp
from textual.pilot import Pilot

from engine.protocol.events import Log
from tui.widgets.log import LogPanel


def talking(lines: int = 60) -> FakeRun:
    run = FakeRun(script())
    run.play_until(lambda event: event.event == "step")
    for number in range(lines):
        run.emit(Log(time=1.8e9 + number, level="info", message=f"sentence {number}."))
    return run


def _wheel(panel: LogPanel, *, up: bool) -> MouseScrollUp | MouseScrollDown:
    kind = MouseScrollUp if up else MouseScrollDown
    return kind(panel, 1, 1, 0, 0, 0, False, False, False)


def body(app: TrainApp) -> str:
    return "\n".join("".join(text for text, _ in row) for row in app.train.query_one(LogPanel)._rows)


@pytest.mark.parametrize("focused", ["loss", "metric", "log", ""])
def test_page_up_and_down_scroll_the_log_from_every_panel(focused: str) -> None:
    async def scroll(app: TrainApp, pilot: Pilot[None]) -> None:
        if focused:
            app.train.query_one(f"#{focused}").focus()
        assert "sentence 59." in body(app)
        await pilot.press("pageup")
        await drawn(app, pilot)
        first = body(app)
        assert "sentence 59." not in first and "more below" in first
        await pilot.press("pageup", "pageup")
        assert "sentence 59." not in body(app) and body(app) != first
        for _ in range(8):
            await pilot.press("pagedown")
        assert "sentence 59." in body(app) and "more below" not in body(app)

    deck(talking(), scroll)


def test_the_wheel_scrolls_and_stops_at_both_ends() -> None:
    async def scroll(app: TrainApp, pilot: Pilot[None]) -> None:
        panel = app.train.query_one(LogPanel)
        for _ in range(100):
            panel.post_message(_wheel(panel, up=True))
        await pilot.pause()
        assert "sentence 0." in body(app) or "features" in body(app)
        top = body(app)
        panel.post_message(_wheel(panel, up=True))
        await pilot.pause()
        assert body(app) == top
        for _ in range(100):
            panel.post_message(_wheel(panel, up=False))
        await pilot.pause()
        assert "sentence 59." in body(app)

    deck(talking(), scroll)


def test_visible_lines_stay_in_place_when_messages_are_added() -> None:
    run = talking()

    async def scroll(app: TrainApp, pilot: Pilot[None]) -> None:
        app.train.query_one(LogPanel).focus()
        await pilot.press("up", "up", "up", "up")
        await drawn(app, pilot)
        before = body(app).split("\n")[1:-1]
        run.emit(Log(time=1.9e9, level="info", message="one more."))
        await drawn(app, pilot)
        assert body(app).split("\n")[1:-1] == before
        await pilot.press("end")
        assert "one more." in body(app)
        await pilot.press("home")
        assert "one more." not in body(app)

    deck(run, scroll)
