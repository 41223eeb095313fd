"""Probes that compute nothing: their records are written by hand, and yielded when a test allows it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

from fake_producer import FakeProducer

from engine.plan import Plan
from engine.probes.records import (
    BatchDone,
    BatchStep,
    GradientsChecked,
    LayerChecked,
    Outcome,
    RateFound,
    RateStep,
    Record,
)
from tui.services.producer import ProbeKind


class FakeProbe:
    """Yields its records except the last `held`; runs until all were yielded or it is stopped."""

    def __init__(self, records: Sequence[Record], held: int, failure: str = "") -> None:
        self._waiting = deque(records[: len(records) - held])
        self._held = held
        self.failure = failure
        self.stopped = False

    @property
    def alive(self) -> bool:
        return not self.stopped and (bool(self._waiting) or self._held > 0) and not self.failure

    def drain(self) -> list[Record]:
        records = list(self._waiting)
        self._waiting.clear()
        return records

    def stop(self, timeout_s: float | None = 0.0) -> None:
        self.stopped = True


class ProbingProducer(FakeProducer):
    """Begins fake probes, all of the same records."""

    def __init__(self, records: Sequence[Record], held: int = 0, failure: str = "") -> None:
        super().__init__()
        self._records, self._held, self._failure = records, held, failure
        self.begun: list[tuple[ProbeKind, FakeProbe]] = []

    def probe(self, kind: ProbeKind, plan: Plan) -> FakeProbe:
        self.begun.append((kind, FakeProbe(self._records, self._held, self._failure)))
        return self.begun[-1][1]


def rate_records(*, falls: bool = True, field: str = "optimizer.lr") -> list[Record]:
    """A loss that falls from 2.3 around a rate of 1e-3 and turns up after 0.05."""
    records: list[Record] = []
    for i in range(134):
        log = -7 + 8 * i / 159
        fall = 2 / (1 + math.exp(-5 * (log + 3))) if falls else 0.0
        loss = 2.3 - fall + 4 * max(0.0, log + 1.3) ** 2
        wobble = 0.12 * math.sin(2.7 * i) * (loss / 2.3)
        records.append(RateStep(step=i + 1, steps=160, lr=10**log, loss=loss + wobble, smoothed=loss))
    if not falls:
        message = "No suggestion: between 1e-07 and 0.5 the loss never falls by more than it varies (0.08)."
        return [*records, RateFound(lr=None, ended="diverged", message=message)]
    return [
        *records,
        RateFound(
            lr=1e-3,
            field=field,
            loss=1.3,
            lr_at_minimum=0.05,
            tenth_of_minimum=0.005,
            ended="diverged",
            message="The loss falls most steeply at 0.001 and is lowest at 0.05. Another common choice is a tenth of "
            "the latter: 0.005. It diverges from 0.5 on.",
        ),
    ]


def gradient_records() -> list[Record]:
    """A layer of each outcome."""
    said: list[tuple[str, str, Outcome, int, bool, float | None, str]] = [
        ("0", "Conv2d 32, 3×3 same", "passed", 512, False, None, ""),
        ("1", "BatchNorm2d", "passed", 6208, True, None, ""),
        (
            "2",
            "ReLU",
            "kink",
            6144,
            True,
            0.5,
            "2 values lie at a kink, as ReLU has at zero and MaxPool where two inputs tie: the slope is 0 to the left "
            "and 1 to the right, autograd gives 0. Moved away from it by 0.001, it passes.",
        ),
        ("3.0 copy 2", "Tanh", "failed", 384, False, 0.25, "The numerical gradient is 0.5, autograd's is 0.25."),
        ("4", "Dropout 0.25", "skipped", 0, False, None, "It is random, so it is off here."),
        ("", "CrossEntropyLoss", "passed", 30, False, None, ""),
        ("", "the whole model and its loss", "passed", 18_794, True, None, ""),
    ]
    layers = [
        LayerChecked(
            index=index,
            checks=len(said),
            number=number,
            label=label,
            outcome=outcome,
            elements=elements,
            fast=fast,
            difference=difference,
            message=message,
        )
        for index, (number, label, outcome, elements, fast, difference, message) in enumerate(said, start=1)
    ]
    message = "1 of 7 checks failed; 4 passed, 1 passed near a kink, 1 skipped."
    return [*layers, GradientsChecked(passed=4, kinks=1, failed=1, skipped=1, message=message)]


def batch_records(*, memorised: bool) -> list[Record]:
    """A loss that falls to nothing within 40 steps, or one that stays at ln 10."""
    count = 40 if memorised else 300
    losses = [2.3 * math.exp(-i / 12) if memorised else 2.303 + 0.02 * math.sin(i) for i in range(count)]
    steps: list[Record] = [
        BatchStep(step=i + 1, steps=300, loss=loss, score=min(1.0, 0.1 + i / 40) if memorised else 0.11)
        for i, loss in enumerate(losses)
    ]
    if memorised:
        message = "Memorised in 40 steps: 100 % of the answers are correct on the same 64 samples; the loss is 0.0892."
        advice: tuple[str, ...] = ()
    else:
        message = (
            "Did not memorise 64 samples in 300 steps: the loss stays at 2.3, about ln 10: that of guessing; 11 % of "
            "the answers are right."
        )
        advice = (
            "No gradient reaches 0 Conv2d 32, 3×3 same, 1 BatchNorm2d, 4 Conv2d 32, 3×3 same and 2 more.",
            "What keeps a model from memorising is on: Dropout 0.25, weight_decay 0.01. Try it without.",
        )
    done = BatchDone(
        memorised=memorised,
        step=count,
        loss=losses[-1],
        score=1.0 if memorised else 0.11,
        guess=math.log(10),
        message=message,
        advice=advice,
    )
    return [*steps, done]
