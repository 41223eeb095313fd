"""A probe on a thread: its records wait until a screen reads them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from engine import ProbeRecord, Refused

Stop = Callable[[], bool]
Records = Callable[[Stop], Iterator[ProbeRecord]]
"""Starts a probe, which calls `Stop` from time to time and stops if it returns True."""


class Probe(Protocol):
    """An active probe, as a screen uses it."""

    @property
    def alive(self) -> bool:
        """Whether it is running."""

    @property
    def failure(self) -> str:
        """Why it failed, as a sentence; empty if it did not."""

    def drain(self) -> list[ProbeRecord]:
        """Return the records since the last call, oldest first."""

    def stop(self, timeout_s: float | None = 0.0) -> None:
        """Stop it at its next step, and wait up to `timeout_s` for that."""


class ProbeThread:
    """Runs a probe to its end or until it is stopped, between two steps or during a check of gradients.

    The thread is not a daemon: a daemon inside torch aborts the process when it exits.
    """

    def __init__(self, begin: Records, after: Probe | None = None) -> None:
        """Start `begin` when `after`, which is stopping, has ended: two probes would share one random generator."""
        self.failure = ""
        self._begin = begin
        self._after = after
        self._records: deque[ProbeRecord] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="probe")
        self._thread.start()

    @property
    def alive(self) -> bool:
        """See Probe."""
        return self._thread.is_alive()

    def drain(self) -> list[ProbeRecord]:
        """See Probe."""
        records = []
        while self._records:
            records.append(self._records.popleft())
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
                self._records.append(record)
                if self._stop.is_set():
                    return
        except Refused as refused:
            self.failure = str(refused)
        except Exception as error:
            from engine import error_sentence

            self.failure = f"The probe failed. {error_sentence(error)}"
