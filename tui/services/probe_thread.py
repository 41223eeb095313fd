"""A probe on a thread of its own: what it finds out waits until a screen asks for it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from engine.experiment import Refused
from engine.probes.records import Record

Stop = Callable[[], bool]
Records = Callable[[Stop], Iterator[Record]]
"""Begins a probe, which asks now and then whether it is to stop."""


class Probe(Protocol):
    """A probe that is going on, as a screen knows it."""

    @property
    def alive(self) -> bool:
        """Whether it is at work."""

    @property
    def failure(self) -> str:
        """Why it ended before its end, as a sentence; empty where it did not."""

    def drain(self) -> list[Record]:
        """The records since the last call, oldest first."""

    def stop(self, timeout_s: float | None = 0.0) -> None:
        """End it at its next step; wait so long for that."""


class ProbeThread:
    """Runs a probe to its end, or until it is stopped: between two of its steps, or inside a check of gradients.

    The thread is no daemon, since one of those inside torch aborts the process at its end.
    """

    def __init__(self, begin: Records, after: Probe | None = None) -> None:
        """It begins as soon as `after`, which was told to stop, has ended: two would share one random generator."""
        self.failure = ""
        self._begin = begin
        self._after = after
        self._found: deque[Record] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="probe")
        self._thread.start()

    @property
    def alive(self) -> bool:
        """See Probe."""
        return self._thread.is_alive()

    def drain(self) -> list[Record]:
        """See Probe."""
        records = []
        while self._found:
            records.append(self._found.popleft())
        return records

    def stop(self, timeout_s: float | None = 0.0) -> None:
        """See Probe."""
        self._stop.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        if self._after is not None:
            self._after.stop(None)
            self._after = None
        try:
            for record in self._begin(self._stop.is_set):
                self._found.append(record)
                if self._stop.is_set():
                    return
        except Refused as refused:
            self.failure = str(refused)
        except Exception as error:
            from engine.training.recovery import error_sentence

            self.failure = f"It broke off. {error_sentence(error)}"
