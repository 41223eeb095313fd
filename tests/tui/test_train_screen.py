from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import ClassVar

import pytest
from fake_run import LR, STEPS_PER_EPOCH, FakeRun, script
from screen_text import assert_golden, screen_text
from textual.app import App
from textual.binding import Binding, BindingType
from textual.pilot import Pilot

from engine.protocol.commands import SetLR, Simple
from engine.protocol.events import CommandDone, Epoch, Event, Finished, Log, Reason, RunStarted, Step
from engine.protocol.outcomes import MemoryReleased, Paused
from tui.dialogs.stop import StopScreen
from tui.feed import Source
from tui.plots.raster import Marker
from tui.preferences.themes import DARK, VARIABLES
from tui.screens.train import TrainScreen
from tui.terminal.frame_budget import FrameBudget
from tui.widgets.footer import Footer
from tui.widgets.panel import RowWidget

SIZES = [(80, 24), (120, 36)]


class TrainApp(App[None]):
    """The train screen alone, with the keys that the deck adds everywhere."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("question_mark", "help", "Help", key_display="?"),
    ]
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, source: Source | None, marker: Marker = "braille") -> None:
        super().__init__()
        self.register_theme(DARK)
        self.theme = DARK.name
        self.animation_level = "none"
        self.train = TrainScreen(source, "digits-cnn", marker=marker)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return VARIABLES

    def on_mount(self) -> None:
        self.push_screen(self.train)


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


Body = Callable[[TrainApp, Pilot[None]], Awaitable[None]]


def deck(source: Source | None, body: Body, size: tuple[int, int] = (120, 36), marker: Marker = "braille") -> str:
    """Run the screen on a source, do something with it, and give back what it then shows."""

    async def run() -> str:
        app = TrainApp(source, marker)
        async with app.run_test(size=size) as pilot:
            await drawn(app, pilot)
            await body(app, pilot)
            return screen_text(app)

    return asyncio.run(run())


async def drawn(app: TrainApp, pilot: Pilot[None]) -> None:
    """Wait until what is known is on the screen, the footer's keys too."""
    app.train.draw()
    for _ in range(4):
        await pilot.pause()


async def nothing(app: TrainApp, pilot: Pilot[None]) -> None:
    """Leave the screen as it is."""


def up_to_step(step: int, **fields: int) -> FakeRun:
    run = FakeRun(script(patience=None, **fields))  # type: ignore[arg-type]
    run.play_until(lambda event: isinstance(event, Step) and event.step == step)
    return run


def ended(**fields: int) -> FakeRun:
    run = FakeRun(script(**fields))  # type: ignore[arg-type]
    run.play()
    return run


def waiting() -> FakeRun:
    return FakeRun(())


def loading() -> FakeRun:
    run = FakeRun(script())
    run.play(1)
    return run


def training() -> FakeRun:
    return up_to_step(276)


def paused() -> FakeRun:
    run = up_to_step(276)
    run.emit(CommandDone(time=1_795_450_543.0, command="pause", epoch=12, step=276, outcome=Paused()))
    return run


def released() -> FakeRun:
    run = up_to_step(276)
    outcome = MemoryReleased(device="cuda:0")
    run.emit(
        CommandDone(time=1_795_450_543.0, command="release", epoch=12, step=276, outcome=outcome),
        Log(time=1_795_450_543.2, message="Paused at step 276: 1.23 GB of cuda:0 memory is released."),
    )
    return run


def moving() -> FakeRun:
    run = up_to_step(276)
    run.emit(
        Finished(
            time=1_795_450_543.0, reason=Reason.DETACHED, epoch=12, step=276, seconds=5.5, message="Left at step 276."
        )
    )
    return run


def stale() -> FakeRun:
    run = up_to_step(276)
    run.stale = True
    return run


def failed() -> FakeRun:
    return ended(nan_at=260)


def early_stopped() -> FakeRun:
    return ended()


STATES = (waiting, loading, training, paused, released, moving, stale, failed, early_stopped)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_the_train_screen_equals_its_golden(state: Callable[[], FakeRun], size: tuple[int, int]) -> None:
    text = deck(state(), nothing, size)
    assert_golden(f"train-{state.__name__}-{size[0]}x{size[1]}", text)


@pytest.mark.parametrize("size", [(200, 50), (80, 40), (140, 24)], ids=str)
def test_the_train_screen_uses_the_size_of_the_terminal(size: tuple[int, int]) -> None:
    assert_golden(f"train-training-{size[0]}x{size[1]}", deck(training(), nothing, size))


def test_the_train_screen_can_do_without_braille() -> None:
    text = deck(failed(), nothing, (80, 24), marker="ascii")
    assert_golden("train-failed-ascii-80x24", text)
    assert not any(0x2800 <= ord(character) <= 0x28FF for character in text)


@pytest.mark.parametrize("size", [*SIZES, (200, 50), (60, 20), (30, 8)], ids=str)
def test_no_row_is_wider_than_the_terminal_and_none_is_missing(size: tuple[int, int]) -> None:
    lines = deck(training(), nothing, size).splitlines()
    assert len(lines) == size[1]
    assert max(map(len, lines)) <= size[0]


def test_without_a_run_the_screen_says_what_to_do() -> None:
    text = deck(None, nothing)
    assert "No run yet" in text
    assert "Pause" not in text


def test_the_screen_shows_the_runs_own_experiment() -> None:
    async def rename(app: TrainApp, pilot: Pilot[None]) -> None:
        assert app.train.view.started is not None

    run = FakeRun(())
    started = next(event for event in script() if event.event == "run_started")
    document = {"name": "what-really-runs", "optimizer": {"type": "RMSprop", "lr": 0.5}}
    run.emit(started.model_copy(update={"experiment": document, "device": "cuda:1", "precision": "bfloat16"}))
    text = deck(run, rename)
    assert "torchdeck ─ what-really-runs" in text
    assert "cuda:1 · bfloat16" in text
    assert "RMSprop 0.5" in text


def test_a_failed_run_shows_its_reason_and_the_screen_stays() -> None:
    async def keys(app: TrainApp, pilot: Pilot[None]) -> None:
        await pilot.press("L", "S", "z", "m", "p", "s", "c", "plus", "minus")
        await drawn(app, pilot)
        assert app.screen is app.train

    run = failed()
    text = deck(run, keys)
    assert "✗ failed" in text
    assert "The loss is NaN at step 260. Lower optimizer.lr, or set regularization.clip_grad_norm." in text
    assert "NaN at step 260" in text.split("╭─ loss")[1]
    assert run.sent == []


def test_a_run_that_fails_at_its_first_step_marks_it_too() -> None:
    assert "NaN at step 1" in deck(ended(nan_at=1), nothing, (80, 24)).split("╭─ loss")[1]


def test_the_monitored_metric_is_shown_first() -> None:
    def measured(monitor: str) -> FakeRun:
        run = FakeRun(())
        started = next(event for event in script() if isinstance(event, RunStarted))
        document = {"name": "x", "training": {"early_stopping": {"monitor": monitor, "patience": 3}}}
        numbers = {"val_mae": 0.1, "val_rmse": 0.2, "val_r2": 0.9}
        epoch = {"epoch": 1, "step": 23, "train_loss": 0.1, "lr": 1e-3, "seconds": 1.0, "samples_per_s": 9.0} | numbers
        run.emit(started.model_copy(update={"experiment": document}), Epoch.model_validate(epoch))
        return run

    assert "╭─ rmse" in deck(measured("val_loss"), nothing)
    assert "╭─ r2" in deck(measured("val_r2"), nothing)


def test_an_ended_run_shows_why_how_good_it_was_its_folder_and_how_to_continue() -> None:
    text = deck(early_stopped(), nothing)
    assert "✓ stopped early" in text
    assert "◆ best val_loss 0.4334 at epoch 15" in text
    assert "again: torchdeck train runs/2026-11-23T16-15-30-digits-cnn/experiment.toml" in text
    assert "train runs/2026-11-23T16-15-30-digits-cnn/experiment.toml" in deck(failed(), nothing)


@pytest.mark.parametrize(
    ("state", "keys"),
    [
        (waiting, ""),
        (training, "p Pause s Stop c Save +/- Rate L Log S Smooth z Zoom d Detach"),
        (paused, "p Continue s Stop c Save +/- Rate L Log S Smooth z Zoom d Detach"),
        (released, "p Continue s Stop c Save +/- Rate L Log S Smooth z Zoom d Detach"),
        (early_stopped, "L Log S Smooth z Zoom"),
    ],
    ids=["waiting", "training", "paused", "released", "ended"],
)
def test_the_footer_shows_the_available_keys(state: Callable[[], FakeRun], keys: str) -> None:
    footer = deck(state(), nothing).splitlines()[-1]
    assert " ".join(footer.split()) == f"{keys} q Quit ? Help".strip()


def test_every_key_has_a_description() -> None:
    for binding in TrainScreen.BINDINGS:
        assert isinstance(binding, Binding)
        assert binding.id and binding.id.startswith("train.")
        assert binding.tooltip and binding.description


def test_every_panel_explains_itself() -> None:
    async def look(app: TrainApp, pilot: Pilot[None]) -> None:
        for widget in app.train.query(RowWidget):
            assert len(widget.HELP) > 40, widget

    deck(training(), look)


def test_a_pause_is_shown_as_requested_and_then_as_done() -> None:
    class Slow(FakeRun):
        """Answers no command until it is told to."""

        def send(self, command: object) -> None:
            self.sent.append(command)  # type: ignore[arg-type]

    run = Slow(script())
    run.play_until(lambda event: isinstance(event, Step) and event.step == 40)

    async def press(app: TrainApp, pilot: Pilot[None]) -> None:
        await pilot.press("p")
        assert "‖ pausing …" in screen_text(app)
        run.emit(CommandDone(time=1, command="pause", epoch=2, step=40, outcome=Paused()))
        await drawn(app, pilot)
        assert "‖ paused" in screen_text(app)
        await pilot.press("p")
        assert "● continuing …" in screen_text(app)

    deck(run, press)
    assert run.sent == [Simple(command="pause"), Simple(command="continue")]


def test_the_learning_rate_goes_up_and_down_by_half_and_the_change_is_marked() -> None:
    run = up_to_step(100)

    async def press(app: TrainApp, pilot: Pilot[None]) -> None:
        before = app.train.view.lr.last
        assert before is not None
        await pilot.press("plus")
        await drawn(app, pilot)
        await pilot.press("minus", "minus")
        await drawn(app, pilot)
        values = [command.value for command in run.sent if isinstance(command, SetLR)]
        assert values == pytest.approx([before * 1.5, before, before / 1.5])
        assert len(app.train.view.lr_changes) == 3

    text = deck(run, press)
    assert "▾" in text
    assert "manual" in text
    assert "learning rate" in text


def test_a_requested_learning_rate_is_shown_immediately_and_scaled_further() -> None:
    run = up_to_step(2)
    run.send = lambda command: run.sent.append(command)  # type: ignore[method-assign]

    async def press(app: TrainApp, pilot: Pilot[None]) -> None:
        await pilot.press("plus")
        assert "→ 4.5e-3 sent" in screen_text(app)
        await pilot.press("plus")
        assert "→ 6.75e-3 sent" in screen_text(app)

    deck(run, press)
    assert [command.value for command in run.sent if isinstance(command, SetLR)] == pytest.approx(
        [LR * 1.5, LR * 2.25], rel=1e-3
    )


def test_stop_asks_once_and_keeps_the_model() -> None:
    run = up_to_step(100)

    async def press(app: TrainApp, pilot: Pilot[None]) -> None:
        await pilot.press("s")
        assert isinstance(app.screen, StopScreen)
        assert "Stop this run?" in screen_text(app)
        await pilot.press("escape")
        assert app.screen is app.train
        assert run.sent == []
        await pilot.press("s", "s")
        assert isinstance(app.screen, StopScreen), "the key that asks does not answer"
        await pilot.press("enter")
        await drawn(app, pilot)

    text = deck(run, press)
    assert run.sent == [Simple(command="stop")]
    assert "■ stopped" in text


def test_a_run_that_ends_during_the_question_is_not_stopped_again() -> None:
    run = up_to_step(100)

    async def press(app: TrainApp, pilot: Pilot[None]) -> None:
        await pilot.press("s")
        assert isinstance(app.screen, StopScreen)
        run.play()
        await drawn(app, pilot)
        assert app.screen is app.train, "the question goes away"
        await pilot.press("enter")
        await drawn(app, pilot)

    assert "✓" in deck(run, press)
    assert run.sent == []


def test_c_requests_a_checkpoint() -> None:
    run = up_to_step(100)

    async def press(app: TrainApp, pilot: Pilot[None]) -> None:
        await pilot.press("c")

    assert "Saving a checkpoint" in deck(run, press)
    assert run.sent == [Simple(command="checkpoint")]


def first_epoch_label(text: str) -> int:
    return int(next(row for row in text.splitlines() if row.startswith("│epoch")).split()[1])


def test_log_smooth_and_zoom_change_the_plot_immediately_and_back() -> None:
    async def press(app: TrainApp, pilot: Pilot[None]) -> None:
        before = screen_text(app)
        await pilot.press("L")
        assert "log scale · smoothed 0.6" in screen_text(app)
        await pilot.press("L", "S")
        assert "smoothed 0.9" in screen_text(app)
        await pilot.press("S")
        assert " raw ─╯" in screen_text(app)
        await pilot.press("S", "z")
        zoomed = screen_text(app)
        assert "smoothed 0.6 · zoom: last 1/4" in zoomed
        # Zoomed in, what is drawn begins late in the run: the early epochs' labels are gone.
        assert first_epoch_label(before) == 2
        assert first_epoch_label(zoomed) >= 9
        await pilot.press("z")
        assert screen_text(app) == before

    deck(training(), press)


def test_the_smoothed_line_is_smoother_than_the_raw_one_and_the_raw_one_stays_behind_it() -> None:
    async def look(app: TrainApp, pilot: Pilot[None]) -> None:
        panel = app.train.query_one("#loss", RowWidget)
        rows = panel.rows(*panel.size)
        tones = {tone for row in rows for _, tone in row}
        assert {"raw", "train", "validation"} <= tones
        await pilot.press("S", "S")
        assert "raw" not in {tone for row in panel.rows(*panel.size) for _, tone in row}

    deck(training(), look)


def test_the_next_metric_is_shown() -> None:
    async def press(app: TrainApp, pilot: Pilot[None]) -> None:
        assert "╭─ accuracy" in screen_text(app)
        await pilot.press("m")
        assert "╭─ f1" in screen_text(app)
        await pilot.press("m")

    assert "╭─ accuracy" in deck(training(), press)


def test_events_during_another_screen_are_shown_afterwards() -> None:
    run = up_to_step(100)

    async def look(app: TrainApp, pilot: Pilot[None]) -> None:
        app.push_screen(StopScreen(app.train.view))
        await pilot.pause()
        run.play_until(lambda event: isinstance(event, Step) and event.step == 200)
        await pilot.pause(0.6)
        app.pop_screen()
        await drawn(app, pilot)

    assert "step 200/690" in deck(run, look)


def test_nothing_is_drawn_without_events(monkeypatch: pytest.MonkeyPatch) -> None:
    async def look(app: TrainApp, pilot: Pilot[None]) -> None:
        drawings: list[object] = []
        for widget in app.train.query("*"):
            monkeypatch.setattr(widget, "refresh", lambda *args, **kwargs: drawings.append(args))
        await pilot.pause(0.8)
        assert drawings == []

    deck(training(), look)


def test_only_changed_cells_are_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    run = up_to_step(276)

    async def look(app: TrainApp, pilot: Pilot[None]) -> None:
        cells = 0
        for widget in app.train.query(RowWidget):
            refresh = widget.refresh

            def count(*regions: object, _refresh: Callable[..., object] = refresh, **options: object) -> object:
                nonlocal cells
                assert regions, "a whole widget is drawn again"
                cells += sum(region.width * region.height for region in regions)  # type: ignore[attr-defined]
                return _refresh(*regions, **options)

            monkeypatch.setattr(widget, "refresh", count)
        run.play(1)
        await drawn(app, pilot)
        assert 0 < cells < 250

    deck(run, look)


@pytest.mark.parametrize("share", [0.02, 0.1])
def test_frames_are_spaced_so_that_drawing_stays_within_its_share(share: float) -> None:
    budget, now, spent, frames = FrameBudget(share), 0.0, 0.0, 0
    cost_s, minutes = 0.030, 5
    while now < minutes * 60:
        if budget.due(now, spent):
            spent += cost_s
            frames += 1
        now += 0.25
        spent += 0.0001
    assert spent / now <= share * 1.05
    assert spent / now >= share * 0.9


def test_a_cheap_frame_is_drawn_at_every_poll() -> None:
    budget = FrameBudget(0.02)
    assert all(budget.due(now / 4, now * 0.001) for now in range(1000))


def test_a_very_slow_frame_does_not_freeze_the_picture() -> None:
    budget = FrameBudget(0.02)
    assert budget.due(0.0, 0.0)
    assert not budget.due(0.25, 30.0)
    assert any(budget.due(0.25 + look / 4, 30.0) for look in range(1, 20))


def test_an_event_costs_the_deck_well_under_a_millisecond() -> None:
    events: list[Event] = [e for e in script(epochs=200, patience=None) if isinstance(e, Step | Epoch)]
    started = next(event for event in script(epochs=200) if event.event == "run_started")
    run = FakeRun(())
    run.emit(started, *events)
    screen = TrainScreen(run)
    began = time.thread_time()
    screen.feed.pull()
    assert screen.feed.view.step == 200 * STEPS_PER_EPOCH
    assert (time.thread_time() - began) / len(events) < 0.001


def test_a_narrow_footer_holds_every_key() -> None:
    async def look(app: TrainApp, pilot: Pilot[None]) -> None:
        size = app.size
        footer = app.train.query_one(Footer)
        shown = {placed.key.action for placed in footer.placed}
        assert shown == {a.binding.action for a in app.train.active_bindings.values() if a.binding.show}
        assert footer.placed[-1].end <= size[0]

    for size in SIZES:
        deck(training(), look, size)


def test_a_fast_machine_on_a_slow_line_writes_no_more_than_the_line_carries() -> None:
    budget, now, written = FrameBudget(0.02, bytes_per_s=4500), 0.0, 0
    while now < 100:
        if budget.due(now, 0.0, written):
            written += 9_000
        now += 0.25
    assert 4000 * 100 < written <= 4700 * 100
