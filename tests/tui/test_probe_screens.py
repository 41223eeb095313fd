"""The screens of the probes: drawn while they run, stopped by Esc, and a key that uses the rate."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from fake_probe import ProbingProducer, batch_records, gradient_records, rate_records
from fake_producer import FakeRun, document
from screen_text import assert_golden, screen_text
from test_design_screen import WRONG, open_design
from test_home_screen import settle
from textual.pilot import Pilot

from engine.experiment import Mistake, Refused
from engine.plan import check
from engine.probes.records import RateStep, Record
from engine.protocol.events import Epoch
from tui.deck.app import Deck
from tui.dialogs.help import HelpScreen
from tui.screens.design import DesignScreen
from tui.screens.gradient_check import GradientCheckScreen
from tui.screens.one_batch import OneBatchScreen
from tui.screens.probe import ProbeScreen
from tui.screens.rate_finder import RateFinderScreen
from tui.services.probe_thread import ProbeThread, Stop
from tui.services.producer import Producer

Act = Callable[[Deck, Pilot[None]], Awaitable[None]]


def play(
    tmp_path: Path,
    producer: ProbingProducer,
    key: str,
    act: Act | None = None,
    *,
    size: tuple[int, int] = (80, 24),
    wrong: bool = False,
) -> str:
    """Open the design screen, press the key of a probe, `act`, and give back what is on the screen then."""

    async def run() -> str:
        deck = Deck(tmp_path, document(*(WRONG if wrong else ())), producer=producer)
        async with deck.run_test(size=size, notifications=True) as pilot:
            await open_design(deck, pilot)
            await pilot.press(key)
            if not wrong:
                await settle(pilot, lambda: shown(deck))
            if act is not None:
                await act(deck, pilot)
            await pilot.pause()
            return screen_text(deck)

    return asyncio.run(run())


def shown(deck: Deck) -> bool:
    """Whether all that the probe said is on the screen."""
    screen = deck.screen
    probe = deck.producer.begun[-1][1] if isinstance(deck.producer, ProbingProducer) and deck.producer.begun else None
    return (
        isinstance(screen, ProbeScreen) and probe is not None and not probe._waiting and screen.running == probe.alive
    )


STATES: dict[str, tuple[str, Callable[[], ProbingProducer]]] = {
    "rate": ("l", lambda: ProbingProducer(rate_records())),
    "rate-going": ("l", lambda: ProbingProducer(rate_records(), held=40)),
    "rate-none": ("l", lambda: ProbingProducer(rate_records(falls=False))),
    "gradients": ("g", lambda: ProbingProducer(gradient_records())),
    "gradients-going": ("g", lambda: ProbingProducer(gradient_records(), held=4)),
    "one-batch": ("o", lambda: ProbingProducer(batch_records(memorised=True))),
    "one-batch-not": ("o", lambda: ProbingProducer(batch_records(memorised=False))),
}


@pytest.mark.parametrize(
    ("state", "size"),
    [*((state, (80, 24)) for state in STATES), *((state, (120, 36)) for state in ("rate", "gradients", "one-batch"))],
    ids=str,
)
def test_a_probe_equals_its_golden(tmp_path: Path, state: str, size: tuple[int, int]) -> None:
    key, producer = STATES[state]
    assert_golden(f"probe-{state}-{size[0]}x{size[1]}", play(tmp_path, producer(), key, size=size))


def test_a_probe_can_do_without_braille(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "linux")
    text = play(tmp_path, ProbingProducer(rate_records()), "l")
    assert_golden("probe-rate-ascii-80x24", text)
    assert not any(0x2800 <= ord(character) <= 0x28FF for character in text)


def test_enter_sets_the_rate_in_the_document_and_undo_restores_it(tmp_path: Path) -> None:
    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        assert deck.documents.current is not None
        await pilot.press("enter")
        await settle(pilot, lambda: "Set optimizer.lr to 0.001" in screen_text(deck))
        assert isinstance(deck.screen, DesignScreen)
        assert 'optimizer = {type = "AdamW", lr = 0.001, weight_decay = 0.01}' in deck.documents.current.text
        await pilot.press("u")
        await settle(pilot, lambda: deck.documents.current is not None and "lr = 3e-3" in deck.documents.current.text)

    play(tmp_path, ProbingProducer(rate_records()), "l", act)


def test_enter_sets_the_rate_in_the_field_that_holds_it(tmp_path: Path) -> None:
    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        assert deck.documents.current is not None
        assert "enter: scheduler.max_lr" in screen_text(deck)
        await pilot.press("enter")
        await settle(pilot, lambda: "Set scheduler.max_lr to 0.001" in screen_text(deck))
        assert "max_lr = 0.001" in deck.documents.current.text and "lr = 3e-3" in deck.documents.current.text

    play(tmp_path, ProbingProducer(rate_records(field="scheduler.max_lr")), "l", act)


def test_without_a_suggestion_enter_does_nothing(tmp_path: Path) -> None:
    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(deck.screen, RateFinderScreen)

    play(tmp_path, ProbingProducer(rate_records(falls=False)), "l", act)


@pytest.mark.parametrize(
    ("key", "records", "screen"),
    [
        ("l", rate_records(), RateFinderScreen),
        ("g", gradient_records(), GradientCheckScreen),
        ("o", batch_records(memorised=True), OneBatchScreen),
    ],
    ids=["rate", "gradients", "one-batch"],
)
def test_esc_closes_and_stops_the_probe_immediately_and_r_runs_it_again(
    tmp_path: Path, key: str, records: list[Record], screen: type[ProbeScreen[object]]
) -> None:
    producer = ProbingProducer(records, held=3)

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        assert isinstance(deck.screen, screen)
        await pilot.press("r")
        await settle(pilot, lambda: len(producer.begun) == 2 and shown(deck))
        (_, first), (_, second) = producer.begun
        assert first.stopped and not second.stopped
        await pilot.press("escape")
        assert second.stopped
        await settle(pilot, lambda: isinstance(deck.screen, DesignScreen))

    play(tmp_path, producer, key, act)


def test_leaving_the_deck_stops_its_probe(tmp_path: Path) -> None:
    producer = ProbingProducer(rate_records(), held=3)

    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await pilot.press("ctrl+q")

    play(tmp_path, producer, "l", act)
    assert producer.begun[0][1].stopped


def test_a_probe_that_fails_says_why(tmp_path: Path) -> None:
    text = play(tmp_path, ProbingProducer(rate_records(), held=130, failure="The device ran out of memory."), "l")
    assert "The device ran out of memory." in text


def test_mistakes_and_an_active_run_prevent_a_probe(tmp_path: Path) -> None:
    async def mistakes(deck: Deck, pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: "Correct 2 mistakes first." in screen_text(deck))

    play(tmp_path, ProbingProducer([]), "l", mistakes, size=(120, 36), wrong=True)

    async def going(deck: Deck, pilot: Pilot[None]) -> None:
        await pilot.press("escape")
        run = FakeRun(tmp_path / "a-run")
        deck.runs.append(run)
        await settle(pilot, lambda: isinstance(deck.screen, DesignScreen))
        await pilot.press("o")
        await settle(pilot, lambda: "a-run is training" in screen_text(deck))
        run.interrupt()

    producer = ProbingProducer(rate_records())
    play(tmp_path, producer, "l", going, size=(120, 36))
    assert len(producer.begun) == 1


def test_help_lists_the_keys_of_the_design_screen_and_of_a_probe(tmp_path: Path) -> None:
    async def act(deck: Deck, pilot: Pilot[None]) -> None:
        await pilot.press("question_mark")
        await settle(pilot, lambda: isinstance(deck.screen, HelpScreen))
        text = screen_text(deck)
        for line in ("Set the learning rate to the suggestion", "Stop and close", "◆ is where the average falls most"):
            assert line in text
        await pilot.press("escape", "escape", "question_mark")
        await settle(pilot, lambda: "Find a learning rate" in screen_text(deck))
        assert "Check the gradients of every layer" in screen_text(deck)

    play(tmp_path, ProbingProducer(rate_records()), "l", act, size=(120, 36))


def test_the_thread_of_a_probe_ends_at_the_step_at_which_it_is_stopped() -> None:
    begun: list[int] = []

    def endless(stop: Stop) -> Iterator[Record]:
        while True:
            begun.append(len(begun))
            time.sleep(0.001)
            yield RateStep(step=len(begun), steps=10**9, lr=1.0, loss=1.0, smoothed=1.0)

    probe = ProbeThread(endless)
    while not probe.drain():
        time.sleep(0.001)
    steps = len(begun)
    probe.stop()
    while probe.alive:
        time.sleep(0.001)
    assert len(begun) <= steps + 2
    assert not any(thread.name == "probe" for thread in threading.enumerate())


def test_the_reason_for_refusing_a_probe_is_a_sentence() -> None:
    def refuse(stop: Stop) -> Iterator[Record]:
        raise Refused(Mistake("optimizer.lr", "there is none", "", "Choose another optimizer."))

    def broken(stop: Stop) -> Iterator[Record]:
        raise ZeroDivisionError("division by zero")

    for begin, said in (
        (refuse, "optimizer.lr: there is none. Choose another optimizer."),
        (broken, "The probe failed. ZeroDivisionError: division by zero"),
    ):
        probe = ProbeThread(begin)
        while probe.alive:
            time.sleep(0.001)
        assert probe.failure == said


def test_a_run_started_during_a_probe_equals_one_without_it_bit_for_bit(tmp_path: Path) -> None:
    plan = check(document("training.epochs=1", "training.threads=1"))

    def losses(producer: Producer) -> list[float]:
        run = producer.start(plan, tmp_path)
        run.join(60)
        return [event.train_loss for event in run.drain() if isinstance(event, Epoch)]

    without = losses(Producer())
    producer = Producer()
    probe = producer.probe("rate", plan)
    while not probe.drain():
        time.sleep(0.001)
    assert losses(producer) == without and len(without) == 1
    assert not probe.alive


def test_no_probe_starts_during_a_run_and_a_probe_waits_for_the_previous_one(tmp_path: Path) -> None:
    plan = check(document("training.epochs=100", "training.threads=1"))
    producer = Producer()
    first = producer.probe("rate", plan)
    second = producer.probe("gradients", plan)
    while not second.drain():
        time.sleep(0.001)
    assert not first.alive and second.failure == ""
    run = producer.start(plan, tmp_path)
    refused = producer.probe("one-batch", plan)
    while refused.alive:
        time.sleep(0.001)
    run.interrupt()
    run.join(60)
    assert refused.failure.startswith("probe: a run trains in this process; ")
    assert refused.drain() == []
