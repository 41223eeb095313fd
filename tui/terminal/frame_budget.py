"""When the deck may draw: its share of a core, and of the line to the terminal."""

from __future__ import annotations

BUDGET = 0.02
"""The share of a core that drawing may take."""
BYTES_PER_S = 4500.0
"""What drawing may write to the terminal, a little less than the 5 kB/s that a slow line bears."""
LONGEST_WAIT_S = 4.0
MOST_SAVED_S = 0.05
MOST_SAVED_BYTES = 2000.0
FIRST_FRAMES_S = 1.0
"""When a run begins or the terminal changes its size, laying out and painting the screen is not counted for so long:
these first frames, where a curve moves most, are free."""


class Allowance:
    """Something that the clock earns and drawing spends. Drawing may go on while nothing is owed."""

    def __init__(self, per_s: float, *, most_saved: float) -> None:
        self._per_s = per_s
        self._most_saved = most_saved
        self._balance = 0.0
        self._spent: float | None = None

    def settle(self, seconds: float, spent: float) -> None:
        """Count what `seconds` earned, and what was spent in them: `spent` is all that was ever spent."""
        earned = seconds * self._per_s - (spent - (self._spent or 0.0))
        # Neither does one slow frame stop the picture for long, nor does a long rest pay for a burst.
        self._balance = min(max(self._balance + earned, -LONGEST_WAIT_S * self._per_s), self._most_saved)
        self._spent = spent

    def forget(self, spent: float) -> None:
        """Leave out what was spent since the last time."""
        self._spent = spent

    def forgive(self) -> None:
        """Owe nothing."""
        self._balance = max(self._balance, 0.0)

    @property
    def left(self) -> bool:
        """Whether nothing is owed."""
        return self._balance >= 0


class FrameBudget:
    """Spaces frames so that drawing takes its share of a core and of the line to the terminal, and no more.

    What the deck's thread computes and writes counts, Textual's part included.
    """

    def __init__(self, share: float = BUDGET, bytes_per_s: float = BYTES_PER_S) -> None:
        self._allowances = (
            Allowance(share, most_saved=MOST_SAVED_S),
            Allowance(bytes_per_s, most_saved=MOST_SAVED_BYTES),
        )
        self._seen_s: float | None = None
        self._free_until_s = -float("inf")

    def begin(self, now_s: float) -> None:
        """The screen is laid out anew: do not count what that costs."""
        for allowance in self._allowances:
            allowance.forgive()
        self._free_until_s = now_s + FIRST_FRAMES_S

    def due(self, now_s: float, spent_s: float, written_bytes: int = 0) -> bool:
        """Whether a frame may be drawn at `now_s`, when the thread has computed for `spent_s` and written so much."""
        counts = self._seen_s is not None and now_s > self._free_until_s
        for allowance, spent in zip(self._allowances, (spent_s, written_bytes), strict=True):
            if counts:
                allowance.settle(now_s - (self._seen_s or 0.0), spent)
            else:
                allowance.forget(spent)
        self._seen_s = now_s
        return all(allowance.left for allowance in self._allowances)
